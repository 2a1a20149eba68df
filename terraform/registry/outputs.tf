output "repositories" {
  description = "Image -> URL of its repository."
  value       = module.registry.repositories
}

output "region" {
  description = "Region of the registry."
  value       = var.region
}

output "policies" {
  description = "Every policy, as JSON."
  value       = module.registry.policies
}

output "settings" {
  description = "Image -> how its repository treats images."
  value       = module.registry.settings
}
