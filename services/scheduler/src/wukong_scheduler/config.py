"""What the scheduler is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wukong import settings
from wukong_scheduler.limits import Limits
from wukong_scheduler.runtime import Runtime, installed


@dataclass(frozen=True, slots=True)
class Config:
    """The scheduler's settings; `wukong.settings` says what each one means. Times are seconds."""

    listen: str
    token: str
    mds_address: str
    store_password: str
    signing_key: bytes
    proxy_address: str
    lambda_endpoint: str
    function: str
    failure_queue: str
    lease: float
    parallelism: int
    deadline: float
    keep: float
    direct: bool
    limits: Limits
    runtime: Runtime

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Config:
        """Read all settings.

        Raises:
            KeyError: A required one is missing.
            ValueError: One cannot be understood.
        """
        stated = settings.EXECUTOR_RUNTIME.get(environ)
        return cls(
            listen=settings.LISTEN.get(environ),
            token=settings.TOKEN.get(environ),
            mds_address=settings.MDS_ADDRESS.get(environ),
            store_password=settings.STORE_PASSWORD.get(environ),
            signing_key=bytes.fromhex(settings.SIGNING_KEY.get(environ)),
            proxy_address=settings.PROXY_ADDRESS.get(environ),
            lambda_endpoint=settings.LAMBDA_ENDPOINT.get(environ),
            function=settings.EXECUTOR_FUNCTION.get(environ),
            failure_queue=settings.FAILURE_QUEUE.get(environ),
            lease=float(settings.LEASE_SECONDS.get(environ)),
            parallelism=int(settings.PARALLELISM.get(environ)),
            deadline=float(settings.DEADLINE_SECONDS.get(environ)),
            keep=float(settings.KEEP_SECONDS.get(environ)),
            direct=settings.DIRECT.get(environ) == "1",
            limits=Limits.parse(settings.LIMITS.get(environ)),
            runtime=Runtime.parse(stated) if stated else installed(),
        )
