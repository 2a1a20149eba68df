output "client" {
  description = "What a client, and the command line, need to know."
  value = {
    name              = var.name
    region            = var.region
    scheduler         = "${local.host}:${module.balancer.listeners["scheduler"]}"
    proxy             = "${local.host}:${module.balancer.listeners["proxy"]}"
    ca                = var.certificate_authority
    token_secret      = module.secrets.arns["token"]
    ecs_cluster       = aws_ecs_cluster.this.name
    kvs_service       = module.kvs.service
    executor_function = module.functions.names["executor"]
    invoker_function  = module.functions.names["invoker"]
  }
}

output "secrets" {
  description = "Part -> ARN of its secret, for what fills them; and the environment variables that each holds."
  value       = { arns = module.secrets.arns, variables = module.secrets.variables }
}

output "balancer" {
  description = "Host of the load balancer and its hosted zone, for an alias of one's own."
  value       = { host = module.balancer.host, zone_id = module.balancer.zone_id }
}

output "billed" {
  description = "How many there are of what AWS bills by the hour or month, but for containers."
  value = {
    load_balancer = 1
    # One in each subnet; that of S3 costs nothing.
    interface_endpoint = length(var.interface_endpoints) * length(var.zones)
    nat_gateway        = length(module.network.nat_zones)
    public_address     = length(module.network.nat_zones) + (var.internal ? 0 : length(var.zones))
    secret             = length(module.secrets.arns)
    alarm              = length(module.observability.alarms)
    dashboard          = 1
    key                = 1
  }
}

output "calls" {
  description = "Who may call whom: name -> from, to, port and why."
  value       = module.security_groups.calls
}

output "policies" {
  description = "Every policy, as JSON."
  value = merge(
    module.encryption.policies, module.functions.policies, module.kvs.policies, module.mds.policies,
    module.observability.policies, module.scheduler.policies,
  )
}

output "plan" {
  description = "What was chosen and what came of it, in numbers and words, for tests and for whoever reads a plan."
  value = {
    ingress    = module.security_groups.ingress_cidrs
    endpoints  = module.network.endpoints
    nat_zones  = module.network.nat_zones
    zones      = var.zones
    names      = module.discovery.names
    kvs_nodes  = module.kvs.desired_count
    sizes      = { scheduler = module.scheduler.size, mds = module.mds.size, kvs = module.kvs.size }
    containers = concat(jsondecode(module.scheduler.containers), jsondecode(module.mds.containers), jsondecode(module.kvs.containers))
    mds        = module.mds.deployment
    functions  = module.functions.limits
    logs       = module.observability.retention_days
    alarms     = module.observability.alarms
    budget     = module.budget.limit
    encryption = {
      files = module.mds.encryption
      queue = module.functions.queue_key
      logs  = module.observability.log_keys
    }
  }
}
