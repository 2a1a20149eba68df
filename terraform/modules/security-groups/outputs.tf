output "ids" {
  description = "Part -> id of its security group."
  value       = { for part, group in aws_security_group.this : part => group.id }
}

output "calls" {
  description = "Who may call whom: name -> from, to, port and why."
  value       = local.calls
}

output "ingress_cidrs" {
  description = "Every rule that lets addresses in: part, port and block. Only the load balancer has any."
  value = [for key, rule in aws_vpc_security_group_ingress_rule.clients : {
    part = "balancer"
    port = rule.from_port
    cidr = rule.cidr_ipv4
  }]
}
