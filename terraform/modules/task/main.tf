locals {
  # Source: Amazon ECS Developer Guide, "Task CPU and memory".
  legal_memory = tomap({
    "256"   = tolist([512, 1024, 2048])
    "512"   = range(1024, 4096 + 1, 1024)
    "1024"  = range(2048, 8192 + 1, 1024)
    "2048"  = range(4096, 16384 + 1, 1024)
    "4096"  = range(8192, 30720 + 1, 1024)
    "8192"  = range(16384, 61440 + 1, 4096)
    "16384" = range(32768, 122880 + 1, 8192)
  })

  # ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST
  repositories = distinct([for container in var.containers :
    format("arn:aws:ecr:%s:%s:repository/%s",
      split(".", container.image)[3],
      split(".", container.image)[0],
      split("@", join("/", slice(split("/", container.image), 1, length(split("/", container.image)))))[0],
    )
  ])
  secrets    = distinct([for container in var.containers : container.secret_arn])
  log_groups = distinct([for container in var.containers : container.log_group])

  assume = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Else another account's tasks could be made to act with this role, by way of the service.
      Condition = {
        ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:${var.region}:${var.account_id}:*" }
        StringEquals = { "aws:SourceAccount" = var.account_id }
      }
    }]
  }

  # What ECS itself does to start the task; the containers do not have this role.
  execution = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Registry"
        Effect = "Allow"
        Action = ["ecr:GetAuthorizationToken"]
        # This action has no resource: the token is the account's.
        Resource = "*"
      },
      {
        Sid      = "Images"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = local.repositories
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for group in local.log_groups : "arn:aws:logs:${var.region}:${var.account_id}:log-group:${group}:log-stream:*"]
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.secrets
      },
      {
        Sid       = "Decrypt"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = var.key_arn
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
      },
    ]
  }

  task = { Version = "2012-10-17", Statement = [for statement in var.statements : jsondecode(statement)] }

  # Images have no `VOLUME` but /tmp, and their file systems are read-only: what is written goes to these.
  volumes = distinct(flatten([for container in var.containers : ["tmp-${container.name}", keys(container.mounts)]]))

  containers = [for container in var.containers : merge(
    {
      name                   = container.name
      image                  = container.image
      essential              = true
      user                   = "10001"
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] } }
      stopTimeout            = container.stop_timeout
      environment            = [for name, value in container.environment : { name = name, value = value }]
      secrets                = [for key in container.secrets : { name = key, valueFrom = "${container.secret_arn}:${key}::" }]
      portMappings           = container.port == null ? [] : [{ containerPort = container.port, hostPort = container.port, protocol = "tcp" }]
      dependsOn              = [for name in container.after : { containerName = name, condition = "HEALTHY" }]
      mountPoints = concat(
        [{ sourceVolume = "tmp-${container.name}", containerPath = "/tmp", readOnly = false }],
        [for volume, path in container.mounts : { sourceVolume = volume, containerPath = path, readOnly = false }],
      )
      # ECS does not look at an image's own health check.
      healthCheck = {
        command     = concat(["CMD"], container.health)
        interval    = 10
        timeout     = 10
        retries     = 3
        startPeriod = container.start_period
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          "awslogs-group"         = container.log_group
          "awslogs-region"        = var.region
          "awslogs-stream-prefix" = "task"
          # A part must not stand still because its log does.
          "mode" = "non-blocking"
        }
      }
    },
    container.entrypoint == null ? {} : { entryPoint = container.entrypoint },
    container.command == null ? {} : { command = container.command },
  )]
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-start"
  description        = "ECS starts ${var.name} with it: image, logs, secrets"
  assume_role_policy = jsonencode(local.assume)
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.name
  policy = jsonencode(local.execution)
}

resource "aws_iam_role" "task" {
  name               = var.name
  description        = "What ${var.name} may do itself"
  assume_role_policy = jsonencode(local.assume)
}

resource "aws_iam_role_policy" "task" {
  count = length(var.statements) > 0 ? 1 : 0

  name   = "work"
  role   = aws_iam_role.task.name
  policy = jsonencode(local.task)
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode(local.containers)

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  dynamic "volume" {
    for_each = toset(local.volumes)

    content {
      name = volume.value

      dynamic "efs_volume_configuration" {
        for_each = contains(keys(var.files), volume.value) ? [var.files[volume.value]] : []

        content {
          file_system_id     = efs_volume_configuration.value.file_system_id
          transit_encryption = "ENABLED"

          authorization_config {
            access_point_id = efs_volume_configuration.value.access_point_id
            iam             = "ENABLED"
          }
        }
      }
    }
  }

  # A role without its policy would let the first tasks fail.
  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.task]
}
