output "client" {
  description = "What a client, and the command line, need to know."
  value       = module.cluster.client
}

output "secrets" {
  description = "Part -> ARN of its secret, and the environment variables that each holds."
  value       = module.cluster.secrets
}

output "balancer" {
  description = "Host of the load balancer and its hosted zone, for an alias of one's own."
  value       = module.cluster.balancer
}

output "billed" {
  description = "How many there are of what AWS bills by the hour or month, but for containers."
  value       = module.cluster.billed
}

output "calls" {
  description = "Who may call whom: name -> from, to, port and why."
  value       = module.cluster.calls
}

output "policies" {
  description = "Every policy, as JSON."
  value       = module.cluster.policies
}

output "plan" {
  description = "What was chosen and what came of it, in numbers and words."
  value       = module.cluster.plan
}
