"""Takes a job: validates it, writes it to the metadata store and has its first executors invoked.

Everything here blocks and runs in one thread per submission, since hops between threads would cost a small
graph as much as the rest. A repeated submission finds the job there and changes nothing; one that a crash
cut short is completed when it is repeated, because the job opens only when all of it is written.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2

from wukong.engine.policy.named import policy_named
from wukong.engine.policy.policy import Policy
from wukong.errors import ClusterUnavailable, InvalidGraph, LimitExceeded, ValueRefused
from wukong.graph.calls import Call, plan
from wukong.graph.functions import not_offered
from wukong.graph.page import build_pages
from wukong.graph.page_index import first_pages
from wukong.mds.budget import Budget
from wukong.mds.job_id import check_job_id
from wukong.mds.store import JobSpec, Mds
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2
from wukong.runtime import Runtime
from wukong.values.signing import Signer
from wukong_scheduler import messages
from wukong_scheduler.admission import Shape, check_graph, check_payloads
from wukong_scheduler.config import Config
from wukong_scheduler.inputs import Inputs
from wukong_scheduler.invocations import Invoke
from wukong_scheduler.rings import Rings
from wukong_scheduler.runtime import check_runtime
from wukong_scheduler.schedules import static_schedules
from wukong_scheduler.targets import Targets

#: Seconds that a page is kept which was uploaded ahead of its job.
UPLOAD_SECONDS = 600

#: What starting an executor is taken to cost, and from where on a value is large: neither decides where to start.
INVOCATION_SECONDS = 0.005
LARGE_BYTES = 0

#: Pages read back in one round trip.
_BATCH = 32

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Work:
    """A valid graph with all that its pages are made of.

    Attributes:
        shape: Tasks, edges, targets and pages.
        payloads: One for each page.
        inputs: Marks of uploaded values, by task.
        hashes: Content hashes of those values.
        names: Names of the targets, for a job of calls.
        request: What tells a job of calls from another one.
        warnings: Sentences for the user.
        runtime: The manifest of the executors that the graph was pickled for; empty where nothing is pickled.
    """

    shape: Shape
    payloads: Sequence[bytes]
    inputs: Mapping[int, bytes] = field(default_factory=dict)
    hashes: Sequence[str] = ()
    names: Sequence[str] = ()
    request: str = ""
    warnings: Sequence[str] = ()
    runtime: str = ""


class MissingPagesError(Exception):
    """Pages that were neither sent nor uploaded before; the client sends them and tries again."""

    def __init__(self, hashes: Sequence[str]) -> None:
        super().__init__(f"{len(hashes)} pages are missing")
        self.hashes = hashes


class Submission:
    """Takes jobs and pages."""

    def __init__(self, config: Config, mds: Mds, rings: Rings, invoke: Invoke) -> None:
        self._config = config
        self._mds = mds
        self._rings = rings
        self._invoke = invoke
        self._signer = Signer(config.signing_key)
        self._manifest = config.runtime.to_json()
        self._inputs = Inputs(mds, self._signer)
        self._turns = _Turns()

    def keep_page(self, page: graph_pb2.Page) -> None:
        """Keep a page for a job that will name it.

        Raises:
            InvalidGraph: The hash is not that of the data.
            LimitExceeded: The page is too large.
        """
        self._config.limits.hold("page_bytes", len(page.data))
        _check_hash(page)
        self._mds.put_upload(page.hash, page.data, UPLOAD_SECONDS)

    def submit(self, request: scheduler_pb2.SubmitJobRequest) -> scheduler_pb2.SubmitJobResponse:
        """Take a job.

        Raises:
            InvalidGraph: The graph cannot be run.
            VersionMismatch: The executors could not read its pickles.
            LimitExceeded: It is too large.
            ValueRefused: A page was changed in the metadata store after it was uploaded.
            ClusterUnavailable: No node of the key-value store is there yet.
        """
        name = request.job_id
        check_job_id(name)
        with self._turns.of(name):
            known = self._mds.job(name)
            if known is not None and known.state != "loading":
                self._check_same(request)
                return scheduler_pb2.SubmitJobResponse(job_id=name, state=messages.state(known.state))
            try:
                work = self._calls(request) if request.tasks else self._graph(request)
            except MissingPagesError as missing:
                return scheduler_pb2.SubmitJobResponse(job_id=name, missing_pages=missing.hashes)
            state = self._write(name, work, request.options)
        return scheduler_pb2.SubmitJobResponse(job_id=name, state=messages.state(state), warnings=work.warnings)

    def _check_same(self, request: scheduler_pb2.SubmitJobRequest) -> None:
        """Raise if the job is known as one of other calls: nobody may get their results for his own."""
        known = Targets.decode(self._mds.targets(request.job_id)).request
        if known and known != _digest(request):
            raise InvalidGraph(
                f"job {request.job_id!r} was submitted before with another graph or other options, and an id stands "
                "for one job; choose another"
            )

    def _calls(self, request: scheduler_pb2.SubmitJobRequest) -> Work:
        if request.HasField("graph"):
            raise InvalidGraph("a job has either `tasks` or a `graph`, not both")
        self._config.limits.hold("tasks", len(request.tasks))
        calls = [
            Call(
                id=task.id,
                function=task.call.function,
                args=_plain(task.id, task.call.args),
                kwargs=_plain(task.id, task.call.kwargs),
                retries=task.options.retries if task.options.HasField("retries") else None,
            )
            for task in request.tasks
        ]
        planned = plan(calls, list(request.targets))
        offer = self._config.offer
        for call in calls:
            if offer is not None and not offer.may_have(call.function):
                raise not_offered(call.id, call.function)
        shape = check_graph(
            planned.dep_offsets.tobytes(),
            planned.deps.tobytes(),
            planned.targets.tobytes(),
            planned.firsts,
            (),
            self._config.limits,
        )
        check_payloads([len(payload) for payload in planned.payloads], len(shape.firsts), self._config.limits)
        return Work(shape, planned.payloads, names=list(dict.fromkeys(request.targets)), request=_digest(request))

    def _graph(self, request: scheduler_pb2.SubmitJobRequest) -> Work:
        graph, limits = request.graph, self._config.limits
        shape = check_graph(
            graph.dep_offsets,
            graph.deps,
            graph.targets,
            graph.first_tasks,
            [item.task for item in graph.inputs],
            limits,
        )
        client = Runtime(request.client.python, request.client.packages)
        warnings = check_runtime(client, self._config.runtime)
        payloads = self._payloads(graph)
        check_payloads([len(payload) for payload in payloads], len(shape.firsts), limits)
        inputs = self._inputs.marks(graph.inputs, request.job_id, self._seconds(request.options))
        hashes = sorted({item.ref.hash for item in graph.inputs if not item.ref.job_id})
        return Work(shape, payloads, inputs, hashes, warnings=warnings, runtime=self._manifest)

    def _payloads(self, graph: graph_pb2.Graph) -> list[bytes]:
        self._config.limits.hold("inline_pages_bytes", sum(len(page.data) for page in graph.pages))
        known: dict[str, bytes | None] = {}
        for page in graph.pages:
            _check_hash(page)
            known[page.hash] = page.data
        wanted = [name for name in dict.fromkeys(graph.page_hashes) if name not in known]
        for name in wanted:
            if not _HASH.fullmatch(name):
                raise InvalidGraph(f"{name!r} is no page's hash: it has 64 hexadecimal digits")
        for i in range(0, len(wanted), _BATCH):
            batch = wanted[i : i + _BATCH]
            for name, data in zip(batch, self._mds.uploads(batch), strict=True):
                if data is not None and hashlib.sha256(data).hexdigest() != name:
                    # It would be signed as if an authenticated client had sent it.
                    raise ValueRefused(
                        f"the page {name} was changed in the metadata store after it was uploaded; it was not signed. "
                        "Find out who can write there, and submit the graph again when the page has expired"
                    )
                known[name] = data
        missing = [name for name in wanted if known[name] is None]
        if missing:
            raise MissingPagesError(missing)
        return [data for name in graph.page_hashes if (data := known[name]) is not None]

    def _seconds(self, options: job_pb2.JobOptions) -> float:
        asked = options.deadline_seconds if options.HasField("deadline_seconds") else self._config.deadline
        if not asked > 0:
            raise InvalidGraph(f"a deadline of {asked:g} s is over before the job begins; give a number above 0")
        if asked > self._config.deadline:
            advice = "Give less time; operators allow more with WUKONG_DEADLINE_SECONDS."
            raise LimitExceeded("deadline_seconds", asked, self._config.deadline, advice)
        return asked

    def _policy(self, options: job_pb2.JobOptions) -> tuple[str, Policy]:
        name = options.policy if options.HasField("policy") else self._config.policy
        try:
            return name, policy_named(name, INVOCATION_SECONDS, LARGE_BYTES)
        except ValueError as error:
            raise InvalidGraph(str(error)) from None

    def _parallelism(self, options: job_pb2.JobOptions, policy: Policy, tasks: int) -> int:
        # No two records begin with the same task, so that many are never refused.
        most = self._config.parallelism if policy.bounded else tasks
        asked = options.max_parallelism if options.HasField("max_parallelism") else most
        if asked < 1:
            raise InvalidGraph("max_parallelism is 0; a job needs at least one executor")
        return min(asked, most)

    def _budget(self, options: job_pb2.JobOptions) -> Budget | None:
        if not options.HasField("max_cost_usd"):
            return None
        asked = options.max_cost_usd
        if not 0 < asked < math.inf:
            raise InvalidGraph(f"max_cost_usd is {asked:g}; a budget is a number of US dollars above 0, or left away")
        return Budget(asked, self._config.prices)

    def _write(self, name: str, work: Work, options: job_pb2.JobOptions) -> str:
        """Write the job and have its first executors invoked; returns its state."""
        shape = work.shape
        # Inputs may be on a node that has just come.
        ring = self._rings.newest(0.0) if work.hashes else self._rings.newest()
        if ring is None or not ring.nodes:
            raise ClusterUnavailable("the key-value store has no node yet; try again in a moment")
        name_of_policy, policy = self._policy(options)
        spec = JobSpec(
            tasks=shape.tasks,
            sinks=len(shape.targets),
            pages=len(shape.firsts),
            first_tasks=shape.firsts.tolist(),
            parallelism=self._parallelism(options, policy, shape.tasks),
            ring=ring,
            seconds=self._seconds(options),
            json_results=bool(work.names),
            inputs=work.hashes,
            targets=Targets(shape.targets.tolist(), work.names, work.request).encode(),
            runtime=work.runtime,
            budget=self._budget(options),
            policy=name_of_policy,
        )
        pages = build_pages(
            shape.offsets,
            shape.deps,
            shape.targets,
            shape.firsts.tolist(),
            work.payloads,
            work.inputs,
            options.retries,
        )
        for i, body in enumerate(pages):  # in their place: all of them twice would be the most that a job takes here
            pages[i] = self._signer.sign(f"page:{name}:{i}", body) + body
        records = static_schedules(shape.leaves.tolist(), spec.parallelism, policy)
        state = self._mds.submit(name, spec, pages, records, self._config.lease)
        if state == "running":
            self._invoke(name, {record.id: first_pages(record.entries, spec.first_tasks) for record in records})
        return state


def _plain(task: str, arguments: struct_pb2.ListValue | struct_pb2.Struct) -> Any:
    try:
        return json_format.MessageToDict(arguments)
    except (ValueError, json_format.Error):
        raise InvalidGraph(
            f"task {task!r} has an argument that is not finite (NaN or Infinity), which JSON does not know; send it as "
            "a string"
        ) from None


def _digest(request: scheduler_pb2.SubmitJobRequest) -> str:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def _check_hash(page: graph_pb2.Page) -> None:
    found = hashlib.sha256(page.data).hexdigest()
    if found != page.hash:
        raise InvalidGraph(f"a page came with the hash {page.hash!r}, but its data has {found}; send it again")


class _Turns:
    """Lets submissions of one job go one after the other: half of one must not undo half of another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, job: str) -> Iterator[None]:
        """Wait for this job's turn."""
        with self._lock:
            turn, users = self._jobs.get(job, (threading.Lock(), 0))
            self._jobs[job] = turn, users + 1
        try:
            with turn:
                yield
        finally:
            with self._lock:
                users = self._jobs[job][1] - 1
                if users:
                    self._jobs[job] = turn, users
                else:
                    del self._jobs[job]
