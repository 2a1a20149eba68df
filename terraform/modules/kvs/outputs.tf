output "service" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "desired_count" {
  description = "Nodes that are started first."
  value       = aws_ecs_service.this.desired_count
}

output "containers" {
  description = "Definitions of the containers, as JSON."
  value       = module.task.containers
}

output "size" {
  description = "Processor units and memory (MiB) of a node."
  value       = module.task.size
}

output "policies" {
  description = "Every policy, as JSON."
  value       = module.task.policies
}
