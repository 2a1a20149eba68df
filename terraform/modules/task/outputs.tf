output "arn" {
  description = "ARN of the task definition, with its revision."
  value       = aws_ecs_task_definition.this.arn
}

output "containers" {
  description = "Definitions of the containers, as JSON."
  value       = aws_ecs_task_definition.this.container_definitions
}

output "size" {
  description = "Processor units and memory (MiB)."
  value       = { cpu = aws_ecs_task_definition.this.cpu, memory = aws_ecs_task_definition.this.memory }
}

output "policies" {
  description = "Every policy, as JSON."
  value = merge(
    {
      "trust/${var.name}-start" = aws_iam_role.execution.assume_role_policy
      "role/${var.name}-start"  = aws_iam_role_policy.execution.policy
      "trust/${var.name}"       = aws_iam_role.task.assume_role_policy
    },
    length(var.statements) > 0 ? { "role/${var.name}" = aws_iam_role_policy.task[0].policy } : {},
  )
}
