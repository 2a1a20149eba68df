output "arns" {
  description = "Part -> ARN of its secret; `token` is that of clients."
  value       = { for part, secret in aws_secretsmanager_secret.this : part => secret.arn }
}

output "variables" {
  description = "Part -> the environment variables that its secret holds."
  value       = local.variables
}
