"""What the tests have in an account of moto's, and how they look at it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

REGION = "eu-central-1"
CLUSTER, SERVICE = "wukong-test", "wukong-test-kvs"


class Amazon:
    """An account.

    Args:
        url: Where moto serves it.
        session: Of boto3, which leads there.
    """

    def __init__(self, url: str, session: Any) -> None:
        self.url = url
        self._session = session
        self._clients: dict[str, Any] = {}

    def empty(self) -> None:
        """Remove all that is in it."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")):
            pass

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def secret(self, value: str | Mapping[str, str], name: str = "the-secret") -> str:
        """Make a secret; returns its ARN."""
        text = value if isinstance(value, str) else json.dumps(dict(value))
        return str(self.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])

    def kvs_service(self, count: int = 0) -> str:
        """Make the ECS service of KVS nodes; returns it as the scheduler is told of it."""
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        ecs.register_task_definition(
            family="kvs", containerDefinitions=[{"name": "kvs-node", "image": "kvs", "memory": 512, "cpu": 256}]
        )
        ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, taskDefinition="kvs", desiredCount=count)
        return f"{CLUSTER}/{SERVICE}"

    def wanted(self) -> int:
        """How many nodes that service shall have."""
        (found,) = self.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
        return int(found["desiredCount"])
