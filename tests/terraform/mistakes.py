"""Mistakes that somebody might make in terraform/, and what ought to catch each."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Check(enum.StrEnum):
    """What catches mistakes."""

    VALIDATE = "terraform validate"
    TEST = "terraform test"
    RULES = "the rules of tests/terraform"
    PARLIAMENT = "parliament"
    CHECKOV = "checkov"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One.

    Attributes:
        name: What it is, in a few words.
        check: What ought to catch it.
        module: Where it is made, a folder of terraform/.
        old: A text that is there once, in its main.tf.
        new: What is written instead.
        says: What the check complains then.
        run: Which run of `terraform test` does, where that is the check.
        root: The root module in which it is looked for.
    """

    name: str
    check: Check
    module: str
    old: str
    new: str
    says: str
    run: str = ""
    root: str = "environments/dev"


MISTAKES = (
    # What cannot be, whatever the values are.
    Mistake(
        "misspelt argument",
        Check.VALIDATE,
        "modules/functions",
        "  memory_size                    =",
        "  memory_sise                    =",
        'An argument named "memory_sise" is not expected here',
    ),
    Mistake(
        "missing required argument",
        Check.VALIDATE,
        "modules/task",
        "  family                   = var.name\n",
        "",
        'The argument "family" is required',
    ),
    Mistake(
        "wrong type",
        Check.VALIDATE,
        "modules/kvs",
        "    subnets          = var.subnet_ids",
        "    subnets          = var.security_group_id",
        'Inappropriate value for attribute "subnets"',
    ),
    Mistake(
        "reference to nothing",
        Check.VALIDATE,
        "modules/network",
        "aws_subnet.private[each.key].id",
        "aws_subnet.privat[each.key].id",
        "Reference to undeclared resource",
    ),
    # What is well-formed and does not work, or costs.
    Mistake(
        "retries of Lambda",
        Check.TEST,
        "modules/functions",
        "maximum_retry_attempts       = 0",
        "maximum_retry_attempts       = 2",
        "Lambda retries.",
        "functions_leave_recovery_to_wukong",
    ),
    Mistake(
        "reserved concurrency 0",
        Check.TEST,
        "modules/functions",
        "coalesce(local.sizes[each.key].reserved_concurrency, -1)",
        "0",
        "Concurrency is reserved, and nobody asked for it.",
        "functions_leave_recovery_to_wukong",
    ),
    Mistake(
        "subnets too small",
        Check.TEST,
        "modules/network",
        "cidrsubnet(var.cidr, 4, index)",
        "cidrsubnet(var.cidr, 8, index)",
        "/20 or larger",
        "functions_leave_recovery_to_wukong",
    ),
    Mistake(
        "number of KVS nodes that ignores its variable",
        Check.TEST,
        "modules/kvs",
        "desired_count    = var.nodes",
        "desired_count    = 1",
        "There are not as many KVS nodes as were asked for.",
        "counts_follow_the_variables",
    ),
    Mistake(
        "two metadata stores on one file",
        Check.TEST,
        "modules/mds",
        "deployment_maximum_percent         = 100",
        "deployment_maximum_percent         = 200",
        "A new metadata store would start before the old one has stopped.",
        "two_metadata_stores_never_run",
    ),
    Mistake(
        "illegal Fargate pair",
        Check.TEST,
        "environments/dev",
        "{ cpu = 256, memory = 1024 }",
        "{ cpu = 256, memory = 4096 }",
        "memory is not one of those that Fargate has for 256 processor units",
        "dev_is_small",
    ),
    Mistake(
        "missing endpoint",
        Check.TEST,
        "environments/prod",
        '  nat = "none"\n',
        '  nat = "none"\n  interface_endpoints = ["ecr.api", "ecr.dkr", "ecs", "lambda", "secretsmanager", "sqs"]\n',
        "Without NAT, private subnets need every one of",
        "prod_is_in_three_zones_without_a_way_out",
        root="environments/prod",
    ),
    Mistake(
        "image by its tag",
        Check.TEST,
        "modules/cluster",
        '  image                = var.images["wukong-scheduler"]',
        '  image                = "${split("@", var.images["wukong-scheduler"])[0]}:latest"',
        "image must be pinned by its digest",
        "containers_are_hardened_and_pinned",
    ),
    # What works, and lets somebody in.
    Mistake(
        "action *",
        Check.RULES,
        "modules/scheduler",
        '"sqs:DeleteMessage", "sqs:ReceiveMessage"',
        '"sqs:*"',
        "an action is not named",
    ),
    Mistake(
        "somebody else's secret",
        Check.RULES,
        "modules/cluster",
        'module.secrets.arns["kvs-node"]',
        'module.secrets.arns["scheduler"]',
        "scheduler is read by",
    ),
    Mistake(
        "a function that may invoke more",
        Check.RULES,
        "modules/functions",
        'invoker = ["executor"] }',
        'invoker = ["executor", "invoker"] }',
        "invoker may invoke",
    ),
    Mistake(
        "public Redis",
        Check.RULES,
        "modules/security-groups",
        '  security_group_id = aws_security_group.this["balancer"].id',
        '  security_group_id = aws_security_group.this["kvs"].id',
        "reaches what is not the load balancer",
    ),
    Mistake(
        "open port",
        Check.RULES,
        "modules/security-groups",
        "  from_port         = each.value.port\n  to_port           = each.value.port\n  cidr_ipv4",
        "  from_port         = 0\n  to_port           = 65535\n  cidr_ipv4",
        "reaches ports 0 to 65535",
    ),
    Mistake(
        "action that does not exist",
        Check.PARLIAMENT,
        "modules/scheduler",
        '"sqs:ReceiveMessage"',
        '"sqs:RecieveMessage"',
        "UNKNOWN_ACTION",
    ),
    Mistake(
        "tags that move",
        Check.CHECKOV,
        "modules/registry",
        'image_tag_mutability = "IMMUTABLE"',
        'image_tag_mutability = "MUTABLE"',
        "CKV_AWS_51",
    ),
    Mistake(
        "unencrypted volume",
        Check.CHECKOV,
        "modules/mds",
        "  encrypted  = true",
        "  encrypted  = false",
        "CKV_AWS_42",
    ),
    Mistake(
        "files that travel in the clear",
        Check.CHECKOV,
        "modules/task",
        'transit_encryption = "ENABLED"',
        'transit_encryption = "DISABLED"',
        "CKV_AWS_97",
    ),
    Mistake(
        "key that is never changed",
        Check.CHECKOV,
        "modules/encryption",
        "enable_key_rotation     = true",
        "enable_key_rotation     = false",
        "CKV_AWS_7",
    ),
)
