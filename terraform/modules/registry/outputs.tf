output "repositories" {
  description = "Image -> URL of its repository."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.repository_url }
}

output "policies" {
  description = "Every policy, as JSON."
  value       = { for image, policy in aws_ecr_repository_policy.functions : "repository/${image}" => policy.policy }
}

output "settings" {
  description = "Image -> how its repository treats images."
  value = { for image, repository in aws_ecr_repository.this : image => {
    tags       = repository.image_tag_mutability
    scanned    = repository.image_scanning_configuration[0].scan_on_push
    encryption = repository.encryption_configuration[0].encryption_type
    expires    = aws_ecr_lifecycle_policy.this[image].policy
  } }
}
