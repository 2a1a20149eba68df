"""What runs in an ECS cluster, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wukong.aws import account

#: How many services ECS describes at once.
_AT_ONCE = 10
#: Units of a vCPU and of a GB, as task definitions have them.
_CPU, _MEMORY = 1024, 1024


@dataclass(frozen=True, slots=True)
class Containers:
    """The tasks of one service.

    Attributes:
        service: Its name.
        tasks: How many there shall be.
        vcpus: Of one task.
        gb: Memory of one task.
        architecture: Of its processors, as ECS names it.
    """

    service: str
    tasks: int
    vcpus: float
    gb: float
    architecture: str


def containers(cluster: str, region: str) -> list[Containers]:
    """The tasks of each service of a cluster, by the services' names.

    Raises:
        AccessDenied: The user's credentials may not look.
        ClusterUnavailable: AWS does not answer, or there is no such cluster.
    """
    permission = "ecs:ListServices, ecs:DescribeServices and ecs:DescribeTaskDefinition"
    what = f"it cannot be seen what runs in the ECS cluster {cluster!r}"
    with account.asking(what, permission), account.client("ecs", region) as ecs:
        names = [
            name
            for page in ecs.get_paginator("list_services").paginate(cluster=cluster)
            for name in page["serviceArns"]
        ]
        return sorted(_containers(ecs, cluster, names), key=lambda found: found.service)


def _containers(ecs: Any, cluster: str, names: list[str]) -> Iterator[Containers]:
    for start in range(0, len(names), _AT_ONCE):
        described = ecs.describe_services(cluster=cluster, services=names[start : start + _AT_ONCE])
        for service in described["services"]:
            made_of = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            yield Containers(
                service["serviceName"],
                service["desiredCount"],
                int(made_of.get("cpu") or 0) / _CPU,
                int(made_of.get("memory") or 0) / _MEMORY,
                made_of.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
            )
