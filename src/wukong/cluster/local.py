"""`LocalCluster`: a whole Wukong on one machine, real servers and all, for one program."""

from __future__ import annotations

import html
import math
import os
import secrets
import sys
import tempfile
import warnings
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import wukong
from wukong import settings
from wukong.cluster import endpoints
from wukong.cluster import published as legacy
from wukong.cluster.faults import parse as parse_faults
from wukong.cluster.latency import parse as parse_latency
from wukong.cluster.plan import Plan, children_environ, preload
from wukong.cluster.roles import Role
from wukong.cluster.supervisor import Supervisor
from wukong.cluster.valkey import server_program
from wukong.engine.policy.named import check_policy
from wukong.errors import ClusterUnavailable, WukongError

if TYPE_CHECKING:
    from wukong.cluster.deployed import Deployed

#: Memory of a KVS node below which not even its own needs leave room for values, in MB.
_LEAST_KVS_MB = 8


class LocalCluster:
    """An embedded cluster: scheduler, stores and executor environments as child processes of this program.

    A part of it that is killed is started again where it was, and jobs go on; docs/failure-model.md says what is lost.

    It ends with the `with` block, with `close`, when it is garbage collected, and in any case when the
    program ends, even if that is killed.

    Args:
        host: Where the scheduler listens: a loopback host, "host:port", or None for 127.0.0.1 and any port. Another
            address becomes 127.0.0.1, with a warning: an embedded cluster speaks without TLS.
        environments: Most executors that run at once; None for one per core.
        memory_mb: Memory of one environment, in MB. A task that needs more ends its environment.
        kvs_nodes: Nodes of the intermediate store.
        kvs_memory_mb: Memory of each of these nodes, in MB; None for no limit. Executors wait for room in full ones;
            a job for which there is none in time fails with `StoreFull`.
        policy: How the work of jobs spreads that do not say it: "heartbeat", "wukong2020" or "stateless".
        forward_output: Whether clients show what tasks print.
        startup_timeout: Seconds that the start may take.
        lease_seconds: Seconds after which an executor that is not heard of counts as dead.
        timeout: Seconds that one invocation of the executor function may take, as on AWS.
        faults: Faults to inject, for tests: {"deliveries": n} delivers each asynchronous invocation n times, as
            Lambda may; duplicate, delay, drop, throttle and kill are chances from 0 to 1, drawn from `seed`, with
            `delay_seconds` and `kill_seconds`. docs/emulator.md says what each does.
        latency: What shall take longer, so that this machine feels like AWS: {"invoke_seconds": 0.05,
            "cold_start_seconds": 1.0, "store_seconds": 0.0005, "store_mb_per_second": 75}, or "aws" for just these.
        published: The keywords of the published LocalCluster. Each has its meaning or one `LegacyOptionWarning`;
            docs/published-keywords.md has them all.

    Attributes:
        address: "host:port" of the scheduler; of a deployment "grpcs://host:port".
        token: The bearer token of its calls.
        ca: The authority (PEM) that vouches for a deployment; empty for an embedded cluster, which speaks without TLS.
        forward_output: As given.

    Raises:
        ClusterUnavailable: A part did not start; says which and why. Or a Redis endpoint is not fit to be a KVS
            node, or the platform is Windows.
        TypeError: A keyword is unknown; names the nearest one.
        ValueError: An option is outside its range.
    """

    def __init__(
        self,
        host: str | None = None,
        *,
        environments: int | None = None,
        memory_mb: int = 2048,
        kvs_nodes: int = 1,
        kvs_memory_mb: int | None = None,
        policy: str = "heartbeat",
        forward_output: bool = True,
        startup_timeout: float = 30,
        lease_seconds: float = 10.0,
        timeout: int = 900,
        faults: Mapping[str, float] | None = None,
        latency: str | Mapping[str, float] | None = None,
        **published: Any,
    ) -> None:
        if sys.platform == "win32":
            raise ClusterUnavailable(
                "LocalCluster does not run on Windows itself; run your program in the Windows Subsystem for "
                "Linux, or give Client the address of a cluster elsewhere"
            )
        if not sys.executable:
            raise ClusterUnavailable("this program embeds Python: there is no interpreter to start the parts with")
        meant = legacy.translate({"host": host or None, **published}, LocalCluster.__init__.__kwdefaults__ or ())
        if (meant.endpoints or meant.kvs_nodes) and kvs_nodes != 1:
            raise ValueError(
                f"kvs_nodes is {kvs_nodes!r}, but a published keyword gives the KVS nodes; give one of them"
            )
        if meant.endpoints and kvs_memory_mb is not None:
            raise ValueError(
                "kvs_memory_mb limits nodes that the cluster starts; yours are limited where you start them"
            )
        if meant.root is not None:
            embedded = {
                "environments": environments,
                "memory_mb": memory_mb,
                "kvs_nodes": kvs_nodes,
                "kvs_memory_mb": kvs_memory_mb,
                "policy": policy,
                "lease_seconds": lease_seconds,
                "timeout": timeout,
                "faults": faults,
                "latency": latency,
            }
            self._join(meant, embedded, published, startup_timeout)
            self.forward_output = forward_output
            return
        kvs_nodes = meant.kvs_nodes or kvs_nodes
        cores = _cores()
        environments = cores if environments is None else environments
        injected = parse_faults(faults or {})
        slowed = parse_latency(latency or {})
        for name, value, least in (
            ("environments", environments, 1),
            ("memory_mb", memory_mb, 128),
            ("kvs_nodes", kvs_nodes, 1),
            ("timeout", timeout, 1),
            *(() if kvs_memory_mb is None else (("kvs_memory_mb", kvs_memory_mb, _LEAST_KVS_MB),)),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is {value!r}; it must be a whole number from {least} on")
        for name, seconds in (("startup_timeout", startup_timeout), ("lease_seconds", lease_seconds)):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
                raise ValueError(f"{name} is {seconds!r}; it must be a number of seconds above 0")
        check_policy(policy)
        for warning in meant.warnings:
            warnings.warn(warning, stacklevel=2)
        endpoints.check(meant.endpoints)
        threads = max(1, cores // environments)  # environments × threads fits the cores
        self.forward_output = forward_output
        self.token = secrets.token_hex(16)
        self._size = f"{environments} environments of {memory_mb} MB, {len(meant.endpoints) or kvs_nodes} KVS nodes"
        plan = Plan(
            listen=meant.listen,
            proxy_listen=meant.proxy_listen,
            store_program=server_program(),
            store_sockets=settings.STORE_SOCKETS.get() != "0",
            folder=_folder(),  # after what can fail; from here on it is the control process's to remove
            environments=environments,
            threads=threads,
            memory_mb=memory_mb,
            kvs_nodes=kvs_nodes,
            kvs_memory_mb=kvs_memory_mb,
            endpoints=meant.endpoints,
            kvs_namespace=f"{secrets.token_hex(4)}:" if meant.endpoints else "",
            stripe_bytes=meant.striping.whole_bytes,
            stripes=meant.striping.stripes,
            region=meant.region,
            log_level=meant.log_level,
            executor_log_level=meant.executor_log_level,
            timeout=timeout,
            deliveries=injected.deliveries,
            chaos=injected.chaos,
            latency=slowed,
            lease_seconds=lease_seconds,
            startup_timeout=startup_timeout,
            policy=policy,
            large_bytes=meant.large_bytes,
            preload=preload(sys.modules),
            path=_path(),
            token=self.token,
            store_passwords={role: secrets.token_hex(16) for role in Role},
            signing_key=secrets.token_hex(32),
            **meant.spreading(),
        )
        self.ca = ""
        self._administrator: tuple[str, str] | None = Role.ADMINISTRATOR.value, plan.store_passwords[Role.ADMINISTRATOR]
        supervisor = Supervisor(plan, children_environ(os.environ, threads))
        self._supervisor: Supervisor | Deployed = supervisor
        # Runs at most once: by close(), by the garbage collector, or when the interpreter ends.
        self._finalizer = weakref.finalize(self, self._supervisor.close)
        try:
            supervisor.wait_ready()
        except BaseException:
            self.close()
            raise
        self.address = self._supervisor.address

    def _join(
        self, meant: legacy.Modern, embedded: Mapping[str, object], published: Mapping[str, Any], timeout: float
    ) -> None:
        """Be the deployment that published keywords mean."""
        usual = LocalCluster.__init__.__kwdefaults__ or {}
        for name, value in embedded.items():
            if value != usual[name]:
                raise ValueError(
                    f"{name} is {value!r}, which is for embedded clusters; a deployment on AWS has its own"
                )
        for warning in meant.warnings:
            warnings.warn(warning, stacklevel=3)
        from wukong.cluster.deployed import Deployed  # which speaks gRPC

        deployed = Deployed(
            meant.root or "",
            published.get("aws_region"),
            published.get("ecs_cluster_name"),
            meant.kvs_nodes,
            timeout,
        )
        self.address, self.token, self.ca = deployed.address, deployed.token, deployed.ca
        self._size = "on AWS"
        self._administrator = None
        self._supervisor = deployed
        self._finalizer = weakref.finalize(self, deployed.close)

    @property
    def administrator(self) -> tuple[str, str]:
        """User and password with which everything may be done in this cluster's stores, for tools that look into them.

        No part of the cluster has it; servers of `redis_endpoints` do not know it.

        Raises:
            WukongError: The cluster is a deployment on AWS, where nobody outside reaches the stores.
        """
        if self._administrator is None:
            raise WukongError("the stores of a deployment on AWS are reached by nobody outside of it")
        return self._administrator

    def processes(self) -> list[tuple[str, int]]:
        """Role (environment, companion, zygote, control, store, storekeeper or relay) and id of each process.

        Companions are what environments keep beside them: their pulses, and the workers of an invoker.

        Raises:
            ClusterUnavailable: A part ended again and again, and the cluster was given up.
        """
        return self._supervisor.processes() if self._finalizer.alive else []

    def check(self) -> None:
        """Return if the cluster is there, or comes back by itself.

        Raises:
            ClusterUnavailable: It was closed. Or a part ended again and again, and it was given up; says why.
        """
        if not self._finalizer.alive:
            raise ClusterUnavailable(f"the embedded cluster at {self.address} was closed; start another one")
        self._supervisor.check()

    def logs(self) -> dict[str, str]:
        """What each part wrote to its log so far, by the part's name; empty after `close`."""
        return self._supervisor.logs()

    def close(self) -> None:
        """End every process of the cluster and remove its logs. May be called again."""
        self._finalizer()

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a LocalCluster cannot be pickled: it belongs to its process; pass its address and token")

    def __repr__(self) -> str:
        state = "" if self._finalizer.alive else ", closed"
        return f"<LocalCluster {self.address}, {self._size}{state}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def _folder() -> str:
    """A new folder of this user's for logs and the zygote's socket, whose path must be short (100 bytes)."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="wukong-", dir=usual if len(os.fsencode(usual)) <= 80 else "/tmp")


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _path() -> tuple[str, ...]:
    """Where this process finds packages, for children that may be told less by their environment.

    Without the script's and the working directory: what lies there is pickled by value.
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    own = {os.getcwd(), os.path.dirname(os.path.abspath(main))} if main else {os.getcwd()}
    entries = [os.path.abspath(entry) for entry in sys.path if entry]
    root = os.path.dirname(os.path.dirname(os.path.abspath(wukong.__file__)))
    return tuple(dict.fromkeys([*(entry for entry in entries if entry not in own), root]))
