locals {
  # The rest is for the agent, for buffers of connections, and for what the server's allocator cannot use.
  store_mb = floor(var.memory * 0.8) - 128
}

module "task" {
  source = "../task"

  name         = "${var.name}-kvs"
  region       = var.region
  account_id   = var.account_id
  cpu          = var.cpu
  memory       = var.memory
  architecture = var.architecture
  key_arn      = var.key_arn

  containers = [{
    name  = "kvs-node"
    image = var.image
    port  = 6379
    environment = {
      WUKONG_STORE_USER = "node"
      # The one of the two in the image that speaks TLS.
      WUKONG_STORE_SERVER   = "redis-server"
      WUKONG_PROXY_ADDRESS  = var.proxy_address
      WUKONG_NODE_MEMORY_MB = tostring(local.store_mb)
    }
    secret_arn = var.secret_arn
    secrets    = var.secret_variables
    # It is healthy once it is in the ring.
    health       = ["python", "-I", "-m", "wukong_kvs_node.health"]
    start_period = 120
    log_group    = var.log_group
  }]
}

resource "aws_ecs_service" "this" {
  name            = "${var.name}-kvs"
  cluster         = var.cluster_arn
  task_definition = module.task.arn
  desired_count   = var.nodes

  # New nodes are in the ring before old ones go.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"

  capacity_provider_strategy {
    capacity_provider = var.spot ? "FARGATE_SPOT" : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  # The scheduler starts nodes for jobs and stops idle ones; an apply in between must not undo that.
  lifecycle {
    ignore_changes = [desired_count]
  }
}
