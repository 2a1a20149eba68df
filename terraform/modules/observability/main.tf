locals {
  parts = ["executor", "invoker", "kvs-node", "mds", "proxy", "scheduler"]

  topic_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = ["sns:Publish"]
      Resource  = [aws_sns_topic.alarms.arn]
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  }

  alarms = merge(
    {
      executor-errors = {
        says       = "Invocations of the executor fail: look into its log, and into the scheduler's for why they were lost"
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", above = 10, periods = 1
        dimensions = { FunctionName = "${var.name}-executor" }
      }
      executor-throttles = {
        says       = "Lambda refuses executors: jobs are slower than they could be. Ask for a higher limit of concurrent executions"
        namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum", above = 100, periods = 3
        dimensions = { FunctionName = "${var.name}-executor" }
      }
      concurrency = {
        says       = "The account is close to its limit of concurrent executions"
        namespace  = "AWS/Lambda", metric = "ConcurrentExecutions", statistic = "Maximum", above = var.concurrency_alarm, periods = 1
        dimensions = {}
      }
      failures-unread = {
        says       = "Nobody reads the failure queue: the scheduler is not there, or may not"
        namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", above = 300, periods = 1
        dimensions = { QueueName = "${var.name}-failures" }
      }
      mds-memory = {
        says       = "The metadata store's task is almost full: writes will be refused, or it will be ended"
        namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Maximum", above = 85, periods = 3
        dimensions = { ClusterName = var.name, ServiceName = "${var.name}-mds" }
      }
      kvs-memory = {
        says       = "KVS nodes are almost full: jobs wait for room, then fail. Start more, or larger ones"
        namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Average", above = 85, periods = 3
        dimensions = { ClusterName = var.name, ServiceName = "${var.name}-kvs" }
      }
    },
    { for part, suffix in var.balancer.target_group_suffixes : "${part}-away" => {
      says       = "The ${part} does not answer the load balancer"
      namespace  = "AWS/NetworkELB", metric = "UnHealthyHostCount", statistic = "Maximum", above = 0, periods = 5
      dimensions = { LoadBalancer = var.balancer.arn_suffix, TargetGroup = suffix }
    } },
  )

  charts = [
    { title = "Executors", metrics = [
      ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", "${var.name}-executor", { stat = "Maximum" }],
      [".", "Invocations", ".", ".", { stat = "Sum", yAxis = "right" }],
      [".", "Errors", ".", ".", { stat = "Sum", yAxis = "right" }],
      [".", "Throttles", ".", ".", { stat = "Sum", yAxis = "right" }],
    ] },
    { title = "Time of executors, ms", metrics = [
      ["AWS/Lambda", "Duration", "FunctionName", "${var.name}-executor", { stat = "p50" }],
      ["...", { stat = "p99" }],
    ] },
    { title = "Memory of tasks, %", metrics = [for part in ["scheduler", "mds", "kvs"] :
      ["AWS/ECS", "MemoryUtilization", "ClusterName", var.name, "ServiceName", "${var.name}-${part}", { stat = "Maximum" }]
    ] },
    { title = "Processors of tasks, %", metrics = [for part in ["scheduler", "mds", "kvs"] :
      ["AWS/ECS", "CPUUtilization", "ClusterName", var.name, "ServiceName", "${var.name}-${part}", { stat = "Maximum" }]
    ] },
    { title = "Calls from outside", metrics = [
      ["AWS/NetworkELB", "ActiveFlowCount_TLS", "LoadBalancer", var.balancer.arn_suffix, { stat = "Average" }],
      [".", "ProcessedBytes_TLS", ".", ".", { stat = "Sum", yAxis = "right" }],
    ] },
    { title = "Executors lost", metrics = [
      ["AWS/SQS", "NumberOfMessagesSent", "QueueName", "${var.name}-failures", { stat = "Sum" }],
      [".", "ApproximateAgeOfOldestMessage", ".", ".", { stat = "Maximum", yAxis = "right" }],
    ] },
  ]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are worth keeping is the deployment's to say; they hold what tasks print.
  for_each = toset(local.parts)

  name              = "/wukong/${var.name}/${each.key}"
  retention_in_days = var.retention_days
  kms_key_id        = var.key_arn
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = jsonencode(local.topic_policy)
}

resource "aws_sns_topic_subscription" "emails" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 60
  evaluation_periods  = each.value.periods
  # Nothing runs most of the time.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, chart in local.charts : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = chart.title
        region  = var.region
        period  = 60
        view    = "timeSeries"
        metrics = chart.metrics
      }
    }]
  })
}
