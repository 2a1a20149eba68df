"""The values that one executor holds, and their forms for others to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from wukong.errors import WukongError
from wukong.kvs.store import ValueMissing
from wukong.values.codec import Packed, UnpicklableValue
from wukong.values.mark import NotJson, json_mark, stands_alone
from wukong.values.values import Values
from wukong_executor.failures import ValueStuck
from wukong_executor.recent import Recent

#: A value travels inside the metadata store up to this size, and all values of one fan-in up to the next.
INLINE_BYTES = 4 * 1024
FAN_IN_BYTES = 256 * 1024

#: Values up to the first size are stored in bundles of up to the second.
BUNDLED_BYTES = 64 * 1024
BUNDLE_BYTES = 4 * 1024 * 1024

#: A result travels inside the metadata store up to this size.
RESULT_BYTES = 64 * 1024


def inline_limit(need: int) -> int:
    """Bytes up to which a value is inlined into a fan-in of `need` edges."""
    return min(INLINE_BYTES, FAN_IN_BYTES // max(1, need))


class Memory:
    """Task -> value. A value is packed once, to be inlined or stored under its task's name.

    Both threads of an executor use it. The walk keeps them apart: a value stays here until what was told to be done
    with it is answered, and only one thread packs and stores at a time.

    Args:
        values: The stores.
        job: Whose values they are.
        token: The holder's.
        seconds: After how long stored values may vanish.
        recent_bytes: How much of what is stored may stay here after it was dropped.
        inlines: Whether marks carry values. Without that they carry results only, and all else is in the KVS.
        write: Makes a call that writes to the KVS, and deals with a full one.
    """

    def __init__(
        self,
        values: Values,
        job: str,
        token: str,
        seconds: float,
        recent_bytes: int,
        inlines: bool = True,
        write: Callable[[Callable[[], Any]], Any] = lambda call: call(),
    ) -> None:
        self._values = values
        self._job = job
        self._token = token
        self._seconds = seconds
        self.by_task: dict[int, Any] = {}
        self._packed: dict[int, Packed] = {}
        self._inlined: dict[int, bytes] = {}
        self._stored: dict[int, int] = {}  # bytes of the values that can be read from the KVS
        self._recent = Recent(recent_bytes)
        self._inlines = inlines
        self._store = values.store if inlines else values.store_apart
        self._write = write

    def drop(self, tasks: Iterable[int]) -> None:
        """Forget values that nobody here needs."""
        for task in tasks:
            value = self.by_task.pop(task, None)
            if self._stored and (nbytes := self._stored.pop(task, None)) is not None:
                self._recent.keep(task, value, nbytes)
            if self._packed:
                self._packed.pop(task, None)
            if self._inlined:
                self._inlined.pop(task, None)

    def inline(self, task: int, limit: int) -> bytes | None:
        """The value as a mark that holds it, if marks do and it is at most `limit` bytes."""
        return self._inline(task, limit) if self._inlines else None

    def _inline(self, task: int, limit: int) -> bytes | None:
        packed = self._pack(task)
        if packed.nbytes > limit:
            return None
        if task not in self._inlined:
            self._inlined[task] = self._values.inline(self._job, str(task), packed)
        return self._inlined[task]

    def store_all(self, tasks: Sequence[int], together: Sequence[Sequence[int]]) -> list[tuple[int, bytes]]:
        """Write values to the KVS, small ones of one group as one object; returns (task, mark) of each."""
        marks: dict[int, bytes] = {}
        for group in together:
            for bundle in self._bundles(group):
                items = [(str(task), self._pack(task)) for task in bundle]
                stored = self._write(
                    partial(self._values.bundle, self._job, items, self._token, self._seconds, not self._inlines)
                )
                marks.update(zip(bundle, stored, strict=True))
                for task in bundle:
                    self.written(task)
        return [(task, marks[task] if task in marks else self.store(task)) for task in tasks]

    def _bundles(self, group: Sequence[int]) -> Iterator[list[int]]:
        """Cut the small values of a group into bundles of limited size."""
        bundle: list[int] = []
        size = 0
        for task in group:
            nbytes = self._pack(task).nbytes
            if nbytes > BUNDLED_BYTES:
                continue
            if size + nbytes > BUNDLE_BYTES:
                yield bundle
                bundle, size = [], 0
            bundle.append(task)
            size += nbytes
        if len(bundle) > 1:
            yield bundle

    def store(self, task: int) -> bytes:
        """Write the value to the KVS; returns its mark."""
        packed = self._pack(task)
        mark: bytes = self._write(partial(self._store, self._job, str(task), packed, self._token, self._seconds))
        self.written(task)  # the mark stands for it from now on
        return mark

    def announce(self, task: int) -> tuple[bytes, list[memoryview]]:
        """The mark that `store` would return, and what it would write, for the proxy to write it instead."""
        return self._values.announce(self._job, str(task), self._pack(task), self._token)

    def written(self, task: int) -> None:
        """What was announced is stored."""
        if (packed := self._packed.pop(task, None)) is not None:
            self._stored[task] = packed.nbytes

    def nbytes(self, task: int) -> int:
        """The bytes of a value here."""
        return self._pack(task).nbytes

    def result(self, task: int, as_json: bool, stored: bytes | None = None) -> bytes:
        """The value of a sink as its mark: inline where small, as JSON where other languages read it.

        Args:
            task: The sink.
            as_json: Whether other languages read it; what is stored is a pickle, which they cannot.
            stored: Its mark, where it can be read already. Later jobs may use the result as their input after this
                job's other values are gone, so a mark that leans on another value does not do.
        """
        if as_json:
            try:
                return json_mark(self.by_task[task])
            except NotJson as error:
                raise ValueStuck(task, error) from error
        if stored is not None and stands_alone(stored, self._job, str(task)):
            return stored
        return self._inline(task, RESULT_BYTES) or self.store(task)

    def load(self, values: Sequence[tuple[int, bytes]]) -> list[int]:
        """Bring values into memory by their marks; returns those that are lost."""
        wanted: list[tuple[int, bytes]] = []
        for task, mark in values:
            if (kept := self._recent.take(task)) is not None:
                self.by_task[task], self._stored[task] = kept
            else:
                wanted.append((task, mark))
        try:
            found = self._values.load_many([(self._job, str(task), mark) for task, mark in wanted])
        except ValueMissing:
            if len(wanted) == 1:
                return [wanted[0][0]]
            half = len(wanted) // 2
            return self.load(wanted[:half]) + self.load(wanted[half:])
        except WukongError:
            raise  # of the stores
        except Exception as error:
            if len(wanted) == 1:
                raise ValueStuck(wanted[0][0], error) from error
            for one in wanted:  # finds the value that raises when it is unpickled
                self.load([one])
            raise
        for (task, mark), value in zip(wanted, found, strict=True):
            self.by_task[task] = value
            if (nbytes := self._values.nbytes(mark)) > INLINE_BYTES:
                self._stored[task] = nbytes
        return []

    def _pack(self, task: int) -> Packed:
        packed = self._packed.get(task)
        if packed is None:
            try:
                packed = self._packed[task] = self._values.pack(self.by_task[task])
            except UnpicklableValue as error:
                raise ValueStuck(task, error) from error
        return packed
