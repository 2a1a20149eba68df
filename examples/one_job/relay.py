"""gRPC messages, as a relay between the client and the scheduler sees them."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from google.protobuf.message_factory import GetMessageClass

from examples.one_job.commands import mark_text
from examples.one_job.job import TASKS
from examples.one_job.row import Row
from wukong.rpc.v1 import event_pb2, job_pb2, scheduler_pb2

_METHODS = scheduler_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name


class Relay(grpc.GenericRpcHandler):
    """Hands calls on to the scheduler, and notes each message.

    Attributes:
        address: Where the client finds it, host:port.
        rows: What was said.
    """

    def __init__(self, scheduler: str) -> None:
        self.rows: list[Row] = []
        self._upstream = grpc.insecure_channel(scheduler)
        self._server = grpc.server(ThreadPoolExecutor(8), handlers=[self])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Any method: on the wire, a single message is a stream of one."""
        return grpc.stream_stream_rpc_method_handler(functools.partial(self._relay, handler_call_details.method))

    def released(self) -> bool:
        """Whether the client's release of the job was answered."""
        return any(row.text == "ReleaseJob answer" for row in self.rows)

    def close(self) -> None:
        """End both sides."""
        self._server.stop(None).wait()
        self._upstream.close()

    def _relay(self, path: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        method = _METHODS[path.rpartition("/")[2]]
        token = tuple(item for item in context.invocation_metadata() if item[0] == "authorization")
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = self._upstream.stream_stream(path)

        def sent() -> Iterator[bytes]:
            for data in requests:
                self._note("client", "scheduler", method.name, GetMessageClass(method.input_type).FromString(data))
                yield data

        try:
            for data in call(sent(), metadata=token):
                message = GetMessageClass(method.output_type).FromString(data)
                self._note("scheduler", "client", f"{method.name} answer", message)
                yield data
        except grpc.RpcError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, f"the relay could not hand {method.name} on: {error}")

    def _note(self, source: str, target: str, name: str, message: Any) -> None:
        fold = "progress" if isinstance(message, event_pb2.JobEvent) and message.HasField("progress") else ""
        self.rows.append(Row(time.time(), source, target, f"{name} {_text(message)}".strip(), fold))


def _text(message: Any) -> str:
    """What a message says, in a line."""
    match message:
        case scheduler_pb2.SubmitJobRequest():
            graph = message.graph
            offsets, deps, targets = (
                np.frombuffer(words, "<u4").tolist() for words in (graph.dep_offsets, graph.deps, graph.targets)
            )
            shape = f"dep_offsets={_numbers(offsets)} deps={_numbers(deps)} targets={_numbers(targets)}"
            size = sum(len(page.data) for page in graph.pages)
            return f"{message.job_id} {shape} pages={len(graph.pages)} ({size:,} bytes)"
        case scheduler_pb2.SubmitJobResponse():
            return _state(message.state)
        case job_pb2.JobRef() | scheduler_pb2.WatchJobRequest():
            return message.job_id
        case event_pb2.JobEvent() if message.HasField("progress"):
            return f"progress: {message.progress.tasks_run} of {message.progress.tasks_total} tasks"
        case event_pb2.JobEvent() if message.HasField("state"):
            results = [f"{TASKS[result.task]} = {mark_text(result.mark)}" for result in message.state.job.results]
            return " ".join([f"state: {_state(message.state.state)}", *results])
    return ""


def _numbers(numbers: Sequence[int]) -> str:
    return f"[{' '.join(map(str, numbers))}]"


def _state(state: job_pb2.JobState.ValueType) -> str:
    return job_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()
