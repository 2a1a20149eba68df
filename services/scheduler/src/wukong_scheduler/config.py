"""What the scheduler is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wukong import settings
from wukong.engine.policy.named import check_policy
from wukong.graph.functions import Offer
from wukong.invocation.spreading import Spreading
from wukong.kvs.access import Access
from wukong.prices import Prices
from wukong.runtime import Runtime, installed
from wukong_scheduler.limits import Limits


@dataclass(frozen=True, slots=True)
class Config:
    """The scheduler's settings; `wukong.settings` says what each one means. Times are seconds."""

    listen: str
    token: str
    mds_address: str
    store_password: str
    kvs: Access
    signing_key: bytes
    proxy_address: str
    lambda_endpoint: str
    function: str
    spreading: Spreading
    failure_queue: str
    lease: float
    max_deaths: int
    parallelism: int
    policy: str
    deadline: float
    keep: float
    direct: bool
    limits: Limits
    prices: Prices
    runtime: Runtime
    offer: Offer | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Config:
        """Read all settings.

        Raises:
            KeyError: A required one is missing.
            ValueError: One cannot be understood.
        """
        runtime, offer = _manifest(settings.EXECUTOR_RUNTIME.get(environ))
        return cls(
            listen=settings.LISTEN.get(environ),
            token=settings.TOKEN.get(environ),
            mds_address=settings.MDS_ADDRESS.get(environ),
            store_password=settings.STORE_PASSWORD.get(environ),
            kvs=Access.read(environ),
            signing_key=bytes.fromhex(settings.SIGNING_KEY.get(environ)),
            proxy_address=settings.PROXY_ADDRESS.get(environ),
            lambda_endpoint=settings.LAMBDA_ENDPOINT.get(environ),
            function=settings.EXECUTOR_FUNCTION.get(environ),
            spreading=Spreading.read(environ),
            failure_queue=settings.FAILURE_QUEUE.get(environ),
            lease=float(settings.LEASE_SECONDS.get(environ)),
            max_deaths=_from_one(settings.MAX_DEATHS, environ),
            parallelism=int(settings.PARALLELISM.get(environ)),
            policy=check_policy(settings.POLICY.get(environ)),
            deadline=float(settings.DEADLINE_SECONDS.get(environ)),
            keep=float(settings.KEEP_SECONDS.get(environ)),
            direct=settings.DIRECT.get(environ) == "1",
            prices=Prices.parse(settings.PRICES.get(environ)),
            limits=Limits.parse(settings.LIMITS.get(environ)),
            runtime=runtime,
            offer=offer,
        )


def _from_one(variable: settings.Variable, environ: Mapping[str, str]) -> int:
    text = variable.get(environ)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{variable.name} is {text!r}; it must be a whole number from 1 on")
    return int(text)


def _manifest(stated: str) -> tuple[Runtime, Offer | None]:
    """The executors' manifest: given as JSON, as `@` and the path of a file with it, or not at all."""
    if not stated:
        return installed(), Offer.installed()
    try:
        text = Path(stated[1:]).read_text() if stated.startswith("@") else stated
        return Runtime.parse(text), Offer.parse(text)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{settings.EXECUTOR_RUNTIME.name} is {stated!r}: {error}. Write the manifest with "
            "`python -m wukong_executor.manifest > manifest.json` where executors run, and set the variable to "
            "@manifest.json or to what it holds"
        ) from error
