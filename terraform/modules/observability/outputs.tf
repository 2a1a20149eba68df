output "log_groups" {
  description = "Part -> name of its log group."
  value       = { for part, group in aws_cloudwatch_log_group.this : part => group.name }
}

output "retention_days" {
  description = "Part -> days for which its log is kept."
  value       = { for part, group in aws_cloudwatch_log_group.this : part => group.retention_in_days }
}

output "log_keys" {
  description = "Part -> key that its log is encrypted with."
  value       = { for part, group in aws_cloudwatch_log_group.this : part => group.kms_key_id }
}

output "alarms" {
  description = "Names of the alarms."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "topic_arn" {
  description = "Where alarms are told."
  value       = aws_sns_topic.alarms.arn
}

output "policies" {
  description = "Every policy, as JSON."
  value       = { "topic/alarms" = aws_sns_topic_policy.alarms.policy }
}
