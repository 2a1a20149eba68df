locals {
  parts = {
    scheduler = { listener = 443, port = 50051 }
    proxy     = { listener = 8443, port = 50052 }
  }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:Access logs of TLS listeners need a bucket, and tell less than the services' own logs.
  #checkov:skip=CKV_AWS_150:Protected where deletion_protection says so; dev is to be removed with one command.
  name                             = var.name
  load_balancer_type               = "network"
  internal                         = var.internal
  subnets                          = var.subnet_ids
  security_groups                  = [var.security_group_id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

resource "aws_lb_target_group" "this" {
  for_each = local.parts

  name        = "${var.name}-${each.key == "scheduler" ? "sched" : each.key}"
  vpc_id      = var.vpc_id
  target_type = "ip"
  # gRPC in the clear, on the last step in the VPC: the balancer would not look at a target's certificate anyway.
  protocol = "TCP"
  port     = each.value.port
  # Servers limit how often they are called from one address: each client counts for itself.
  preserve_client_ip   = "true"
  deregistration_delay = 30

  health_check {
    protocol            = "TCP"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "this" {
  for_each = local.parts

  load_balancer_arn = aws_lb.this.arn
  protocol          = "TLS"
  port              = each.value.listener
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  # gRPC is HTTP/2, and its clients hang up where that is not agreed on.
  alpn_policy = "HTTP2Only"

  # A TLS listener gives a connection up after 350 s of silence, which cannot be changed; clients and servers of Wukong
  # send keepalives every 30 s (src/wukong/rpc/limits.py).
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}
