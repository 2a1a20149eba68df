"""What roles may do on AWS, on every policy that the roots would make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.terraform.policies import POLICIES, as_list, policies, roles
from tests.terraform.scanners import parliament
from tests.terraform.state import State

pytestmark = pytest.mark.terraform

#: Actions that are of no one resource, so that `*` is all that can be written. Source: the Service Authorization Reference.
WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
}

#: Part of a role's name -> which functions it may invoke. All others may invoke none.
INVOKES = {
    "executor": {"executor", "invoker"},
    "invoker": {"executor"},
    "scheduler": {"executor", "invoker"},
    "mds": {"executor"},  # the proxy is in this task
}

#: Secret -> whose it is. Nobody on AWS reads the clients' token.
READERS = {"executor": {"executor"}, "scheduler": {"scheduler"}, "kvs-node": {"kvs"}, "mds": {"mds"}, "proxy": {"mds"}}


def test_every_policy_is_read(state: State) -> None:
    """A policy that Terraform does not know before it is applied would escape the tests below."""
    found = {policy.holder.address for policy in policies(state)}
    held = {one.address for one in state.resources if not one.data and one.values.get(POLICIES.get(one.type, ""))}
    assert found == held
    assert found
    assert not any(one.type == "aws_iam_policy_document" for one in state.resources), "written with jsonencode()"


def test_nobody_brings_policies_that_are_not_here(state: State) -> None:
    """AWS's own policies name `*`, and change under our feet."""
    attached = state.of_type("aws_iam_role_policy_attachment", "aws_iam_policy_attachment")
    ours = {one.values["arn"] for one in state.of_type("aws_iam_policy")}
    assert {one.values["policy_arn"] for one in attached} <= ours
    assert not any(one.values.get("managed_policy_arns") for one in state.of_type("aws_iam_role"))


def test_actions_are_named(state: State) -> None:
    for policy in policies(state):
        for statement in policy.statements():
            where = f"{policy.holder.address}: {json.dumps(statement)}"
            assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys(), where
            assert not any("*" in action for action in as_list(statement["Action"])), where
            assert statement["Effect"] in ("Allow", "Deny"), where


def test_resources_are_named(state: State) -> None:
    for policy in policies(state):
        if not policy.of_role:
            continue
        for statement in policy.statements():
            if statement["Effect"] == "Allow" and "*" in as_list(statement["Resource"]):
                loose = set(as_list(statement["Action"])) - WITHOUT_RESOURCE
                assert not loose, f"{policy.holder.address}: {sorted(loose)} on everything"


def test_nobody_outside_is_let_in(state: State) -> None:
    """Resources are opened to services, with a condition, or to the account itself; never to the world."""
    for policy in policies(state):
        for statement in policy.statements():
            principal = statement.get("Principal")
            if principal is None or statement["Effect"] == "Deny":
                continue
            where = f"{policy.holder.address}: {json.dumps(statement)}"
            everybody = principal == "*" or "*" in as_list(principal.get("AWS"))
            assert not everybody or statement.get("Condition"), where
            if principal != "*" and "Service" in principal and policy.holder.type != "aws_iam_role":
                assert statement.get("Condition"), where


def part_of(role: str) -> str:
    """wukong-dev-scheduler-start -> scheduler."""
    return role.removesuffix("-start").rpartition("-")[2]


@pytest.mark.parametrize("root", ["environments/dev", "environments/prod"])
def test_who_may_invoke_what(states: dict[str, State], root: str) -> None:
    functions = {one.arn(): one.values["function_name"] for one in states[root].of_type("aws_lambda_function")}
    assert len(functions) == 2
    found: dict[str, set[str]] = {}
    for role, held in roles(states[root]).items():
        arns = {arn for policy in held for arn in policy.allowed("lambda:InvokeFunction")}
        if arns:
            assert arns <= functions.keys(), f"{role}: {arns - functions.keys()}"
            found[part_of(role)] = {functions[arn].rpartition("-")[2] for arn in arns}
    assert found == INVOKES


@pytest.mark.parametrize("root", ["environments/dev", "environments/prod"])
def test_each_part_reads_its_own_secret(states: dict[str, State], root: str) -> None:
    kept = states[root].of_type("aws_secretsmanager_secret")
    secrets = {one.values["arn"]: one.values["name"].rpartition("/")[2] for one in kept}
    readers: dict[str, set[str]] = {}
    for role, held in roles(states[root]).items():
        for arn in {arn for policy in held for arn in policy.allowed("secretsmanager:GetSecretValue")}:
            readers.setdefault(secrets[arn], set()).add(part_of(role))
    assert readers == READERS


def test_parliament_finds_nothing(state: State, tmp_path: Path) -> None:
    """Actions that there are not, resources that an action does not take, and patterns that went wrong elsewhere."""
    held = [policy for policy in policies(state) if policy.of_role]
    for number, policy in enumerate(held):
        (tmp_path / f"{number}.json").write_text(json.dumps(policy.document))
    findings = parliament(tmp_path) if held else []
    told = [(held[int(Path(one["location"]["filepath"]).stem)].holder.address, one) for one in findings]
    assert told == []
