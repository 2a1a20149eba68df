output "key_arn" {
  description = "ARN of the key."
  value       = aws_kms_key.this.arn
}

output "policies" {
  description = "Every policy, as JSON."
  value       = { "key/${var.name}" = aws_kms_key.this.policy }
}
