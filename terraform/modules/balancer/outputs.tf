output "host" {
  description = "Host name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of that name, for alias records."
  value       = aws_lb.this.zone_id
}

output "target_groups" {
  description = "Part -> ARN of its target group. It is known once the part's listener is there, without which ECS refuses it."
  value       = { for part, group in aws_lb_target_group.this : part => group.arn }
  depends_on  = [aws_lb_listener.this]
}

output "arn_suffix" {
  description = "The load balancer in metrics."
  value       = aws_lb.this.arn_suffix
}

output "target_group_suffixes" {
  description = "Part -> its target group in metrics."
  value       = { for part, group in aws_lb_target_group.this : part => group.arn_suffix }
}

output "listeners" {
  description = "Part -> the port that clients call."
  value       = { for part, settings in local.parts : part => settings.listener }
}
