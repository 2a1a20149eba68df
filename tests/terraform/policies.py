"""The policies of a root module, and what they allow to whom. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.terraform.state import Resource, State, made_up

#: Where the types of resources that have one keep a policy.
POLICIES = {
    "aws_iam_role_policy": "policy",
    "aws_iam_policy": "policy",
    "aws_iam_role": "assume_role_policy",
    "aws_ecr_repository_policy": "policy",
    "aws_efs_file_system_policy": "policy",
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_secretsmanager_secret_policy": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue_policy": "policy",
    "aws_vpc_endpoint": "policy",
}
#: Those which say what a role may do, and not who may use a resource.
OF_ROLES = ("aws_iam_role_policy", "aws_iam_policy")


@dataclass(frozen=True, slots=True)
class Policy:
    """One document.

    Attributes:
        holder: The resource that has it.
        document: It.
    """

    holder: Resource
    document: dict[str, Any]

    @property
    def of_role(self) -> bool:
        """Whether it says what a role may do."""
        return self.holder.type in OF_ROLES

    def statements(self) -> list[dict[str, Any]]:
        """Its statements, always as a list."""
        found: list[dict[str, Any]] = as_list(self.document["Statement"])
        return found

    def allowed(self, action: str) -> set[str]:
        """The resources for which it allows an action, which it must name."""
        return {
            resource
            for statement in self.statements()
            if statement["Effect"] == "Allow" and action in as_list(statement.get("Action"))
            for resource in as_list(statement.get("Resource"))
        }


def policies(state: State) -> Iterator[Policy]:
    """Every policy of a root module."""
    for one in state.resources:
        text = None if one.data else one.values.get(POLICIES.get(one.type, ""))
        if text and not made_up(text):
            yield Policy(one, json.loads(text))


def roles(state: State) -> dict[str, list[Policy]]:
    """The policies of each role, by the role's name."""
    found: dict[str, list[Policy]] = {role_name(role): [] for role in state.of_type("aws_iam_role")}
    named: dict[object, str] = {}
    for role in state.of_type("aws_iam_role"):
        named |= {role.values.get(key): role_name(role) for key in ("id", "name", "arn")}
    attached = {
        one.values["policy_arn"]: named[one.values["role"]] for one in state.of_type("aws_iam_role_policy_attachment")
    }
    for policy in policies(state):
        if policy.holder.type == "aws_iam_role_policy":
            found[named[policy.holder.values["role"]]].append(policy)
        elif policy.holder.type == "aws_iam_policy":
            found[attached[policy.holder.values["arn"]]].append(policy)
    return found


def role_name(role: Resource) -> str:
    """What a role is called, also where AWS adds something to it."""
    name: str = role.values.get("name") or role.values["name_prefix"]
    return name


def as_list(value: Any) -> list[Any]:
    """What may be written as one or as a list of them."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
