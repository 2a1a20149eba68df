# Nothing is asked of AWS: what it would answer is made up, and known when planning, so that plans can be read whole.
mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_resource "aws_lb" {
    defaults = {
      dns_name   = "wukong-0123456789abcdef.elb.us-east-1.amazonaws.com"
      arn_suffix = "net/wukong/0123456789abcdef"
    }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:wukong/part-AbCdEf" }
  }

  mock_resource "aws_efs_file_system" {
    defaults = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0123456789abcdef0" }
  }

  mock_resource "aws_efs_access_point" {
    defaults = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0" }
  }

  mock_resource "aws_elasticache_replication_group" {
    defaults = { primary_endpoint_address = "primary.wukong.use1.cache.amazonaws.com" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:wukong-alarms" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:123456789012:wukong-failures"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/wukong-failures"
    }
  }
}

variables {
  allowed_cidrs    = ["10.0.0.0/8", "192.168.7.0/24"]
  certificate_arn  = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
  executor_runtime = "{\"python\": \"3.11.9\", \"packages\": {\"dask\": \"2026.1.0\"}, \"functions\": []}"
  emails           = ["ops@example.com"]
  images = {
    wukong-executor  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-executor@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    wukong-invoker   = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-invoker@sha256:0000000000000000000000000000000000000000000000000000000000000002"
    wukong-scheduler = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-scheduler@sha256:0000000000000000000000000000000000000000000000000000000000000003"
    wukong-kvs-proxy = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-kvs-proxy@sha256:0000000000000000000000000000000000000000000000000000000000000004"
    wukong-kvs-node  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-kvs-node@sha256:0000000000000000000000000000000000000000000000000000000000000005"
  }
}

run "addresses_come_in_at_the_load_balancer_only" {
  command = plan

  assert {
    condition     = alltrue([for rule in output.plan.ingress : rule.part == "balancer" && contains([443, 8443], rule.port)])
    error_message = "Addresses are let in elsewhere than at the load balancer's listeners."
  }

  assert {
    condition     = length(output.plan.ingress) == 4 && toset([for rule in output.plan.ingress : rule.cidr]) == toset(var.allowed_cidrs)
    error_message = "The load balancer lets in others than allowed_cidrs."
  }
}

run "stores_take_calls_of_parts_only" {
  command = plan

  assert {
    condition     = toset([for call in values(output.calls) : call.from if call.port == 6379]) == toset(["scheduler", "mds", "executor"])
    error_message = "Others than scheduler, proxy and executors reach a Redis."
  }

  assert {
    condition     = alltrue([for call in values(output.calls) : can(regex("^[a-zA-Z0-9 ._:/()#,@+=&;!$*-]{11,255}$", call.why))])
    error_message = "A rule does not say why, or in letters that AWS refuses."
  }
}

run "what_is_kept_is_encrypted" {
  command = plan

  assert {
    condition     = output.plan.encryption.files == true
    error_message = "The metadata store's files are not encrypted."
  }

  assert {
    condition     = startswith(output.plan.encryption.queue, "arn:aws:kms:")
    error_message = "The failure queue has no key."
  }

  assert {
    condition     = alltrue([for key in values(output.plan.encryption.logs) : startswith(key, "arn:aws:kms:")])
    error_message = "A log has no key."
  }
}

run "roles_name_what_they_may" {
  command = plan

  assert {
    condition = alltrue(flatten([for name, policy in output.policies : [for statement in jsondecode(policy).Statement :
      [for action in flatten([statement.Action]) : !strcontains(action, "*")]
    ]]))
    error_message = "A policy has an action with *."
  }

  # What is left is what has no resource: tokens of ECR, and looking at network interfaces.
  assert {
    condition = alltrue(flatten([for name, policy in output.policies : [for statement in jsondecode(policy).Statement :
      [for action in flatten([statement.Action]) : contains(
        ["ecr:GetAuthorizationToken", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], action
      )] if startswith(name, "role/") && statement.Effect == "Allow" && try(contains(flatten([statement.Resource]), "*"), false)
    ]]))
    error_message = "A role has the resource * for an action that has resources."
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(output.policies["role/executor"]).Statement :
      statement.Resource if contains(flatten([statement.Action]), "lambda:InvokeFunction")
      ])) == toset([
      "arn:aws:lambda:us-east-1:123456789012:function:${var.name}-executor",
      "arn:aws:lambda:us-east-1:123456789012:function:${var.name}-invoker",
    ])
    error_message = "The executor may invoke others than itself and the invoker."
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(output.policies["role/invoker"]).Statement :
      statement.Resource if contains(flatten([statement.Action]), "lambda:InvokeFunction")
    ])) == toset(["arn:aws:lambda:us-east-1:123456789012:function:${var.name}-executor"])
    error_message = "The invoker may invoke others than the executor."
  }
}

run "functions_leave_recovery_to_wukong" {
  command = plan

  assert {
    condition     = alltrue([for function in values(output.plan.functions) : function.retries == 0 && function.event_age == 300])
    error_message = "Lambda retries."
  }

  assert {
    condition     = alltrue([for function in values(output.plan.functions) : function.recursive_loop == "Allow"])
    error_message = "Lambda would stop chains of executors."
  }

  assert {
    condition     = alltrue([for function in values(output.plan.functions) : function.reserved_concurrency == -1])
    error_message = "Concurrency is reserved, and nobody asked for it."
  }

  assert {
    condition     = output.plan.functions["executor"].timeout == 900 && output.plan.functions["executor"].memory_mb >= 2048
    error_message = "Executors have less than 15 minutes or 2 GB."
  }
}

run "containers_are_hardened_and_pinned" {
  command = plan

  assert {
    condition     = toset([for container in output.plan.containers : container.name]) == toset(["scheduler", "mds", "proxy", "kvs-node"])
    error_message = "A container is missing."
  }

  assert {
    condition = alltrue([for container in output.plan.containers :
      container.readonlyRootFilesystem && container.user == "10001" && container.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "A container may do more than it must."
  }

  assert {
    condition     = alltrue([for container in output.plan.containers : strcontains(container.image, "@sha256:")])
    error_message = "An image is not pinned."
  }

  assert {
    condition = alltrue([for container in output.plan.containers : alltrue([for variable in container.environment :
      !contains(["WUKONG_TOKEN", "WUKONG_SIGNING_KEY", "WUKONG_STORE_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS"], variable.name)
    ])])
    error_message = "A secret stands in a task definition."
  }

  assert {
    condition     = alltrue([for container in output.plan.containers : length(container.healthCheck.command) > 1])
    error_message = "A container has no health check."
  }
}

run "two_metadata_stores_never_run" {
  command = plan

  assert {
    condition     = output.plan.mds.least == 0 && output.plan.mds.most == 100 && output.plan.mds.desired == 1
    error_message = "A new metadata store would start before the old one has stopped."
  }
}

run "counts_follow_the_variables" {
  command = plan

  variables {
    kvs_nodes     = 7
    kvs_max_nodes = 9
  }

  assert {
    condition     = output.plan.kvs_nodes == 7
    error_message = "There are not as many KVS nodes as were asked for."
  }

  assert {
    condition = anytrue([for container in output.plan.containers : anytrue([for variable in container.environment :
      variable.name == "WUKONG_KVS_MAX_NODES" && variable.value == "9"
    ])])
    error_message = "The scheduler is not told how many nodes there may be."
  }
}

run "what_is_billed_is_counted" {
  command = plan

  assert {
    condition = output.billed == {
      load_balancer = 1, interface_endpoint = 21, nat_gateway = 0, public_address = 0,
      secret        = 6, alarm = 8, dashboard = 1, key = 1
    }
    error_message = "There is more, or less, to pay for than the README counts."
  }
}

run "a_client_is_told_what_it_needs" {
  command = plan

  assert {
    condition     = output.client.scheduler == "wukong-0123456789abcdef.elb.us-east-1.amazonaws.com:443"
    error_message = "The scheduler's address is not the load balancer's."
  }

  assert {
    condition = anytrue([for container in output.plan.containers : anytrue([for variable in container.environment :
      variable.name == "WUKONG_PUBLIC_PROXY_ADDRESS" && variable.value == output.client.proxy
    ])])
    error_message = "The scheduler tells clients another address of the proxy."
  }

  assert {
    condition     = toset(output.plan.names) == toset([for part in ["mds", "proxy", "scheduler"] : "${part}.${var.name}.internal"])
    error_message = "A part has no name inside the VPC."
  }
}

run "prod_is_in_three_zones_without_a_way_out" {
  command = plan

  assert {
    condition     = length(output.plan.nat_zones) == 0
    error_message = "There is a way out."
  }

  assert {
    condition     = output.plan.endpoints == tolist(["ecr.api", "ecr.dkr", "ecs", "lambda", "logs", "s3", "secretsmanager", "sqs"])
    error_message = "An endpoint is missing."
  }

  assert {
    condition     = length(output.plan.zones) == 3
    error_message = "There are not three zones."
  }
}

run "elasticache_instead_of_files" {
  command = plan

  variables {
    mds_engine  = "elasticache"
    elasticache = { node_type = "cache.t4g.medium", nodes = 2, user_group = "wukong" }
  }

  assert {
    condition     = toset([for container in output.plan.containers : container.name]) == toset(["scheduler", "proxy", "kvs-node"])
    error_message = "The metadata store still runs in a container."
  }

  assert {
    condition     = output.plan.encryption.files == true
    error_message = "ElastiCache is not encrypted."
  }
}

run "reserved_concurrency_is_what_was_asked_for" {
  command = plan

  variables {
    reserved_concurrency = 500
  }

  assert {
    condition     = output.plan.functions["executor"].reserved_concurrency == 500
    error_message = "Another concurrency is reserved than was asked for."
  }
}

run "everybody_is_not_allowed" {
  command = plan

  module {
    source = "../../modules/security-groups"
  }

  variables {
    name              = "wukong-test"
    vpc_id            = "vpc-0123456789abcdef0"
    allowed_cidrs     = ["0.0.0.0/0"]
    internet          = false
    s3_prefix_list_id = "pl-01234567"
    container_mds     = true
  }

  expect_failures = [var.allowed_cidrs]
}

run "fargate_has_not_every_size" {
  command = plan

  module {
    source = "../../modules/task"
  }

  variables {
    name         = "wukong-test"
    region       = "us-east-1"
    account_id   = "123456789012"
    cpu          = 256
    memory       = 4096
    architecture = "x86_64"
    containers   = []
    key_arn      = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [var.memory]
}

run "private_subnets_need_their_endpoints" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    name                       = "wukong-test"
    region                     = "us-east-1"
    zones                      = ["us-east-1a", "us-east-1b"]
    nat                        = "none"
    interface_endpoints        = ["ecr.api", "ecr.dkr", "ecs", "logs", "secretsmanager", "sqs"]
    endpoint_security_group_id = "sg-0123456789abcdef0"
  }

  expect_failures = [var.interface_endpoints]
}

run "one_zone_is_too_few" {
  command = plan

  module {
    source = "../../modules/network"
  }

  variables {
    name                       = "wukong-test"
    region                     = "us-east-1"
    zones                      = ["us-east-1a"]
    endpoint_security_group_id = "sg-0123456789abcdef0"
  }

  expect_failures = [var.zones]
}

run "functions_have_limits" {
  command = plan

  module {
    source = "../../modules/functions"
  }

  variables {
    name               = "wukong-test"
    region             = "us-east-1"
    account_id         = "123456789012"
    architecture       = "x86_64"
    executor           = { memory_mb = 20480, timeout = 900, reserved_concurrency = 0 }
    invoker            = { memory_mb = 1769, timeout = 1000 }
    subnets            = { ids = ["subnet-0123456789abcdef0"], cidrs = { us-east-1a = "10.0.0.0/24" } }
    security_group_ids = { executor = "sg-0123456789abcdef0", invoker = "sg-0123456789abcdef1" }
    log_groups         = { executor = "/wukong/test/executor", invoker = "/wukong/test/invoker" }
    secret_arn         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:wukong/part-AbCdEf"
    key_arn            = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    mds_address        = "mds.test.internal:6379"
    proxy_address      = "proxy.test.internal:50052"
    parallelism        = 10
    invocation_rate    = 100
  }

  expect_failures = [var.executor, var.invoker, var.subnets]
}

run "images_are_pinned" {
  command = plan

  module {
    source = "../../modules/cluster"
  }

  variables {
    name         = "wukong-test"
    region       = "us-east-1"
    zones        = ["us-east-1a", "us-east-1b"]
    nat          = "none"
    architecture = "x86_64"
    images = {
      wukong-executor  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-executor:latest"
      wukong-invoker   = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-invoker:latest"
      wukong-scheduler = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-scheduler:latest"
      wukong-kvs-proxy = "123456789012.dkr.ecr.us-east-1.amazonaws.com/wukong-kvs-proxy:latest"
    }
    scheduler            = { cpu = 256, memory = 512 }
    mds                  = { cpu = 256, memory = 1024 }
    kvs                  = { nodes = 1, max_nodes = 4, cpu = 512, memory = 2048, idle_seconds = 900 }
    executor             = { memory_mb = 2048, timeout = 900 }
    parallelism          = 100
    log_retention_days   = 7
    secret_recovery_days = 0
    budget               = { limit_usd = 100, emails = ["ops@example.com"] }
  }

  expect_failures = [var.images]
}
