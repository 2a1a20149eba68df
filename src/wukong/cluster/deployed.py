"""A deployment on AWS in the place of an embedded cluster, for programs of the published `LocalCluster`."""

from __future__ import annotations

from contextlib import closing

from wukong.aws.deployment import Deployment
from wukong.client.address import locate
from wukong.client.connection import Connection
from wukong.client.kvs_scale import scale


class Deployed:
    """What a `Supervisor` is to a cluster, where nothing is to be supervised: it was there before, and stays.

    Args:
        root: Folder of the Terraform root that has made it.
        region: The region that it is believed to be in; None where nothing is believed.
        ecs_cluster: The same of its ECS cluster's name.
        kvs_nodes: KVS nodes that it shall have at least; None for any number.
        timeout: Seconds to go on trying while it does not answer.

    Attributes:
        address: "grpcs://host:port" of its scheduler.
        token: The bearer token of its calls.
        ca: The authority (PEM) that vouches for it; empty for a well-known public one.

    Raises:
        ValueError: The folder is none of Terraform's, or the deployment is another one than is believed.
        ClusterUnavailable: Nothing was applied there, it does not answer, or its nodes did not come in time.
        AccessDenied: The user's AWS credentials may not read the token.
    """

    def __init__(
        self, root: str, region: str | None, ecs_cluster: str | None, kvs_nodes: int | None, timeout: float
    ) -> None:
        there = Deployment.of(root)
        for name, given, own in (
            ("aws_region", region, there.region),
            ("ecs_cluster_name", ecs_cluster, there.ecs_cluster),
        ):
            if given is not None and given != own:
                raise ValueError(f"{name} is {given!r}, and that of the deployment in {root!r} is {own!r}")
        self.address, self.token, self.ca = there.address, there.token(), there.ca
        if kvs_nodes is not None:
            where = locate(self.address, self.token, self.ca or None)
            with closing(Connection(where.address, where.token, timeout, tls=where.tls)) as connection:
                scale(connection, kvs_nodes, at_least=True)

    def processes(self) -> list[tuple[str, int]]:
        """None of it runs here."""
        return []

    def check(self) -> None:
        """Nothing is known of it but what it answers."""

    def logs(self) -> dict[str, str]:
        """They are in CloudWatch."""
        return {}

    def close(self) -> None:
        """It stays."""
