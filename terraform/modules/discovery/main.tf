# KVS nodes are not here: they register with the proxy themselves, since an answer of DNS holds at most eight.
resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.name}.internal"
  description = "Parts of ${var.name}"
  vpc         = var.vpc_id
}

resource "aws_service_discovery_service" "registered" {
  for_each = var.registered

  name          = each.key
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    # A task that comes in another's place has another address: callers must not hold on to the old one.
    dns_records {
      type = "A"
      ttl  = 5
    }
  }

  health_check_custom_config {
    failure_threshold = 1
  }
}

# ECS registers a task under one name only; the proxy runs in the metadata store's task.
resource "aws_service_discovery_service" "alias" {
  for_each = var.aliases

  name          = each.key
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "WEIGHTED"

    dns_records {
      type = "CNAME"
      ttl  = 60
    }
  }
}

resource "aws_service_discovery_instance" "alias" {
  for_each = var.aliases

  service_id  = aws_service_discovery_service.alias[each.key].id
  instance_id = each.key
  attributes  = { AWS_INSTANCE_CNAME = each.value }
}
