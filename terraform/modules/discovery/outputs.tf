output "registries" {
  description = "Name -> ARN of its Cloud Map service, for ECS services."
  value       = { for name, service in aws_service_discovery_service.registered : name => service.arn }
}

output "domain" {
  description = "What names end with."
  value       = aws_service_discovery_private_dns_namespace.this.name
}

output "names" {
  description = "Host names that are answered inside the VPC."
  value       = sort([for name in concat(tolist(var.registered), keys(var.aliases)) : "${name}.${var.name}.internal"])
}
