output "service" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "endpoint" {
  description = "Host of ElastiCache's first node; empty where the store is in the task."
  value       = local.container ? "" : one(aws_elasticache_replication_group.this[*].primary_endpoint_address)
}

output "containers" {
  description = "Definitions of the containers, as JSON."
  value       = module.task.containers
}

output "size" {
  description = "Processor units and memory (MiB)."
  value       = module.task.size
}

output "deployment" {
  description = "Percents of tasks that run while a new one is deployed, and how many tasks there are."
  value = {
    least   = aws_ecs_service.this.deployment_minimum_healthy_percent
    most    = aws_ecs_service.this.deployment_maximum_percent
    desired = aws_ecs_service.this.desired_count
  }
}

output "encryption" {
  description = "Whether what is stored is encrypted."
  value       = local.container ? one(aws_efs_file_system.this[*].encrypted) : tobool(one(aws_elasticache_replication_group.this[*].at_rest_encryption_enabled))
}

output "policies" {
  description = "Every policy, as JSON."
  value = merge(
    module.task.policies,
    local.container ? { "files/mds" = aws_efs_file_system_policy.this[0].policy } : {},
  )
}
