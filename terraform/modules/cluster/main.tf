data "aws_caller_identity" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  container  = var.mds.engine == "container"
  # Names are written out where what they name does not exist yet: the executor's role names the queue, the scheduler's
  # names the service of the KVS nodes.
  domain        = "${var.name}.internal"
  proxy_address = "proxy.${local.domain}:50052"
  # A certificate of ElastiCache is for its own name, not for the alias.
  mds_address = local.container ? "mds.${local.domain}:6379" : "${module.mds.endpoint}:6379"
  host        = coalesce(var.host, module.balancer.host)
}

module "encryption" {
  source = "../encryption"

  name       = var.name
  region     = var.region
  account_id = local.account_id
}

module "network" {
  source = "../network"

  name                       = var.name
  region                     = var.region
  cidr                       = var.cidr
  zones                      = var.zones
  nat                        = var.nat
  interface_endpoints        = var.interface_endpoints
  endpoint_security_group_id = module.security_groups.ids["endpoints"]
}

module "security_groups" {
  source = "../security-groups"

  name              = var.name
  vpc_id            = module.network.vpc_id
  allowed_cidrs     = var.allowed_cidrs
  internet          = var.nat != "none"
  s3_prefix_list_id = module.network.s3_prefix_list_id
  container_mds     = local.container
}

module "secrets" {
  source = "../secrets"

  name          = var.name
  key_arn       = module.encryption.key_arn
  recovery_days = var.secret_recovery_days
}

module "discovery" {
  source = "../discovery"

  name       = var.name
  vpc_id     = module.network.vpc_id
  registered = local.container ? ["mds", "scheduler"] : ["proxy", "scheduler"]
  aliases    = local.container ? { proxy = "mds.${local.domain}" } : { mds = module.mds.endpoint }
}

module "balancer" {
  source = "../balancer"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = var.internal ? module.network.private_subnet_ids : module.network.public_subnet_ids
  security_group_id   = module.security_groups.ids["balancer"]
  internal            = var.internal
  certificate_arn     = var.certificate_arn
  deletion_protection = var.deletion_protection
}

module "observability" {
  source = "../observability"

  name           = var.name
  region         = var.region
  account_id     = local.account_id
  key_arn        = module.encryption.key_arn
  retention_days = var.log_retention_days
  emails         = var.alarm_emails
  # A job may use what it is allowed to; more than that is somebody else, or several jobs.
  concurrency_alarm = ceil(var.parallelism * 0.9)
  balancer = {
    arn_suffix            = module.balancer.arn_suffix
    target_group_suffixes = module.balancer.target_group_suffixes
  }
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Metrics of every task cost more than the tasks of a small deployment; container_insights turns them on.
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

module "functions" {
  source = "../functions"

  name               = var.name
  region             = var.region
  account_id         = local.account_id
  images             = var.images
  architecture       = var.architecture
  executor           = var.executor
  invoker            = var.invoker
  subnets            = { ids = module.network.private_subnet_ids, cidrs = module.network.private_cidrs }
  security_group_ids = module.security_groups.ids
  log_groups         = module.observability.log_groups
  secret_arn         = module.secrets.arns["executor"]
  key_arn            = module.encryption.key_arn
  mds_address        = local.mds_address
  proxy_address      = local.proxy_address
  parallelism        = var.parallelism
  invocation_rate    = var.invocation_rate
}

module "mds" {
  source = "../mds"

  name                    = var.name
  region                  = var.region
  account_id              = local.account_id
  engine                  = var.mds.engine
  cluster_arn             = aws_ecs_cluster.this.arn
  subnet_ids              = module.network.private_subnet_ids
  security_group_id       = module.security_groups.ids["mds"]
  files_security_group_id = lookup(module.security_groups.ids, "files", null)
  cpu                     = var.mds.cpu
  memory                  = var.mds.memory
  architecture            = var.architecture
  images                  = var.images
  secret_arns             = module.secrets.arns
  secret_variables        = module.secrets.variables
  key_arn                 = module.encryption.key_arn
  log_groups              = module.observability.log_groups
  target_group_arn        = module.balancer.target_groups["proxy"]
  registry_arn            = module.discovery.registries[local.container ? "mds" : "proxy"]
  executor_function       = module.functions.names["executor"]
  invocation_rate         = var.invocation_rate
  backup                  = var.mds.backup
  elasticache             = var.mds.elasticache
}

module "kvs" {
  source = "../kvs"

  name              = var.name
  region            = var.region
  account_id        = local.account_id
  cluster_arn       = aws_ecs_cluster.this.arn
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.security_groups.ids["kvs"]
  nodes             = var.kvs.nodes
  cpu               = var.kvs.cpu
  memory            = var.kvs.memory
  spot              = var.kvs.spot
  architecture      = var.architecture
  image             = var.images["wukong-kvs-node"]
  secret_arn        = module.secrets.arns["kvs-node"]
  secret_variables  = module.secrets.variables["kvs-node"]
  key_arn           = module.encryption.key_arn
  log_group         = module.observability.log_groups["kvs-node"]
  proxy_address     = local.proxy_address

  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

module "scheduler" {
  source = "../scheduler"

  name                 = var.name
  region               = var.region
  account_id           = local.account_id
  cluster_name         = var.name
  cluster_arn          = aws_ecs_cluster.this.arn
  subnet_ids           = module.network.private_subnet_ids
  security_group_id    = module.security_groups.ids["scheduler"]
  cpu                  = var.scheduler.cpu
  memory               = var.scheduler.memory
  architecture         = var.architecture
  image                = var.images["wukong-scheduler"]
  executor_runtime     = var.executor_runtime
  secret_arn           = module.secrets.arns["scheduler"]
  secret_variables     = module.secrets.variables["scheduler"]
  key_arn              = module.encryption.key_arn
  log_group            = module.observability.log_groups["scheduler"]
  target_group_arn     = module.balancer.target_groups["scheduler"]
  registry_arn         = module.discovery.registries["scheduler"]
  mds_address          = local.mds_address
  proxy_address        = local.proxy_address
  public_proxy_address = "${local.host}:${module.balancer.listeners["proxy"]}"
  executor_function    = module.functions.names["executor"]
  invoker_function     = module.functions.names["invoker"]
  failure_queue        = module.functions.failure_queue
  parallelism          = var.parallelism
  invocation_rate      = var.invocation_rate
  kvs = {
    service      = module.kvs.service
    nodes        = max(1, var.kvs.nodes)
    max_nodes    = var.kvs.max_nodes
    idle_seconds = var.kvs.idle_seconds
  }
}

module "budget" {
  source = "../budget"

  name      = var.name
  limit_usd = var.budget.limit_usd
  emails    = var.budget.emails
}
