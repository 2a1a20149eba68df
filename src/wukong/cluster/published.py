"""The keywords of the published LocalCluster: what each one does now, or why it does nothing any more.

Theory of operation
-------------------
Pure: published options in, modern options and warnings out. `OPTIONS` is the one table. A row says what values its
keyword takes, what it does now, and which values do what they say; any other value is accepted with one
`LegacyOptionWarning`, whose text is the row's own. docs/published-keywords.md shows the same rows.

`translate` first checks every value against its row, so that nothing is half done, then makes the modern options, and
last collects the warnings: those of single rows, and those of options that another one overrules. An option that is
None counts as not given, as most published defaults are.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wukong.cluster.plan import REGION
from wukong.errors import LegacyOptionWarning
from wukong.kvs.striping import MOST, STRIPE, Striping

LOOPBACK: Final = "127.0.0.1"
#: Log levels by print_level.
_LEVELS: Final = {1: "DEBUG", 2: "INFO", 3: "WARNING"}


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        name: As the documentation calls it.
        must: What a value must be, for messages.
        takes: Whether a value is of the kind.
    """

    name: str
    must: str
    takes: Callable[[Any], bool]


def _whole(value: object, least: int, most: float = float("inf")) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _endpoint(value: object) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    host, port = value
    return isinstance(host, str) and bool(host) and _whole(port, 1, 65535)


_FLAG = Kind("bool", "True or False", lambda value: isinstance(value, bool))
_TEXT = Kind("str", "a text", lambda value: isinstance(value, str) and bool(value))
_PATH = Kind("str", "a path", lambda value: isinstance(value, (str, os.PathLike)))
_PORT = Kind("int", "a port from 0 to 65535", lambda value: _whole(value, 0, 65535))
_COUNT = Kind("int", "a whole number from 1 on", lambda value: _whole(value, 1))
_SIZE = Kind("int", "a number of bytes from 1 on", lambda value: _whole(value, 1))
_NUMBER = Kind("int", "a whole number from 0 on", lambda value: _whole(value, 0))
_LEVEL = Kind("int", "1, 2 or 3", lambda value: _whole(value, 1, 3))
_DICT = Kind("dict", "a dictionary", lambda value: isinstance(value, Mapping))
_ENDPOINTS = Kind(
    "list",
    "a list of one or more different (host, port) pairs",
    lambda value: (
        isinstance(value, (tuple, list))
        and bool(value)
        and all(map(_endpoint, value))
        and len({tuple(pair) for pair in value}) == len(value)
    ),
)


def _always(_: object) -> bool:
    return True


def _never(_: object) -> bool:
    return False


def _is(wanted: object) -> Callable[[object], bool]:
    return lambda value: value == wanted


@dataclass(frozen=True)
class Option:
    """One published keyword.

    Attributes:
        name: The keyword.
        kind: The values that it takes.
        default: The published default, as Python writes it.
        now: What it does now, or why it does nothing.
        heeded: Whether a value does what it says. What is not heeded is warned about.
    """

    name: str
    kind: Kind
    default: str
    now: str
    heeded: Callable[[Any], bool] = _always


OPTIONS: Final = (
    Option(
        "host",
        _TEXT,
        "None",
        "Where the scheduler listens, host:port. An address beyond this machine's loopback interface becomes "
        f"{LOOPBACK}, with a warning, because an embedded cluster speaks without TLS; the port stays.",
    ),
    Option(
        "proxy_address", _TEXT, "None", "Where the KVS proxy listens, with `proxy_port`; as for `host`, loopback only."
    ),
    Option("proxy_port", _PORT, "None", "The port of the KVS proxy; 0 or none: any free one."),
    Option(
        "num_lambda_invokers",
        _COUNT,
        "16",
        "The most invoker functions at once: they start executors side by side.",
    ),
    Option(
        "use_invoker_lambdas_threshold",
        _NUMBER,
        "10000",
        "How many executors are started at once without invoker functions; above, with them.",
    ),
    Option(
        "force_use_invoker_lambdas",
        _FLAG,
        "False",
        "True: invoker functions start all executors, as with `use_invoker_lambdas_threshold=0`.",
    ),
    Option(
        "max_task_fanout",
        _COUNT,
        "10",
        "An executor that gives away more pieces of work than this at once does so through the KVS proxy.",
    ),
    Option(
        "big_task_threshold",
        _SIZE,
        "200_000_000",
        "The bytes from which an output is large: a policy that clusters tasks runs what needs it in the same "
        "executor, and `chunk_large_tasks` cuts it.",
    ),
    Option(
        "chunk_large_tasks",
        _FLAG,
        "False",
        "True: values above `big_task_threshold` are cut into stripes of that size in the KVS. False: every value is "
        "one stripe, up to the 512 MiB that a Redis string holds. Not given: stripes of 16 MiB.",
    ),
    Option(
        "num_chunks_for_large_tasks",
        _COUNT,
        "None",
        "With `chunk_large_tasks=True`: the stripes of a large value, of 1 to 512 MiB each. "
        "Without: no effect, because nothing is cut by number.",
    ),
    Option(
        "executors_use_task_queue",
        _FLAG,
        "True",
        "True is what executors do: they keep a value and ask who needs it before they store it. "
        "False has no effect: the policy decides what is stored.",
        _is(True),
    ),
    Option(
        "use_bit_dep_checking",
        _FLAG,
        "True",
        "True is what the metadata store does: each edge of a fan-in is marked once, however often it is reported. "
        "False has no effect: counters would count a repeated report twice.",
        _is(True),
    ),
    Option(
        "n_workers",
        _NUMBER,
        "None",
        "0 is what there is. Others have no effect: tasks run in executors, not in workers, and `environments` says "
        "how many at once.",
        _is(0),
    ),
    Option(
        "use_local_proxy",
        _FLAG,
        "False",
        "True is what there is. False has no effect: the cluster always starts a KVS proxy of its own.",
        _is(True),
    ),
    Option(
        "local_proxy_path",
        _PATH,
        "None",
        "No effect: the KVS proxy is a part of Wukong, so there is no program to name.",
        _never,
    ),
    Option(
        "redis_endpoints",
        _ENDPOINTS,
        "None",
        "Running Redis servers (7 or newer, without a password) that are the KVS nodes, instead of servers that the "
        "cluster starts. What is in them stays; what the cluster wrote goes when it is closed.",
    ),
    Option(
        "use_fargate",
        _FLAG,
        "True",
        "False is an embedded cluster. True, with `wukong_config_path`, is the deployment on AWS that this names; "
        "without, it has no effect: the cluster starts its KVS nodes as processes of this machine.",
        _is(False),
    ),
    Option(
        "num_fargate_nodes",
        _COUNT,
        "75",
        "The number of KVS nodes, as `kvs_nodes`; a deployment is scaled to so many where it has fewer. No effect "
        "with `use_fargate=False` or `redis_endpoints`, which say where the nodes are.",
    ),
    Option(
        "ecs_cluster_name",
        _TEXT,
        "'WukongFargateStorage'",
        "The name that a deployment's ECS cluster must have. Without one no effect: the KVS nodes of an embedded "
        "cluster are not on ECS.",
        _never,
    ),
    Option(
        "ecs_task_definition",
        _TEXT,
        "'WukongRedisNode:1'",
        "No effect: Terraform makes that of a deployment, and the KVS nodes of an embedded cluster are not on ECS.",
        _never,
    ),
    Option(
        "ecs_network_configuration",
        _DICT,
        "{...}",
        "No effect: Terraform makes that of a deployment, and the KVS nodes of an embedded cluster are not on ECS.",
        _never,
    ),
    Option(
        "reuse_existing_fargate_tasks_on_startup",
        _FLAG,
        "True",
        "True is what a deployment does, False what an embedded cluster does. The other one has no effect: "
        "`redis_endpoints` names servers that run already.",
        _is(False),
    ),
    Option(
        "aws_region",
        _TEXT,
        "'us-east-1'",
        "The region that a deployment must be in. Without one, that which functions are told, as `AWS_REGION`, and "
        "that their ARNs name; everything runs here.",
    ),
    Option(
        "reuse_lambdas",
        _FLAG,
        "False",
        "True is what there is. False has no effect: environments stay warm and serve later jobs, as Lambda's do.",
        _is(True),
    ),
    Option(
        "wukong_config_path",
        _PATH,
        "None",
        "With `use_fargate=True`: the folder of a Terraform root, which says where the deployment is. A YAML file has "
        "no effect, as has anything without: it is not read and need not exist, because the cluster starts all that "
        "it used to name.",
        _never,
    ),
    Option(
        "print_debug",
        _FLAG,
        "False",
        "True: the services log as much as `print_level` says; `LocalCluster.logs` has it under control.",
    ),
    Option(
        "print_level",
        _LEVEL,
        "1",
        "With `print_debug=True`: 1 for all, 2 for what is usual, 3 for warnings only. Without: no effect, as ever.",
    ),
    Option(
        "debug_mode",
        _FLAG,
        "False",
        "True: the services log all, as with `print_debug=True`. Nothing pauses.",
    ),
    Option(
        "lambda_debug",
        _FLAG,
        "False",
        "True: the executors log all; `LocalCluster.logs` has it under the function's name.",
    ),
)
_BY_NAME: Final = {option.name: option for option in OPTIONS}


#: The file that the published system was configured by.
_YAML: Final = (".yaml", ".yml")
#: What says something of a deployment, or what it does anyway.
_OF_DEPLOYMENTS: Final = frozenset(
    {
        *("use_fargate", "wukong_config_path", "num_fargate_nodes", "ecs_cluster_name", "aws_region"),
        "reuse_existing_fargate_tasks_on_startup",
    }
)
_NOT_OF_DEPLOYMENTS: Final = "No effect: a deployment on AWS is as Terraform has made it."


@dataclass(frozen=True)
class Modern:
    """What published options mean to the parts of today. What is None was not said.

    Attributes:
        listen: "host:port" of the scheduler.
        proxy_listen: "host:port" of the KVS proxy.
        kvs_nodes: Nodes of the KVS.
        endpoints: "host:port" of the Redis servers that are the nodes; none: the cluster starts them.
        striping: How values are cut in the KVS.
        invokers: Most invoker functions at once.
        invoker_threshold: Executors that are started at once without invokers.
        max_task_fanout: Pieces that an executor gives away itself; more go through the proxy.
        large_bytes: Bytes from which an output is large.
        region: The AWS region that functions are told.
        root: Folder of the Terraform root of a deployment that takes the cluster's place; None for an embedded one.
        log_level: Of the services.
        executor_log_level: Of the executors.
        warnings: One for each option that does not do what it says.
    """

    listen: str = f"{LOOPBACK}:0"
    proxy_listen: str = f"{LOOPBACK}:0"
    kvs_nodes: int | None = None
    endpoints: tuple[str, ...] = ()
    striping: Striping = field(default_factory=Striping)
    invokers: int | None = None
    invoker_threshold: int | None = None
    max_task_fanout: int | None = None
    large_bytes: int | None = None
    region: str = REGION
    root: str | None = None
    log_level: str = "INFO"
    executor_log_level: str = "INFO"
    warnings: tuple[LegacyOptionWarning, ...] = ()

    def spreading(self) -> dict[str, int]:
        """The counts that were given, by the names of `Plan`; the others keep its defaults."""
        counts = {
            "invokers": self.invokers,
            "invoker_threshold": self.invoker_threshold,
            "max_task_fanout": self.max_task_fanout,
        }
        return {name: value for name, value in counts.items() if value is not None}


def translate(published: Mapping[str, Any], modern: Iterable[str] = ()) -> Modern:
    """The modern meaning of published options.

    Args:
        published: The options by their keywords; None counts as not given.
        modern: The keywords of today, for the message about an unknown one.

    Raises:
        TypeError: A keyword is unknown; names the nearest one.
        ValueError: A value is outside what its option takes.
    """
    for name in published:
        if name not in _BY_NAME:
            nearest = difflib.get_close_matches(name, [*_BY_NAME, *modern], 1, cutoff=0.0)[0]
            raise TypeError(f"LocalCluster() has no keyword {name!r}; the nearest is {nearest!r}")
    given = {name: value for name, value in published.items() if value is not None}
    for name, value in given.items():
        kind = _BY_NAME[name].kind
        if not kind.takes(value):
            raise ValueError(f"{name} is {value!r}; it must be {kind.must}")
    deployed = _deployed(given)
    listen, host_stays = _loopback("host", given.get("host", LOOPBACK))
    proxy_listen, proxy_stays = _loopback(
        "proxy_address", given.get("proxy_address", LOOPBACK), given.get("proxy_port")
    )
    overruled = {
        "host": not host_stays,
        "proxy_address": not proxy_stays,
        "num_chunks_for_large_tasks": not given.get("chunk_large_tasks"),
        "num_fargate_nodes": not deployed and (given.get("use_fargate") is False or "redis_endpoints" in given),
        "print_level": not given.get("print_debug"),
    }
    warnings = tuple(
        LegacyOptionWarning(name, value, _BY_NAME[name].now if not deployed else _NOT_OF_DEPLOYMENTS)
        for name, value in given.items()
        if (name not in _OF_DEPLOYMENTS if deployed else overruled.get(name) or not _BY_NAME[name].heeded(value))
    )
    return Modern(
        listen=listen,
        proxy_listen=proxy_listen,
        kvs_nodes=None if overruled["num_fargate_nodes"] else given.get("num_fargate_nodes"),
        endpoints=tuple(f"{host}:{port}" for host, port in given.get("redis_endpoints", ())),
        striping=_striping(given),
        invokers=given.get("num_lambda_invokers"),
        invoker_threshold=0 if given.get("force_use_invoker_lambdas") else given.get("use_invoker_lambdas_threshold"),
        max_task_fanout=given.get("max_task_fanout"),
        large_bytes=given.get("big_task_threshold"),
        region=given.get("aws_region", Modern.region),
        log_level=_log_level(given),
        executor_log_level="DEBUG" if given.get("lambda_debug") else Modern.executor_log_level,
        root=os.fspath(given["wukong_config_path"]) if deployed else None,
        warnings=warnings,
    )


def _deployed(given: Mapping[str, Any]) -> bool:
    """Whether these options mean a deployment on AWS."""
    path = os.fspath(given.get("wukong_config_path", ""))
    return given.get("use_fargate") is True and bool(path) and not path.endswith(_YAML)


def _loopback(name: str, address: str, port: int | None = None) -> tuple[str, bool]:
    """Where to listen, "host:port", for what was given; and whether that is what was meant."""
    host, separator, own = address.removeprefix("tcp://").rpartition(":")
    if not separator:
        host, own = own, str(port or 0)
    elif port is not None:
        raise ValueError(f"{name} is {address!r}, and its port is given beside it too; give it once")
    if not host or (":" in host and not host.startswith("[")) or not own.isdecimal() or int(own) > 65535:
        raise ValueError(f"{name} is {address!r}; it must be a host, or host:port with a port up to 65535")
    if host == "localhost" or host.startswith("127."):
        return f"{host}:{own}", True
    return f"{LOOPBACK}:{own}", False


def _striping(given: Mapping[str, Any]) -> Striping:
    chunked = given.get("chunk_large_tasks")
    if chunked is None:
        return Striping()
    if not chunked:
        return Striping(MOST)
    return Striping(given.get("big_task_threshold", STRIPE), given.get("num_chunks_for_large_tasks", 0))


def _log_level(given: Mapping[str, Any]) -> str:
    if given.get("debug_mode"):
        return "DEBUG"
    return _LEVELS[given.get("print_level", 1)] if given.get("print_debug") else Modern.log_level
