locals {
  groups = merge(
    {
      balancer  = "Load balancer: where clients come in"
      scheduler = "Scheduler"
      mds       = "Metadata store and KVS proxy"
      kvs       = "KVS nodes"
      executor  = "Executor function"
      invoker   = "Invoker function"
      endpoints = "Interface endpoints of AWS services"
    },
    var.container_mds ? { files = "File system of the metadata store" } : {},
  )

  # Who calls whom, each at one port. Nothing else passes, in either direction. AWS allows no apostrophe in a description.
  calls = merge(
    {
      balancer-scheduler = { from = "balancer", to = "scheduler", port = 50051, why = "Calls of clients, TLS taken off" }
      balancer-proxy     = { from = "balancer", to = "mds", port = 50052, why = "Uploads and results of clients, TLS taken off" }
      scheduler-mds      = { from = "scheduler", to = "mds", port = 6379, why = "Scheduler keeps jobs in the metadata store" }
      scheduler-proxy    = { from = "scheduler", to = "mds", port = 50052, why = "Scheduler asks the proxy for the ring" }
      scheduler-kvs      = { from = "scheduler", to = "kvs", port = 6379, why = "Scheduler removes values of jobs" }
      proxy-kvs          = { from = "mds", to = "kvs", port = 6379, why = "Proxy moves values for clients" }
      kvs-proxy          = { from = "kvs", to = "mds", port = 50052, why = "Nodes register and send heartbeats" }
      executor-mds       = { from = "executor", to = "mds", port = 6379, why = "Executors read graphs and report" }
      executor-kvs       = { from = "executor", to = "kvs", port = 6379, why = "Executors store and read values" }
      executor-proxy     = { from = "executor", to = "mds", port = 50052, why = "Wide fan-outs of executors" }
    },
    { for part in local.callers_of_aws :
      "${part}-endpoints" => { from = part, to = "endpoints", port = 443, why = "${part} calls AWS services inside the VPC" }
    },
    var.container_mds ? {
      mds-files = { from = "mds", to = "files", port = 2049, why = "Metadata store writes its append-only file" }
      } : {
      proxy-mds = { from = "mds", to = "mds", port = 6379, why = "Proxy keeps the ring in the metadata store" }
    },
  )

  callers_of_aws = ["scheduler", "mds", "kvs", "executor", "invoker"]
  listeners      = { scheduler = 443, proxy = 8443 }
  clients = {
    for pair in setproduct(keys(local.listeners), var.allowed_cidrs) : "${pair[0]}-${pair[1]}" => {
      port = local.listeners[pair[0]]
      cidr = pair[1]
      why  = "Clients call the ${pair[0]}"
    }
  }
}

# Groups are replaced before they are removed, since interfaces of functions hold on to the old ones for minutes.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:Each is attached, by its id, in the module of its part.
  for_each = local.groups

  name_prefix = "${var.name}-${each.key}-"
  description = each.value
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.clients

  security_group_id = aws_security_group.this["balancer"].id
  description       = each.value.why
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
}

resource "aws_vpc_security_group_ingress_rule" "calls" {
  for_each = local.calls

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = each.value.why
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = aws_security_group.this[each.value.from].id
}

resource "aws_vpc_security_group_egress_rule" "calls" {
  for_each = local.calls

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = each.value.why
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = aws_security_group.this[each.value.to].id
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = toset(["scheduler", "mds", "kvs"])

  security_group_id = aws_security_group.this[each.key].id
  description       = "Layers of images, from S3 by its gateway endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = var.s3_prefix_list_id
}

# With NAT, AWS services are reached through it, and tasks of users may call what they like over HTTPS.
resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = toset(var.internet ? local.callers_of_aws : [])

  security_group_id = aws_security_group.this[each.key].id
  description       = "HTTPS through NAT"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}
