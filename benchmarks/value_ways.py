"""The ways that bytes of one size can take, for `make bench-values`: Wukong's stores, and what bounds them."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.striping import STRIPE, Striping
from wukong.redis.dial import dial
from wukong.values.signing import Signer
from wukong.values.values import Values

_CONNECT_SECONDS = 10.0

#: Seconds after which what a run left behind may vanish.
_LIFE = 600.0

_STRIPING = Striping()


class Way(Protocol):
    """There and back, for one array after another of the same size."""

    def put(self, array: np.ndarray, repeats: int) -> None:
        """Bring the array there, so many times."""

    def get(self, array: np.ndarray, repeats: int) -> None:
        """Fetch what `put` brought there, so many times; `array` is as large."""

    def check(self, array: np.ndarray) -> None:
        """Fail unless what comes back is equal to the array that was put."""

    def clear(self) -> None:
        """Remove what is there."""


class Stored:
    """Wukong's way: packed, signed, striped over the nodes, loaded as a new array."""

    def __init__(self, addresses: Sequence[str], password: str, striping: Striping = _STRIPING) -> None:
        nodes = tuple(Node(f"node-{number}", address) for number, address in enumerate(addresses))
        self._values = Values(RedisKvs(Ring(1, nodes), password=password, striping=striping), Signer(bytes(32)))
        self._tokens = itertools.count()
        self._marks: list[bytes] = []

    def put(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        for _ in range(repeats):
            packed = self._values.pack(array)
            self._marks.append(self._values.store("bench", "value", packed, str(next(self._tokens)), _LIFE))

    def get(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        for mark in self._marks[-repeats:]:
            self._values.load("bench", "value", mark)

    def check(self, array: np.ndarray) -> None:
        """See `Way`."""
        found: Any = self._values.load("bench", "value", self._marks[-1])
        assert np.array_equal(found, array)

    def clear(self) -> None:
        """See `Way`."""
        self._marks.clear()
        self._values.kvs.purge("bench")

    def close(self) -> None:
        """Close the connections."""
        self._values.kvs.close()


class Warm:
    """Memory that was used before. Ways take turns, so they share it."""

    def __init__(self) -> None:
        self._memory = np.zeros(0, np.uint8)

    def of(self, nbytes: int) -> np.ndarray:
        """So many bytes; what is in them is anything."""
        if self._memory.nbytes != nbytes:
            self._memory = np.zeros(nbytes, np.uint8)
            self._memory[:] = 1  # every page
        return self._memory


class Bare:
    """A socket and nothing else: SET and GET as few system calls as they take, out of memory and into memory that
    were used before; it goes the short way where there is one. What no client of one node can beat by much."""

    def __init__(self, address: str, password: str, warm: Warm) -> None:
        self._warm = warm
        host, _, port = address.rpartition(":")
        self._socket, _ = dial(host, int(port), _CONNECT_SECONDS)
        self._socket.settimeout(None)
        self._ask(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password), password.encode()), b"+OK\r\n")
        self._numbers: range = range(0)

    def put(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        data = array.data.cast("B")
        self._numbers = range(self._numbers.stop, self._numbers.stop + repeats)
        for number in self._numbers:
            parts = [data[start : start + STRIPE] for start in range(0, len(data), STRIPE)]
            for stripe, part in enumerate(parts):
                key = b"bare:%d:%d" % (number, stripe)
                head = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key, len(part))
                if len(part) < STRIPE:
                    self._socket.sendall(b"".join((head, part, b"\r\n")))
                else:
                    self._socket.sendall(head)
                    self._socket.sendall(part)
                    self._socket.sendall(b"\r\n")
            self._expect(b"+OK\r\n" * len(parts))

    def get(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        memory = self._warm.of(array.nbytes).data
        for number in self._numbers[-repeats:]:
            starts = range(0, array.nbytes, STRIPE)
            keys = [b"bare:%d:%d" % (number, stripe) for stripe in range(len(starts))]
            self._socket.sendall(b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key) for key in keys))
            for start in starts:
                part = memory[start : start + STRIPE]
                self._expect(b"$%d\r\n" % len(part))
                done = 0
                while done < len(part):
                    done += self._socket.recv_into(part[done:], 0, socket.MSG_WAITALL)
                self._expect(b"\r\n")

    def check(self, array: np.ndarray) -> None:
        """See `Way`."""
        self.get(array, 1)
        assert np.array_equal(self._warm.of(array.nbytes), array)

    def clear(self) -> None:
        """See `Way`."""
        self._ask(b"*1\r\n$8\r\nFLUSHALL\r\n", b"+OK\r\n")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _ask(self, request: bytes, answer: bytes) -> None:
        self._socket.sendall(request)
        self._expect(answer)

    def _expect(self, answer: bytes) -> None:
        got = self._socket.recv(len(answer), socket.MSG_WAITALL)
        if got != answer:
            raise RuntimeError(f"the server answered {got!r}, not {answer!r}")


class Loopback:
    """The same bytes through TCP on this machine to a thread that receives them into memory that was used before."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._near = socket.create_connection(listener.getsockname())
            self._far, _ = listener.accept()

    def put(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        receiver = threading.Thread(target=self._receive, args=(self._warm.of(array.nbytes).data, repeats))
        receiver.start()
        for _ in range(repeats):
            self._near.sendall(array.data.cast("B"))
        receiver.join()

    def _receive(self, memory: memoryview, repeats: int) -> None:
        for _ in range(repeats):
            done = 0
            while done < len(memory):
                done += self._far.recv_into(memory[done:])

    def get(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`; it is the same as `put`."""
        self.put(array, repeats)

    def check(self, array: np.ndarray) -> None:
        """See `Way`."""
        assert np.array_equal(self._warm.of(array.nbytes), array)

    def clear(self) -> None:
        """See `Way`; nothing is kept."""

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


class Copied:
    """NumPy's copy: there into memory that was used before, back into new memory, as all that is loaded comes into."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def put(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        memory = self._warm.of(array.nbytes)
        for _ in range(repeats):
            np.copyto(memory, array)

    def get(self, array: np.ndarray, repeats: int) -> None:
        """See `Way`."""
        for _ in range(repeats):
            array.copy()

    def check(self, array: np.ndarray) -> None:
        """See `Way`."""
        assert np.array_equal(self._warm.of(array.nbytes), array)

    def clear(self) -> None:
        """See `Way`; nothing is kept."""
