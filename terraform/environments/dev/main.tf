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
  zones  = var.zones != null ? var.zones : [for letter in ["a", "b"] : "${var.region}${letter}"]

  # Cheaper by the hour than seven interface endpoints in two zones.
  nat                 = "single"
  interface_endpoints = []

  allowed_cidrs = var.allowed_cidrs
  internal      = var.internal

  certificate_arn       = var.certificate_arn
  certificate_authority = var.certificate_authority
  host                  = var.host

  architecture     = var.architecture
  images           = var.images
  executor_runtime = var.executor_runtime

  scheduler = { cpu = 256, memory = 512 }
  mds       = { cpu = 256, memory = 1024 }
  executor  = { memory_mb = 2048, timeout = 900 }
  kvs = {
    nodes        = var.kvs_nodes
    max_nodes    = var.kvs_max_nodes
    cpu          = 512
    memory       = 2048
    idle_seconds = 900
    # What a node takes along when it is taken away, executors compute again.
    spot = true
  }

  parallelism  = var.parallelism
  budget       = { limit_usd = var.budget_usd, emails = var.emails }
  alarm_emails = var.emails

  log_retention_days   = 7
  secret_recovery_days = 0
}
