"""Brings the values that are embedded in a graph to its job: uploads them, or names the earlier jobs that have them."""

from __future__ import annotations

from wukong import settings
from wukong.client import uploads
from wukong.client.session import Session
from wukong.graph.dag import Dag
from wukong.graph.reference import Reference
from wukong.rpc.v1 import graph_pb2, value_pb2


def bring(session: Session, dag: Dag, job_id: str, deadline: float | None) -> list[graph_pb2.Input]:
    """The inputs of a job. Waits for the earlier jobs whose values are among them.

    Args:
        session: The client's.
        dag: The graph.
        job_id: Its job.
        deadline: Seconds that the job may take; None for the cluster's limit.

    Raises:
        InvalidGraph: A value is one of another cluster.
        WukongError: The stores or the cluster cannot be reached, or the stores are full.
        Exception: What a future in the graph raised.
    """
    found = []
    values: dict[int, object] = {}
    for task, value in dag.inputs.items():
        if isinstance(value, Reference):
            job, number = value.stands(session.connection.address)
            found.append(graph_pb2.Input(task=task, ref=value_pb2.ValueRef(job_id=job, task=number)))
        else:
            values[task] = value
    if values:
        # What an earlier job of this client frees is gone before it is looked for.
        session.releases.settle()
        found += uploads.upload(values, job_id, _carrier(session, deadline))
    return found


def _carrier(session: Session, deadline: float | None) -> uploads.Carrier:
    stores, leases = session.stores, session.leases
    if stores is None or leases is None:
        return uploads.ByProxy(session.connection)
    leases.drop_gone()
    stores.follow()  # the job will be on the newest ring
    return uploads.Direct(stores, leases, float(settings.DEADLINE_SECONDS.get({})) if deadline is None else deadline)
