locals {
  container = var.engine == "container"
  proxy     = { port = 50052 }
  # The append-only file is written anew by a copy of the process, whose memory comes on top; and the proxy holds pieces
  # of the values that go through it.
  store_mb = floor(var.memory * 0.4)
  address  = local.container ? "127.0.0.1:6379" : "${one(aws_elasticache_replication_group.this[*].primary_endpoint_address)}:6379"

  invoke = jsonencode({
    Sid      = "WideFanOuts"
    Effect   = "Allow"
    Action   = ["lambda:InvokeFunction"]
    Resource = ["arn:aws:lambda:${var.region}:${var.account_id}:function:${var.executor_function}"]
  })

  mount = local.container ? [jsonencode({
    Sid       = "OwnFiles"
    Effect    = "Allow"
    Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    Resource  = [one(aws_efs_file_system.this[*].arn)]
    Condition = { ArnEquals = { "elasticfilesystem:AccessPointArn" = one(aws_efs_access_point.this[*].arn) } }
  })] : []

  store = {
    name       = "mds"
    image      = var.images["wukong-kvs-node"]
    entrypoint = ["python", "-m", "wukong_kvs_node.store", "--keep", "/var/lib/wukong"]
    port       = 6379
    environment = {
      WUKONG_STORE_USER = "node"
      # The one of the two in the image that speaks TLS.
      WUKONG_STORE_SERVER   = "redis-server"
      WUKONG_NODE_MEMORY_MB = tostring(local.store_mb)
    }
    secret_arn = var.secret_arns["mds"]
    secrets    = var.secret_variables["mds"]
    health     = ["python", "-I", "-m", "wukong_kvs_node.health", "--store-alone"]
    # It waits until the task before it has let go of the file, and then reads it.
    start_period = 300
    # Whatever is not on the disk yet shall get there.
    stop_timeout = 60
    mounts       = { files = "/var/lib/wukong" }
    log_group    = var.log_groups["mds"]
  }

  proxy_container = {
    name  = "proxy"
    image = var.images["wukong-kvs-proxy"]
    port  = local.proxy.port
    environment = {
      WUKONG_STORE_USER        = "proxy"
      WUKONG_MDS_ADDRESS       = local.address
      WUKONG_EXECUTOR_FUNCTION = var.executor_function
      WUKONG_INVOCATION_RATE   = tostring(var.invocation_rate)
    }
    secret_arn = var.secret_arns["proxy"]
    secrets    = var.secret_variables["proxy"]
    health     = ["python", "-I", "-m", "wukong.rpc.serving", "127.0.0.1:${local.proxy.port}"]
    after      = local.container ? ["mds"] : []
    log_group  = var.log_groups["proxy"]
  }
}

resource "aws_efs_file_system" "this" {
  count = local.container ? 1 : 0

  encrypted  = true
  kms_key_id = var.key_arn
  # No credits that run out under a busy metadata store; nothing is paid while it is idle.
  throughput_mode = "elastic"

  tags = { Name = "${var.name}-mds" }
}

resource "aws_efs_file_system_policy" "this" {
  count = local.container ? 1 : 0

  file_system_id = aws_efs_file_system.this[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTheTask"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${var.account_id}:role/${var.name}-mds" }
        Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
        Resource  = aws_efs_file_system.this[0].arn
        Condition = { ArnEquals = { "elasticfilesystem:AccessPointArn" = aws_efs_access_point.this[0].arn } }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientRootAccess", "elasticfilesystem:ClientWrite"]
        Resource  = aws_efs_file_system.this[0].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  # EFS refuses a policy that names a role which is not there.
  depends_on = [module.task]
}

resource "aws_efs_backup_policy" "this" {
  count = local.container ? 1 : 0

  file_system_id = aws_efs_file_system.this[0].id

  backup_policy {
    status = var.backup ? "ENABLED" : "DISABLED"
  }
}

resource "aws_efs_access_point" "this" {
  count = local.container ? 1 : 0

  file_system_id = aws_efs_file_system.this[0].id

  # The images' user.
  posix_user {
    uid = 10001
    gid = 10001
  }

  root_directory {
    path = "/mds"

    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "0700"
    }
  }

  tags = { Name = "${var.name}-mds" }
}

# One in each zone: the task may start in any.
resource "aws_efs_mount_target" "this" {
  count = local.container ? length(var.subnet_ids) : 0

  file_system_id  = aws_efs_file_system.this[0].id
  subnet_id       = var.subnet_ids[count.index]
  security_groups = [var.files_security_group_id]
}

# Not cluster mode: a script of Wukong changes several keys of a job, which must be on one node. Neither MemoryDB, which
# has no other mode. There is no append-only file: what survives a failover is what the replicas had.
resource "aws_elasticache_subnet_group" "this" {
  count = local.container ? 0 : 1

  name       = "${var.name}-mds"
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  count = local.container ? 0 : 1

  name        = "${var.name}-mds"
  family      = "valkey8"
  description = "Refuse what does not fit, and evict nothing"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:Failover is on where there is a node to take over, which elasticache.nodes says.
  count = local.container ? 0 : 1

  replication_group_id       = "${var.name}-mds"
  description                = "Metadata store of ${var.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.elasticache.node_type
  num_cache_clusters         = var.elasticache.nodes
  automatic_failover_enabled = var.elasticache.nodes > 1
  multi_az_enabled           = var.elasticache.nodes > 1
  parameter_group_name       = aws_elasticache_parameter_group.this[0].name
  subnet_group_name          = aws_elasticache_subnet_group.this[0].name
  security_group_ids         = [var.security_group_id]
  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  # Its users' passwords would stand in the state, so the group is made where the secrets are.
  user_group_ids           = [var.elasticache.user_group]
  snapshot_retention_limit = 1
  apply_immediately        = true
}

module "task" {
  source = "../task"

  name         = "${var.name}-mds"
  region       = var.region
  account_id   = var.account_id
  cpu          = var.cpu
  memory       = var.memory
  architecture = var.architecture
  containers   = concat(local.container ? [local.store] : [], [local.proxy_container])
  key_arn      = var.key_arn
  statements   = concat([local.invoke], local.mount)
  files = local.container ? {
    files = {
      file_system_id  = aws_efs_file_system.this[0].id
      access_point_id = aws_efs_access_point.this[0].id
    }
  } : {}
}

resource "aws_ecs_service" "this" {
  name            = "${var.name}-mds"
  cluster         = var.cluster_arn
  task_definition = module.task.arn
  launch_type     = "FARGATE"
  desired_count   = 1

  # The old task is stopped before the new one starts, and the new one's server waits for a lock on the file: two never
  # write to it.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  availability_zone_rebalancing      = "DISABLED"

  health_check_grace_period_seconds = 300
  propagate_tags                    = "SERVICE"

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "proxy"
    container_port   = local.proxy.port
  }

  service_registries {
    registry_arn = var.registry_arn
  }

  # A task in a zone without a mount target would not start.
  depends_on = [aws_efs_mount_target.this, aws_efs_file_system_policy.this]
}
