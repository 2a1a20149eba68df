"""The pages of one job, as one executor holds them: adjacency for the walk, programs for the shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wukong.graph import payload
from wukong.graph.calls import CALLS
from wukong.graph.dag import Program
from wukong.graph.functions import allowed_functions
from wukong.graph.page import Page
from wukong.mds.store import Mds
from wukong.values.signing import SIZE, Signer


class Programs:
    """Fetches, verifies and opens pages."""

    def __init__(self, mds: Mds, signer: Signer, job: str, first_tasks: Sequence[int]) -> None:
        self._mds = mds
        self._signer = signer
        self._job = job
        self._index = {first: index for index, first in enumerate(first_tasks)}
        #: Task -> what to run; None for an uploaded input.
        self.by_task: dict[int, Program | None] = {}
        #: Task -> mark, of uploaded inputs.
        self.inputs: dict[int, bytes] = {}
        #: Task -> its Dask key.
        self.keys: dict[int, Any] = {}
        #: Task -> seconds that it is expected to run, where the graph says so.
        self.seconds: dict[int, float] = {}
        self._retries: dict[int, int] = {}
        self._default_retries = 0

    def retries(self, task: int) -> int:
        """How often a task that raises is run again."""
        return self._retries.get(task, self._default_retries)

    def fetch(self, indices: Sequence[int]) -> list[Page]:
        """Pages by index, in one round trip."""
        return [
            self.open(index, data) for index, data in zip(indices, self._mds.pages(self._job, indices), strict=True)
        ]

    def open(self, index: int, data: bytes) -> Page:
        """Verify and open one signed page.

        Raises:
            ValueRefused: It does not carry the cluster's signature.
            MissingModule: A function of it needs a module that is not here.
            InvalidGraph: It calls by name what the image does not offer.
        """
        body = memoryview(data)[SIZE:]
        self._signer.verify(f"page:{self._job}:{index}", data[:SIZE], body)
        page = Page.decode(body)
        functions = allowed_functions() if page.payload[:1] == CALLS else None
        keys, programs, hints = payload.load(page.payload, functions, page.first)
        tasks = range(page.first, page.first + page.count)
        self.by_task.update(zip(tasks, programs, strict=True))
        self.keys.update(zip(tasks, keys, strict=True))
        self.inputs.update(page.inputs)
        self.seconds.update(hints.seconds)
        self._retries.update(hints.retries)
        self._default_retries = page.retries
        return page
