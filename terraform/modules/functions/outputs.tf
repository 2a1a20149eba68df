output "names" {
  description = "Part -> name of its function."
  value       = local.names
}

output "failure_queue" {
  description = "The executor's destination on failure."
  value       = { url = aws_sqs_queue.failures.url, name = local.queue }
}

output "limits" {
  description = "Part -> what its function may take, and how its events are treated."
  value = { for part, function in aws_lambda_function.this : part => {
    memory_mb            = function.memory_size
    timeout              = function.timeout
    ephemeral_mb         = function.ephemeral_storage[0].size
    reserved_concurrency = function.reserved_concurrent_executions
    retries              = aws_lambda_function_event_invoke_config.this[part].maximum_retry_attempts
    event_age            = aws_lambda_function_event_invoke_config.this[part].maximum_event_age_in_seconds
    recursive_loop       = aws_lambda_function_recursion_config.this[part].recursive_loop
  } }
}

output "queue_key" {
  description = "Key that the failure queue is encrypted with."
  value       = aws_sqs_queue.failures.kms_master_key_id
}

output "policies" {
  description = "Every policy, as JSON."
  value = merge(
    { for part, role in aws_iam_role.this : "trust/${part}" => role.assume_role_policy },
    { for part, policy in aws_iam_role_policy.this : "role/${part}" => policy.policy },
  )
}
