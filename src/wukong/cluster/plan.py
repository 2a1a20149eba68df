"""What an embedded cluster consists of: the options of one `LocalCluster`, and what each part is told.

Pure: this module starts nothing. The user's process makes a `Plan` and hands it, as one line of JSON, to the
control process, which makes each part's environment of it, as a container's would be.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from wukong import settings
from wukong.cluster.roles import Role, digest, users

#: The functions of an embedded cluster.
FUNCTION = settings.EXECUTOR_FUNCTION.default or ""
INVOKER = "wukong-invoker"
#: The queue into which the emulator puts what became of invocations that failed.
FAILURES = "wukong-failures"
_HANDLER = "wukong_executor.handler.handler"
_INVOKER_HANDLER = "wukong_invoker.handler.handler"
_BEAT_SECONDS = 0.02
_BEAT_OF_INVOCATION = 4
#: What every environment needs, cheap to expensive: the zygote imports it before it forks the first.
PRELOAD = (
    "numpy",
    "dask",
    "cloudpickle",
    "wukong_executor.handler",
    "wukong_executor.executor",
    "wukong_executor.manifest",
)
#: What takes long to import. The zygote imports those that the user's program has imported: its tasks will
#: need them, and the others must not delay its first job.
_PRELOAD_IF_USED = (
    "pandas",
    "scipy.linalg",
    "dask.array",
    "dask.bag",
    "dask.dataframe",
    "xarray",
    "sklearn.base",
    "sklearn.svm",
    "dask_ml.wrappers",
)
#: Read by the libraries below NumPy when they are loaded. These start their threads when they first compute.
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
#: The zygote must have one thread when it forks; these libraries start theirs as soon as they are loaded.
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
#: The AWS region of a cluster that is told no other.
REGION = "us-east-1"
#: boto3 refuses to work without a region and credentials. These are nobody's, so that the user's own are
#: never looked for, and never sent to an emulator.
_AWS = {
    "AWS_ACCESS_KEY_ID": "wukong-local",
    "AWS_SECRET_ACCESS_KEY": "wukong-local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Plan:
    """The options of one embedded cluster, its secrets included.

    Attributes:
        listen: "host:port" where the scheduler listens; port 0 lets the system choose.
        proxy_listen: The same of the KVS proxy.
        folder: Where logs and the zygote's socket live.
        store_program: The Valkey or Redis server to start.
        store_sockets: Whether servers listen at Unix sockets beside their ports.
        environments: Most environments, and so executors, at once.
        threads: Threads that linear algebra in an environment may use.
        memory_mb: Memory of an environment, in MB.
        kvs_nodes: KVS nodes, each with a server of its own.
        kvs_memory_mb: Memory of each of these servers, in MB; None for no limit.
        endpoints: "host:port" of servers that are the KVS nodes; if there are any, none are started.
        kvs_namespace: How the cluster's keys in the KVS start.
        stripe_bytes: Bytes up to which a value is one stripe in the KVS.
        stripes: Stripes of a longer value; 0 for as many as it takes.
        region: The AWS region that functions are told.
        log_level: Of the services.
        executor_log_level: Of the executors.
        timeout: Seconds that one invocation may take.
        deliveries: How often each asynchronous invocation is delivered.
        chaos: Faults that the emulator draws from a seed; see its setting of that name.
        latency: What invocations, cold starts and stores take longer; the emulator's settings by their names.
        lease_seconds: Seconds after which a silent executor counts as dead.
        startup_timeout: Seconds that all parts together may take to start.
        policy: The policy of jobs that name none.
        large_bytes: Bytes from which a task's output is large; None for the default.
        preload: Modules that the zygote imports before it forks an environment.
        path: What the user's process has on `sys.path` and a fresh interpreter may lack.
        token: The bearer token of every gRPC call.
        store_passwords: Role -> its password in every store that is started.
        signing_key: The hexadecimal key that signs pages and values.
        invokers: Invocations of the invoker function at once; 0 for a cluster without that function.
        invoker_threshold: Executors that are started at once without the invoker function.
        full_seconds: Seconds for which an executor waits for room in the KVS.
        max_task_fanout: Pieces that an executor gives away itself; more go through the proxy.
    """

    listen: str
    proxy_listen: str
    folder: str
    store_program: str
    store_sockets: bool
    environments: int
    threads: int
    memory_mb: int
    kvs_nodes: int
    kvs_memory_mb: int | None
    endpoints: tuple[str, ...]
    kvs_namespace: str
    stripe_bytes: int
    stripes: int
    region: str
    log_level: str
    executor_log_level: str
    timeout: int
    deliveries: int
    chaos: Mapping[str, float]
    latency: Mapping[str, float]
    lease_seconds: float
    startup_timeout: float
    policy: str
    large_bytes: int | None
    preload: tuple[str, ...]
    path: tuple[str, ...]
    token: str
    store_passwords: Mapping[str, str]
    signing_key: str
    invokers: int = 2
    invoker_threshold: int = 128
    max_task_fanout: int = 64
    full_seconds: float = 30.0

    def to_json(self) -> str:
        """One line of JSON, secrets included: for a pipe, never for a command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The inverse of `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, **{name: tuple(fields[name]) for name in ("endpoints", "preload", "path")}})

    def stores(self) -> list[str]:
        """The names of the servers to start: the metadata store's, then one of each KVS node."""
        return ["mds", *(() if self.endpoints else self.nodes())]

    def nodes(self) -> list[str]:
        """The names of the KVS nodes."""
        return [f"kvs-{number}" for number in range(len(self.endpoints) or self.kvs_nodes)]

    def users(self, name: str) -> list[str]:
        """The users of the server `name`, as lines of its configuration."""
        digests = {role: digest(self.store_passwords[role]) for role in Role}
        return users("mds" if name == "mds" else "kvs", digests)

    def proxy(self, mds: str, endpoint: str) -> dict[str, str]:
        """The environment of the KVS proxy, given the metadata store's address and the URL of the Invoke API."""
        return {
            **self._service(self.proxy_listen, Role.PROXY),
            settings.MDS_ADDRESS.name: mds,
            settings.LAMBDA_ENDPOINT.name: endpoint,
            settings.EXECUTOR_FUNCTION.name: FUNCTION,
        }

    def node(self, name: str, store: str, proxy: str) -> dict[str, str]:
        """The environment of the KVS node `name`, given its server's and the proxy's addresses."""
        return {
            **self._service("127.0.0.1:0", Role.NODE),
            settings.NODE_ID.name: name,
            settings.NODE_REDIS_ADDRESS.name: store,
            settings.PROXY_ADDRESS.name: proxy,
        }

    def emulator(self, listen: str, zygote: str, mds: str, proxy: str, stores: Sequence[str]) -> dict[str, str]:
        """The environment of the Lambda emulator: its functions, told where everything is.

        Args:
            listen: Where the emulator listens; final, because the function is told it.
            zygote: The path of the zygote's socket.
            mds: The metadata store's address.
            proxy: The proxy's address.
            stores: The addresses of all stores, the metadata store's included.
        """
        function = {
            "handler": _HANDLER,
            "memory_mb": self.memory_mb,
            "timeout": self.timeout,
            "concurrency": self.environments,
            "deliveries": self.deliveries,
            "chaos": dict(self.chaos),
            "stores": list(stores),
            **self.latency,
            "on_failure": FAILURES,
            "environment": {
                **self._aws(),
                settings.LOG_LEVEL.name: self.executor_log_level,
                **self._invoking(f"http://{listen}"),
                **self._executing(mds, proxy),
                "OPENBLAS_NUM_THREADS": str(self.threads),
            },
        }
        functions = {FUNCTION: function}
        if self.invokers:
            functions[INVOKER] = {
                "handler": _INVOKER_HANDLER,
                "memory_mb": self.memory_mb,
                "timeout": self.timeout,
                # Environments of its own: those that wait to start executors never stand in an executor's way.
                "concurrency": self.invokers,
                "warm": 0,
                "deliveries": self.deliveries,
                "chaos": dict(self.chaos),
                **{name: seconds for name, seconds in self.latency.items() if name != "store_seconds"},
                "environment": {**self._aws(), **self._invoking(f"http://{listen}")},
            }
        return {
            settings.LISTEN.name: listen,
            settings.ZYGOTE_SOCKET.name: zygote,
            "AWS_REGION": self.region,
            settings.LOG_DIR.name: self.folder,
            settings.FUNCTIONS.name: json.dumps(functions),
        }

    def scheduler(self, mds: str, proxy: str, endpoint: str, failures: str) -> dict[str, str]:
        """The environment of the scheduler.

        Args:
            mds: The metadata store's address.
            proxy: The proxy's address.
            endpoint: The URL of the Invoke API, and of the queues.
            failures: The URL of the queue `FAILURES`.
        """
        return {
            **self._service(self.listen, Role.SCHEDULER),
            **self._invoking(endpoint),
            settings.MDS_ADDRESS.name: mds,
            settings.PROXY_ADDRESS.name: proxy,
            settings.DIRECT.name: "1",
            settings.CLIENT_STORE_USER.name: Role.CLIENT,
            settings.CLIENT_STORE_PASSWORD.name: self.store_passwords[Role.CLIENT],
            settings.FAILURE_QUEUE.name: failures,
            settings.POLICY.name: self.policy,
        }

    def _service(self, listen: str, role: Role) -> dict[str, str]:
        return {
            settings.LISTEN.name: listen,
            settings.TOKEN.name: self.token,
            **self._login(role),
            **self._kvs(),
            settings.SIGNING_KEY.name: self.signing_key,
            settings.LEASE_SECONDS.name: str(self.lease_seconds),
        }

    def _invoking(self, endpoint: str) -> dict[str, str]:
        return {
            settings.LAMBDA_ENDPOINT.name: endpoint,
            settings.EXECUTOR_FUNCTION.name: FUNCTION,
            settings.INVOKER_FUNCTION.name: INVOKER if self.invokers else "",
            settings.INVOKERS.name: str(self.invokers),
            settings.INVOKER_THRESHOLD.name: str(self.invoker_threshold),
            settings.PARALLELISM.name: str(self.environments),
        }

    @property
    def _beat_seconds(self) -> float:
        """A few times what an invocation takes, as the executor's policy wants it."""
        return max(_BEAT_SECONDS, _BEAT_OF_INVOCATION * self.latency.get("invoke_seconds", 0.0))

    def _executing(self, mds: str, proxy: str) -> dict[str, str]:
        large = {} if self.large_bytes is None else {settings.LARGE_BYTES.name: str(self.large_bytes)}
        return {
            **large,
            settings.MDS_ADDRESS.name: mds,
            settings.PROXY_ADDRESS.name: proxy,
            **self._login(Role.EXECUTOR),
            **self._kvs(),
            settings.SIGNING_KEY.name: self.signing_key,
            settings.TOKEN.name: self.token,
            settings.MAX_TASK_FANOUT.name: str(self.max_task_fanout),
            settings.BEAT_SECONDS.name: str(self._beat_seconds),
            settings.FULL_SECONDS.name: str(self.full_seconds),
            settings.LEASE_SECONDS.name: str(self.lease_seconds),
        }

    def _login(self, role: Role) -> dict[str, str]:
        return {settings.STORE_USER.name: role, settings.STORE_PASSWORD.name: self.store_passwords[role]}

    def _aws(self) -> dict[str, str]:
        return {**_AWS, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}

    def _kvs(self) -> dict[str, str]:
        return {
            settings.KVS_AUTH.name: "0" if self.endpoints else "1",
            settings.KVS_NAMESPACE.name: self.kvs_namespace,
            settings.STRIPE_BYTES.name: str(self.stripe_bytes),
            settings.STRIPES.name: str(self.stripes),
        }


def preload(imported: Container[str]) -> tuple[str, ...]:
    """What the zygote shall import, given the names of the modules that the user's program has imported."""
    return (*PRELOAD, *(module for module in _PRELOAD_IF_USED if module in imported))


def children_environ(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment variables of the cluster's processes, made of the user's.

    Left out: AWS credentials and Wukong's own variables. Limited to `threads`: the libraries below NumPy (a
    lower limit of the user's stays). Loopback needs no proxy.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "WUKONG_"))}
    limits = {
        name: kept[name] if kept.get(name, "").isdecimal() and 0 < int(kept[name]) < threads else str(threads)
        for name in _THREADS
    }
    direct = {
        name: ",".join(filter(None, [kept.get(name, ""), "127.0.0.1,localhost"])) for name in ("no_proxy", "NO_PROXY")
    }
    return {**kept, **limits, **_NO_THREADS, **direct, **_AWS}
