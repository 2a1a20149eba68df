locals {
  port = 50051

  statements = [
    {
      Sid    = "FirstExecutors"
      Effect = "Allow"
      Action = ["lambda:InvokeFunction"]
      Resource = [for function in [var.executor_function, var.invoker_function] :
      "arn:aws:lambda:${var.region}:${var.account_id}:function:${function}"]
    },
    {
      Sid      = "LostExecutors"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
      Resource = ["arn:aws:sqs:${var.region}:${var.account_id}:${var.failure_queue.name}"]
    },
    {
      Sid       = "LostExecutorsAreEncrypted"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [var.key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "sqs.${var.region}.amazonaws.com" } }
    },
    {
      Sid       = "KvsNodes"
      Effect    = "Allow"
      Action    = ["ecs:DescribeServices", "ecs:UpdateService"]
      Resource  = ["arn:aws:ecs:${var.region}:${var.account_id}:service/${var.cluster_name}/${var.kvs.service}"]
      Condition = { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:${var.region}:${var.account_id}:cluster/${var.cluster_name}" } }
    },
  ]
}

module "task" {
  source = "../task"

  name         = "${var.name}-scheduler"
  region       = var.region
  account_id   = var.account_id
  cpu          = var.cpu
  memory       = var.memory
  architecture = var.architecture
  key_arn      = var.key_arn
  statements   = [for statement in local.statements : jsonencode(statement)]

  containers = [{
    name  = "scheduler"
    image = var.image
    port  = local.port
    environment = {
      WUKONG_STORE_USER           = "scheduler"
      WUKONG_MDS_ADDRESS          = var.mds_address
      WUKONG_PROXY_ADDRESS        = var.proxy_address
      WUKONG_PUBLIC_PROXY_ADDRESS = var.public_proxy_address
      WUKONG_EXECUTOR_FUNCTION    = var.executor_function
      WUKONG_INVOKER_FUNCTION     = var.invoker_function
      WUKONG_FAILURE_QUEUE        = var.failure_queue.url
      WUKONG_EXECUTOR_RUNTIME     = var.executor_runtime
      WUKONG_PARALLELISM          = tostring(var.parallelism)
      WUKONG_PRICES               = var.architecture
      WUKONG_INVOCATION_RATE      = tostring(var.invocation_rate)
      WUKONG_KVS_SERVICE          = "${var.cluster_name}/${var.kvs.service}"
      WUKONG_KVS_NODES            = tostring(var.kvs.nodes)
      WUKONG_KVS_MAX_NODES        = tostring(var.kvs.max_nodes)
      WUKONG_KVS_IDLE_SECONDS     = tostring(var.kvs.idle_seconds)
    }
    secret_arn = var.secret_arn
    secrets    = var.secret_variables
    health     = ["python", "-I", "-m", "wukong.rpc.serving", "127.0.0.1:${local.port}"]
    log_group  = var.log_group
  }]
}

resource "aws_ecs_service" "this" {
  name            = "${var.name}-scheduler"
  cluster         = var.cluster_arn
  task_definition = module.task.arn
  launch_type     = "FARGATE"
  desired_count   = 1

  # One scheduler at a time sweeps; jobs do not need it while it is away, and clients call again.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  availability_zone_rebalancing      = "DISABLED"

  health_check_grace_period_seconds = 120
  propagate_tags                    = "SERVICE"

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "scheduler"
    container_port   = local.port
  }

  service_registries {
    registry_arn = var.registry_arn
  }
}
