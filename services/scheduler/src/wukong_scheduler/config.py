"""What the scheduler is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wukong import settings
from wukong.engine.policy.named import check_policy
from wukong.graph.functions import Offer
from wukong.invocation.pacing import Pacing
from wukong.invocation.spreading import Spreading
from wukong.kvs.access import Access
from wukong.prices import Prices
from wukong.rpc.rates import Rates
from wukong.rpc.tls import ServerTls
from wukong.runtime import Runtime, installed
from wukong_scheduler.ecs_service import check_service
from wukong_scheduler.limits import Limits
from wukong_scheduler.scaling import Sizes


@dataclass(frozen=True, slots=True)
class Config:
    """The scheduler's settings; `wukong.settings` says what each one means. Times are seconds."""

    listen: str
    token: str
    tls: ServerTls | None
    rates: Rates
    mds_address: str
    store_user: str
    store_password: str
    client_user: str
    client_password: str
    kvs: Access
    signing_key: bytes
    proxy_address: str
    lambda_endpoint: str
    function: str
    spreading: Spreading
    pacing: Pacing
    failure_queue: str
    lease: float
    max_deaths: int
    parallelism: int
    policy: str
    deadline: float
    keep: float
    direct: bool
    kvs_service: str
    kvs_sizes: Sizes
    limits: Limits
    prices: Prices
    runtime: Runtime
    offer: Offer | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Config:
        """Read all settings.

        Raises:
            InvalidSetting: One is missing or cannot be understood.
        """
        runtime, offer = settings.EXECUTOR_RUNTIME.parsed(_manifest, environ)
        return cls(
            listen=settings.LISTEN.get(environ),
            token=settings.TOKEN.get(environ),
            tls=ServerTls.read(environ),
            rates=settings.RATES.parsed(Rates.parse, environ),
            mds_address=settings.MDS_ADDRESS.get(environ),
            store_user=(user := settings.STORE_USER.get(environ)),
            store_password=(password := settings.STORE_PASSWORD.get(environ)),
            client_user=settings.CLIENT_STORE_USER.get(environ) or user,
            client_password=settings.CLIENT_STORE_PASSWORD.get(environ) or password,
            kvs=Access.read(environ),
            signing_key=settings.SIGNING_KEY.key(environ),
            proxy_address=settings.PUBLIC_PROXY_ADDRESS.get(environ) or settings.PROXY_ADDRESS.get(environ),
            lambda_endpoint=settings.LAMBDA_ENDPOINT.get(environ),
            function=settings.EXECUTOR_FUNCTION.get(environ),
            spreading=Spreading.read(environ),
            pacing=Pacing.read(environ),
            failure_queue=settings.FAILURE_QUEUE.get(environ),
            lease=settings.LEASE_SECONDS.seconds(environ),
            max_deaths=settings.MAX_DEATHS.whole(environ, 1),
            parallelism=settings.PARALLELISM.whole(environ, 1),
            policy=settings.POLICY.parsed(check_policy, environ),
            deadline=settings.DEADLINE_SECONDS.seconds(environ),
            keep=settings.KEEP_SECONDS.seconds(environ),
            direct=settings.DIRECT.get(environ) == "1",
            kvs_service=settings.KVS_SERVICE.parsed(check_service, environ),
            kvs_sizes=Sizes.read(environ),
            prices=settings.PRICES.parsed(Prices.parse, environ),
            limits=settings.LIMITS.parsed(Limits.parse, environ),
            runtime=runtime,
            offer=offer,
        )


def _manifest(stated: str) -> tuple[Runtime, Offer | None]:
    """The executors' manifest: given as JSON, as `@` and the path of a file with it, or not at all."""
    if not stated:
        return installed(), Offer.installed()
    try:
        text = Path(stated[1:]).read_text() if stated.startswith("@") else stated
        return Runtime.parse(text), Offer.parse(text)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"it is {stated!r}: {error}. Write the manifest with "
            "`python -m wukong_executor.manifest > manifest.json` where executors run, and set the variable to "
            "@manifest.json or to what it holds"
        ) from error
