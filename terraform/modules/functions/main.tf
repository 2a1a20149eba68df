locals {
  names = { executor = "${var.name}-executor", invoker = "${var.name}-invoker" }
  # Written out, not taken from the functions: the executor's role names the executor, which needs the role first.
  arns      = { for part, name in local.names : part => "arn:aws:lambda:${var.region}:${var.account_id}:function:${name}" }
  queue     = "${var.name}-failures"
  queue_arn = "arn:aws:sqs:${var.region}:${var.account_id}:${local.queue}"

  # Whom each may invoke.
  invokes = { executor = ["executor", "invoker"], invoker = ["executor"] }

  assume = { for part, arn in local.arns : part => {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  } }

  # What both have.
  common = { for part in keys(local.names) : part => [
    {
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [for other in local.invokes[part] : local.arns[other]]
    },
    {
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:${var.region}:${var.account_id}:log-group:${var.log_groups[part]}:log-stream:*"]
    },
    {
      # Lambda puts the function into the VPC with its role. It checks these for any interface of the account.
      Sid    = "Interfaces"
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = ["arn:aws:ec2:${var.region}:${var.account_id}:*/*"]
    },
    {
      Sid    = "LookAtInterfaces"
      Effect = "Allow"
      Action = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      # These actions have no resource.
      Resource = "*"
    },
    {
      # That is for Lambda alone, and not for the code that users send.
      Sid    = "NotByTheFunction"
      Effect = "Deny"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.arns[part] } }
    },
  ] }

  own = {
    invoker = []
    executor = [
      {
        Sid      = "OwnSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [var.secret_arn]
      },
      {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.key_arn]
        Condition = { StringEquals = {
          "kms:ViaService" = ["secretsmanager.${var.region}.amazonaws.com", "sqs.${var.region}.amazonaws.com"]
        } }
      },
      {
        Sid      = "Failures"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [local.queue_arn]
      },
      {
        Sid       = "EncryptFailures"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey"]
        Resource  = [var.key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${var.region}.amazonaws.com" } }
      },
    ]
  }

  policies = { for part in keys(local.names) : part => jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.common[part], local.own[part])
  }) }

  environment = {
    executor = {
      WUKONG_SECRETS_ARN       = var.secret_arn
      WUKONG_STORE_USER        = "executor"
      WUKONG_MDS_ADDRESS       = var.mds_address
      WUKONG_PROXY_ADDRESS     = var.proxy_address
      WUKONG_EXECUTOR_FUNCTION = local.names.executor
      WUKONG_INVOKER_FUNCTION  = local.names.invoker
      WUKONG_PARALLELISM       = tostring(var.parallelism)
    }
    invoker = {
      WUKONG_EXECUTOR_FUNCTION = local.names.executor
      WUKONG_INVOCATION_RATE   = tostring(var.invocation_rate)
    }
  }

  sizes = {
    executor = var.executor
    invoker  = { memory_mb = var.invoker.memory_mb, timeout = var.invoker.timeout, ephemeral_mb = 512, reserved_concurrency = null }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.names

  name               = each.value
  description        = "What the function ${each.value} may do"
  assume_role_policy = jsonencode(local.assume[each.key])
}

resource "aws_iam_role_policy" "this" {
  for_each = local.names

  name   = "work"
  role   = aws_iam_role.this[each.key].name
  policy = local.policies[each.key]
}

# Why an executor was lost, for the scheduler, which reads it at once. What nobody reads for a day is of no use: the
# executor's lease has run out long before.
resource "aws_sqs_queue" "failures" {
  name                              = local.queue
  kms_master_key_id                 = var.key_arn
  kms_data_key_reuse_period_seconds = 3600
  message_retention_seconds         = 86400
  visibility_timeout_seconds        = 60
  receive_wait_time_seconds         = 20
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:The executor's failures go to a queue by its event invoke config; the invoker's are made good by the scheduler's sweep.
  #checkov:skip=CKV_AWS_115:A reserved concurrency takes from all other functions of the account, so there is none unless it is asked for.
  #checkov:skip=CKV_AWS_173:The environment holds names and addresses; secrets are in Secrets Manager.
  #checkov:skip=CKV_AWS_50:Wukong's own reports say what executors do; traces would cost for each of thousands of invocations.
  #checkov:skip=CKV_AWS_272:Signing is for archives; these are images, pinned by digest.
  for_each = local.names

  function_name                  = each.value
  description                    = each.key == "executor" ? "Walks a part of a graph" : "Starts many executors at once"
  role                           = aws_iam_role.this[each.key].arn
  package_type                   = "Image"
  image_uri                      = var.images["wukong-${each.key}"]
  architectures                  = [var.architecture]
  memory_size                    = local.sizes[each.key].memory_mb
  timeout                        = local.sizes[each.key].timeout
  reserved_concurrent_executions = coalesce(local.sizes[each.key].reserved_concurrency, -1)

  ephemeral_storage {
    size = local.sizes[each.key].ephemeral_mb
  }

  environment {
    variables = local.environment[each.key]
  }

  vpc_config {
    subnet_ids         = var.subnets.ids
    security_group_ids = [var.security_group_ids[each.key]]
  }

  logging_config {
    log_format = "Text"
    log_group  = var.log_groups[each.key]
  }

  # Without the policy Lambda cannot put the function into the VPC.
  depends_on = [aws_iam_role_policy.this]
}

# Wukong starts lost executors again itself, by what their record says. A retry of Lambda's would only come in between,
# and what has waited for five minutes has been invoked again long ago.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.names

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 300

  dynamic "destination_config" {
    for_each = each.key == "executor" ? [aws_sqs_queue.failures.arn] : []

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }
}

# Executors start executors: after 16 in a row Lambda would take that for a mistake and stop them.
resource "aws_lambda_function_recursion_config" "this" {
  for_each = local.names

  function_name  = aws_lambda_function.this[each.key].function_name
  recursive_loop = "Allow"
}
