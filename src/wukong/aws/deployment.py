"""A deployment on AWS, as the Terraform root tells of it that made it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from wukong.aws import account, terraform
from wukong.errors import ClusterUnavailable

#: The output that has it.
OUTPUT = "client"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it is and what it is called.

    Attributes:
        name: What the names of all its parts begin with.
        region: AWS's name of the region.
        scheduler: host:port, with TLS.
        proxy: The same, of the KVS proxy.
        ca: The authority (PEM) that vouches for both; empty for a well-known public one.
        token_secret: ARN of the secret that is its token.
        ecs_cluster: Name of the ECS cluster.
        kvs_service: Name of the KVS nodes' service in it.
        executor_function: Name of the executor function.
        invoker_function: Name of the invoker function.
        billed: What of it is billed by the hour whatever it does, beside its containers: how many of each, by the names
            of `wukong.aws.price_table`.
    """

    name: str
    region: str
    scheduler: str
    proxy: str
    ca: str
    token_secret: str
    ecs_cluster: str
    kvs_service: str
    executor_function: str
    invoker_function: str
    billed: Mapping[str, float]

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> Deployment:
        """The deployment that a Terraform root has made.

        Args:
            folder: The root's, such as terraform/environments/dev.

        Raises:
            ValueError: It is none of Terraform's.
            ClusterUnavailable: Nothing was applied there, or no Wukong.
        """
        return cls.read(terraform.outputs(folder), str(folder))

    @classmethod
    def read(cls, outputs: Mapping[str, Any], folder: str) -> Deployment:
        """The same, from the outputs of that root. Pure."""
        told = outputs.get(OUTPUT)
        if not isinstance(told, dict):
            raise ClusterUnavailable(
                f"the root {folder!r} has no output {OUTPUT!r}: it is none of those that make a Wukong "
                f"(terraform/environments), or is older than this client. Its outputs are {', '.join(sorted(outputs))}"
            )
        names = [field.name for field in fields(cls) if field.name != "billed"]
        missing = [name for name in names if not isinstance(told.get(name), str)]
        if missing:
            raise ClusterUnavailable(
                f"the output {OUTPUT!r} of the root {folder!r} lacks {', '.join(missing)}; apply the root of the "
                "release that this client is of"
            )
        billed = outputs.get("billed") or {}
        return cls(**{name: told[name] for name in names}, billed={name: float(n) for name, n in billed.items()})

    @property
    def address(self) -> str:
        """The scheduler's, as clients are given it."""
        return f"grpcs://{self.scheduler}"

    def token(self) -> str:
        """The clients' token, read with the user's AWS credentials.

        Raises:
            AccessDenied: They may not read it, or there are none.
            ClusterUnavailable: It is not there, or AWS does not answer.
        """
        what = f"the token of {self.name!r} cannot be read from the secret {self.token_secret!r}"
        with (
            account.asking(what, "secretsmanager:GetSecretValue on it"),
            account.client("secretsmanager", self.region) as secrets,
        ):
            answer = secrets.get_secret_value(SecretId=self.token_secret)
        return str(answer["SecretString"]).strip()
