provider "aws" {
  region = var.region

  default_tags {
    tags = { Deployment = var.name }
  }
}

module "cluster" {
  source = "../../modules/cluster"

  name   = var.name
  region = var.region
  zones  = var.zones != null ? var.zones : [for letter in ["a", "b", "c"] : "${var.region}${letter}"]

  # Nothing of a job leaves the VPC: there is no way out.
  nat = "none"

  allowed_cidrs = var.allowed_cidrs
  internal      = var.internal

  certificate_arn       = var.certificate_arn
  certificate_authority = var.certificate_authority
  host                  = var.host

  architecture     = var.architecture
  images           = var.images
  executor_runtime = var.executor_runtime

  scheduler = { cpu = 1024, memory = 2048 }
  mds = {
    engine      = var.mds_engine
    cpu         = 2048
    memory      = 8192
    backup      = true
    elasticache = var.elasticache
  }
  executor = { memory_mb = 3072, timeout = 900, reserved_concurrency = var.reserved_concurrency }
  kvs = {
    nodes        = var.kvs_nodes
    max_nodes    = var.kvs_max_nodes
    cpu          = 2048
    memory       = 16384
    idle_seconds = 0
  }

  parallelism  = var.parallelism
  budget       = { limit_usd = var.budget_usd, emails = var.emails }
  alarm_emails = var.emails

  log_retention_days   = 90
  secret_recovery_days = 7
  container_insights   = true
  deletion_protection  = true
}
