"""What must hold of everything that is on AWS: each function tells what does not. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator

from tests.terraform.policies import as_list, policies, roles
from tests.terraform.state import State, made_up

#: Actions that are of no one resource, so that `*` is all that can be written. Source: Service Authorization Reference.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"}

#: Part -> the functions that it may invoke. The proxy is in the task of the metadata store.
INVOKES = {
    "executor": {"executor", "invoker"},
    "invoker": {"executor"},
    "scheduler": {"executor", "invoker"},
    "mds": {"executor"},
}

#: Secret -> whose it is. Nobody on AWS reads the clients' token.
READERS = {"executor": {"executor"}, "scheduler": {"scheduler"}, "kvs-node": {"kvs"}, "mds": {"mds"}, "proxy": {"mds"}}

#: Where clients come in.
LISTENERS = {443, 8443}


def part_of(role: str) -> str:
    """wukong-dev-scheduler-start -> scheduler."""
    return role.removesuffix("-start").rpartition("-")[2]


def hidden(state: State) -> Iterator[str]:
    """A policy that only AWS would put together would escape all that follows."""
    for one in state.resources:
        if one.data and one.type == "aws_iam_policy_document":
            yield f"{one.address}: a policy that is not written with jsonencode()"


def foreign(state: State) -> Iterator[str]:
    """Policies of AWS's own name `*`, and change under our feet."""
    ours = {one.values["arn"] for one in state.of_type("aws_iam_policy")}
    for one in state.of_type("aws_iam_role_policy_attachment", "aws_iam_policy_attachment"):
        if one.values["policy_arn"] not in ours:
            yield f"{one.address}: the policy {one.values['policy_arn']} is not here"
    for one in state.of_type("aws_iam_role"):
        if one.values.get("managed_policy_arns"):
            yield f"{one.address}: managed policies"


def loose(state: State) -> Iterator[str]:
    """Actions are named; resources, too, where an action has any."""
    for policy in policies(state):
        for statement in policy.statements():
            where = f"{policy.holder.address}: {json.dumps(statement)}"
            actions = as_list(statement.get("Action"))
            if {"NotAction", "NotResource", "NotPrincipal"} & statement.keys() or not actions:
                yield f"{where}: it says what is not meant, instead of what is"
            if any("*" in action for action in actions):
                yield f"{where}: an action is not named"
            allowed = policy.of_role and statement["Effect"] == "Allow"
            if allowed and "*" in as_list(statement["Resource"]) and set(actions) - WITHOUT_RESOURCE:
                yield f"{where}: a resource is not named"


def open_to_others(state: State) -> Iterator[str]:
    """Resources are open to services, with a condition, or to the account itself; never to everybody."""
    for policy in policies(state):
        for statement in policy.statements():
            principal = statement.get("Principal")
            if principal is None or statement["Effect"] == "Deny":
                continue
            where = f"{policy.holder.address}: {json.dumps(statement)}"
            if principal == "*" or "*" in as_list(principal.get("AWS")):
                yield f"{where}: everybody"
            elif "Service" in principal and policy.holder.type != "aws_iam_role" and not statement.get("Condition"):
                yield f"{where}: a service, on behalf of whoever asks it"


def invocations(state: State) -> Iterator[str]:
    """Who may invoke what."""
    functions = {one.arn(): part_of(one.values["function_name"]) for one in state.of_type("aws_lambda_function")}
    if not functions:
        return
    found: dict[str, set[str]] = {}
    for role, held in roles(state).items():
        for arn in {arn for policy in held for arn in policy.allowed("lambda:InvokeFunction")}:
            found.setdefault(part_of(role), set()).add(functions.get(arn, arn))
    for part in sorted(found.keys() | INVOKES.keys()):
        if found.get(part) != INVOKES.get(part):
            yield f"{part} may invoke {sorted(found.get(part, ()))}, and should {sorted(INVOKES.get(part, ()))}"


def secrets(state: State) -> Iterator[str]:
    """Each part reads its own secret."""
    listed = state.of_type("aws_secretsmanager_secret")
    kept = {one.values["arn"]: one.values["name"].rpartition("/")[2] for one in listed}
    if not kept:
        return
    found: dict[str, set[str]] = {}
    for role, held in roles(state).items():
        for arn in {arn for policy in held for arn in policy.allowed("secretsmanager:GetSecretValue")}:
            found.setdefault(kept.get(arn, arn), set()).add(part_of(role))
    for secret in sorted(found.keys() | READERS.keys()):
        if found.get(secret) != READERS.get(secret):
            by, own = sorted(found.get(secret, ())), sorted(READERS.get(secret, ()))
            yield f"{secret} is read by {by}, and should by {own}"


def exposed(state: State) -> Iterator[str]:
    """Addresses come in at the load balancer's listeners and nowhere else; tasks have no public address."""
    doors = {one.values["id"] for one in state.of_type("aws_security_group") if one.address.endswith('["balancer"]')}
    for one in state.of_type("aws_vpc_security_group_ingress_rule"):
        ports = range(int(one.values["from_port"]), int(one.values["to_port"]) + 1)
        given = (one.values.get("cidr_ipv4"), one.values.get("cidr_ipv6"))
        cidr = next((address for address in given if address and not made_up(address)), None)
        if cidr and one.values["security_group_id"] not in doors:
            yield f"{one.address}: {cidr} reaches what is not the load balancer"
        if cidr and not set(ports) <= LISTENERS:
            yield f"{one.address}: {cidr} reaches ports {ports.start} to {ports.stop - 1}"
        if cidr and ipaddress.ip_network(cidr).prefixlen < 8:
            yield f"{one.address}: {cidr} is everybody"
        if len(ports) > 1:
            yield f"{one.address}: {len(ports)} ports"
    for one in state.of_type("aws_security_group", "aws_default_security_group"):
        if one.values.get("ingress") or one.values.get("egress"):
            yield f"{one.address}: rules that stand in the group"
    for one in state.of_type("aws_security_group_rule"):
        yield f"{one.address}: a rule of the old kind, at which nobody looks here"
    for one in state.of_type("aws_ecs_service"):
        if any(network["assign_public_ip"] for network in one.values["network_configuration"]):
            yield f"{one.address}: its tasks have public addresses"
    for one in state.of_type("aws_lb_listener"):
        if one.values["protocol"] != "TLS":
            yield f"{one.address}: no TLS"


RULES: tuple[Callable[[State], Iterator[str]], ...] = (
    hidden,
    foreign,
    loose,
    open_to_others,
    invocations,
    secrets,
    exposed,
)
