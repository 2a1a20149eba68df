"""What `terraform test -json -verbose` says would be on AWS. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Of an account that AWS uses in its own examples.
ACCOUNT, REGION = "123456789012", "us-east-1"

#: How ARNs look, by the type of the resource; the braces are arguments that it has. All others have one that is made of
#: their address.
_ARNS = {
    "aws_cloudwatch_log_group": "logs:{region}:{account}:log-group:{name}",
    "aws_ecr_repository": "ecr:{region}:{account}:repository/{name}",
    "aws_ecs_cluster": "ecs:{region}:{account}:cluster/{name}",
    "aws_ecs_service": "ecs:{region}:{account}:service/cluster/{name}",
    "aws_efs_access_point": "elasticfilesystem:{region}:{account}:access-point/fsap-0123456789abcdef0",
    "aws_efs_file_system": "elasticfilesystem:{region}:{account}:file-system/fs-0123456789abcdef0",
    "aws_iam_role": "iam::{account}:role/{name}",
    "aws_kms_key": "kms:{region}:{account}:key/01234567-89ab-cdef-0123-456789abcdef",
    "aws_lambda_function": "lambda:{region}:{account}:function:{function_name}",
    "aws_secretsmanager_secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
    "aws_sns_topic": "sns:{region}:{account}:{name}",
    "aws_sqs_queue": "sqs:{region}:{account}:{name}",
}


def made_up(value: object) -> bool:
    """Whether a mocked provider has made an attribute up that nobody has set."""
    return isinstance(value, str) and re.fullmatch("[a-z0-9]{8}", value) is not None


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, or one data source.

    Attributes:
        address: As Terraform writes it: module.kvs.aws_ecs_service.this["x"].
        type: aws_ecs_service.
        data: Whether it is a data source.
        values: Its arguments and attributes.
    """

    address: str
    type: str
    data: bool
    values: Mapping[str, Any]

    @property
    def module(self) -> str:
        """The module of the root that it is in, without index; empty for the root itself."""
        words = self.address.split(".")
        return words[1].partition("[")[0] if words[0] == "module" else ""

    def arn(self) -> str:
        """A name that AWS might give it."""
        name = self.values.get("name") or self.values.get("name_prefix") or self.address
        fields = {**self.values, "name": name, "region": REGION, "account": ACCOUNT}
        plain = re.sub(r"[^\w.-]", "-", self.address)
        return "arn:aws:" + _ARNS.get(self.type, "test:{region}:{account}:" + plain).format(**fields)


@dataclass(frozen=True, slots=True)
class State:
    """Everything of one root module.

    Attributes:
        resources: With data sources.
        outputs: Their values.
    """

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]

    @classmethod
    def of_test(cls, stream: str) -> State:
        """From what the last run of a test printed.

        Raises:
            AssertionError: The test failed.
        """
        messages = [json.loads(line) for line in stream.splitlines() if line.startswith("{")]
        failed = [one for one in messages if one.get("@level") == "error"]
        assert not failed, json.dumps(failed, indent=2)
        states = [one["test_state"] for one in messages if one["type"] == "test_state"]
        assert states, "no run of the test was an apply"
        found = states[-1]
        outputs = {name: one["value"] for name, one in found.get("outputs", {}).items()}
        return cls(tuple(_resources(found["root_module"])), outputs).with_arns()

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of some types."""
        return [one for one in self.resources if one.type in types and not one.data]

    def with_arns(self) -> State:
        """The same with ARNs where a mocked provider has put a few random letters, wherever they have got to.

        Each resource has letters of its own, so that what refers to one can be told from what refers to another.
        """
        known = {}
        for one in self.resources:
            if made_up(one.values.get("arn")):
                known[one.values["arn"]] = one.arn()
            if one.type == "aws_caller_identity":
                known[one.values["account_id"]] = ACCOUNT
            if one.type == "aws_region":
                known[one.values.get("region") or one.values["name"]] = REGION
        text = json.dumps([[one.address, one.type, one.data, one.values] for one in self.resources])
        outputs = json.dumps(self.outputs)
        for letters, arn in known.items():
            text, outputs = text.replace(letters, arn), outputs.replace(letters, arn)
        return State(tuple(Resource(*fields) for fields in json.loads(text)), json.loads(outputs))


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for one in module.get("resources", []):
        yield Resource(one["address"], one["type"], one["mode"] == "data", one["values"])
    for child in module.get("child_modules", []):
        yield from _resources(child)
