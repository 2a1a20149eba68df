"""The ECS service whose tasks are the KVS nodes: how many there shall be, and how many there are. All calls block."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wukong.errors import ClusterUnavailable

#: Seconds that a connection and an answer may take, and how often a request is made that can be made again.
_CONNECT, _ANSWER, _ATTEMPTS = 5, 10, 4

_NAMES = re.compile(r"[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}")


def check_service(name: str) -> str:
    """`name`, where it can be that of a service with its cluster, or is empty.

    Raises:
        ValueError: It cannot.
    """
    if name and not _NAMES.fullmatch(name):
        raise ValueError(f"it is {name!r}, and must be CLUSTER/SERVICE, the names of both without their ARNs")
    return name


@dataclass(frozen=True, slots=True)
class Fleet:
    """What ECS says of the service.

    Attributes:
        wanted: Tasks that there shall be.
        running: Tasks that run.
        said: Its newest word about them, empty where there is none.
    """

    wanted: int
    running: int
    said: str = ""


class EcsService:
    """One service.

    Args:
        name: CLUSTER/SERVICE.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._cluster, _, self._service = name.partition("/")
        self._made: Any = None

    def fleet(self) -> Fleet:
        """What there is of it.

        Raises:
            ClusterUnavailable: ECS does not say.
        """
        answer = self._ask("describe_services", cluster=self._cluster, services=[self._service])
        active = [service for service in answer["services"] if service["status"] == "ACTIVE"]
        if not active:
            raise ClusterUnavailable(
                f"there is no ECS service {self.name!r} in this region; WUKONG_KVS_SERVICE names the one whose tasks "
                "are the KVS nodes"
            )
        found = active[0]
        events = found.get("events") or [{}]
        return Fleet(found["desiredCount"], found["runningCount"], str(events[0].get("message", "")))

    def scale(self, tasks: int) -> None:
        """Have so many tasks. They come and go by and by.

        Raises:
            ClusterUnavailable: ECS does not take it.
        """
        self._ask("update_service", cluster=self._cluster, service=self._service, desiredCount=tasks)

    def close(self) -> None:
        """End the connections."""
        if self._made is not None:
            self._made.close()

    def _ask(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._made is None:
                self._made = self._client()
            return getattr(self._made, operation)(**arguments)
        except ClientError as error:
            advice = ""
            if error.response.get("Error", {}).get("Code") == "AccessDeniedException":
                advice = ". Allow the scheduler's role ecs:DescribeServices and ecs:UpdateService on this service"
            raise self._failed(f"{error}{advice}") from error
        except BotoCoreError as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> ClusterUnavailable:
        return ClusterUnavailable(f"the ECS service {self.name!r} of the KVS nodes cannot be asked: {why}")

    @staticmethod
    def _client() -> Any:
        import botocore.session
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_ANSWER,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        return botocore.session.Session().create_client("ecs", config=config)
