"""The secrets of a deployment in Secrets Manager, and the parts that have to start again when those change."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.failed import Failed
from deploy.secrets import CERTIFICATE, contents
from wukong.cluster import certificates


def fill(
    arns: Mapping[str, str], variables: Mapping[str, Sequence[str]], client: Mapping[str, str], *, rotate: bool
) -> tuple[list[str], bool]:
    """Give the secrets what they have to hold.

    Args:
        arns: The secret of each part, and the clients', as the environment's output `secrets` has them.
        variables: The environment variables that each part's secret holds, from there too.
        client: The environment's output of that name.
        rotate: Whether to make all of it anew.

    Returns:
        The parts whose secret is another one now, and whether one of them held anything before.

    Raises:
        Failed: Environment and program do not agree on what there is to be.
    """
    manager = boto3.client("secretsmanager", region_name=client["region"])
    found = {part: text for part, arn in arns.items() if (text := _value(manager, arn)) is not None}
    wanted = contents({} if rotate else found, variables, secrets.token_hex, lambda: certificate(client["name"]))
    if wanted.keys() != arns.keys():
        raise Failed(f"there are secrets for {', '.join(sorted(arns))}, and needed are {', '.join(sorted(wanted))}")
    changed = [part for part in sorted(wanted) if wanted[part] != found.get(part)]
    for part in changed:
        manager.put_secret_value(SecretId=arns[part], SecretString=wanted[part])
    return changed, any(part in found for part in changed)


def certificate(name: str) -> dict[str, str]:
    """The stores' certificate, for all names of a deployment inside its VPC, by the names of variables.

    Nobody keeps the authority's key: what comes next is of another authority, and everybody is told.

    Raises:
        WukongError: There is no `openssl`.
    """
    with tempfile.TemporaryDirectory(prefix="wukong-certificate-") as temporary:
        certificates.make(Path(temporary), [f"*.{name}.internal", *certificates.NAMES], certificates.AUTHORITY_DAYS)
        files = (*certificates.SERVER, certificates.AUTHORITY[0])
        return {name: (Path(temporary) / file).read_text() for name, file in zip(CERTIFICATE, files, strict=True)}


def _value(manager: Any, arn: str) -> str | None:
    try:
        text: str = manager.get_secret_value(SecretId=arn)["SecretString"]
    except ClientError as error:
        # A secret without a value is not found, either.
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return text


def start_again(client: Mapping[str, str]) -> list[str]:
    """Start all services and both functions anew, given the environment's output `client`: secrets are read at starts.

    Returns the names of what was started.
    """
    ecs = boto3.client("ecs", region_name=client["region"])
    started = []
    for page in ecs.get_paginator("list_services").paginate(cluster=client["ecs_cluster"]):
        for arn in page["serviceArns"]:
            ecs.update_service(cluster=client["ecs_cluster"], service=arn, forceNewDeployment=True)
            started.append(arn.rpartition("/")[2])
    functions = boto3.client("lambda", region_name=client["region"])
    for name in (client["executor_function"], client["invoker_function"]):
        # Whatever is changed of a function, its environments are new ones from then on.
        functions.update_function_configuration(FunctionName=name, Description=f"Secrets of {secrets.token_hex(4)}")
        started.append(name)
    return started
