"""Commands of the stores in readable form: which script, its arguments, and what the script answered.

MONITOR does not tell replies. Those of scripts are read off the commands that a script ran, and off what was said
before: a claim, for instance, brings the marks that others made.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from examples.one_job.job import PARENTS, TASKS
from examples.one_job.monitor import Command
from wukong.mds import scripts
from wukong.mds.records import unpack_inputs
from wukong.mds.tasks import unpack_tasks
from wukong.values import mark
from wukong.values.scalar import load_scalar

Words = Sequence[bytes]

_NAMES = {script.digest: name.lower() for name, script in vars(scripts).items() if isinstance(script, scripts.Script)}

#: Points in time, all of them the job's end and a grace.
_TIMES = re.compile(r"(EXAT|PX|PEXPIRE \S+) \d+")

#: Sequence numbers of events.
_EVENT = re.compile(r"\(\d{13}-\d+")


class Commands:
    """Puts the commands of one job into words, in the order in which they were given.

    Attributes:
        job: The job's id, once it was created.
        tokens: The tokens of its executors, in the order in which they began.
    """

    def __init__(self) -> None:
        self.job = ""
        self.tokens: list[str] = []
        self._records: dict[str, str] = {}
        self._marks: dict[str, dict[str, str]] = defaultdict(dict)
        self._texts: dict[str, Callable[[Words, Sequence[Words]], str]] = {
            "create": self._create,
            "open": self._open,
            "begin": self._begin,
            "offload": self._offload,
            "sync": self._sync,
            "bury": self._bury,
        }

    def text(self, command: Command) -> str:
        """One command in words."""
        name, *words = command.words
        if name in (b"EVALSHA", b"EVAL"):  # whole, where the server does not know it yet
            whole = name == b"EVAL"
            script = _NAMES[hashlib.sha1(words[0]).hexdigest() if whole else words[0].decode()]
            arguments = words[2 + int(words[1]) :]
            if script in self._texts:
                return self._texts[script](arguments, command.inside)
            return " ".join([script, *map(_argument, arguments)])
        text = " ".join([name.decode(), *map(_argument, words)])
        return _EVENT.sub("(seen", _TIMES.sub(r"\1 end", text))

    def _create(self, words: Words, inside: Sequence[Words]) -> str:
        self.job = words[0].decode()
        fields = dict(zip(words[4::2], words[5::2], strict=True))
        shown = " ".join(f"{name}={fields[name.encode()].decode()}" for name in ("tasks", "sinks", "parallelism"))
        return f"create {self.job} {shown} -> loading"

    def _open(self, words: Words, inside: Sequence[Words]) -> str:
        for i in range(4, len(words), 2):
            self._records[words[i].decode()] = _tasks(words[i + 1])
        records = [f"record {record}: {entries}" for record, entries in self._records.items()]
        return f"open {'; '.join(records)} -> running"

    def _begin(self, words: Words, inside: Sequence[Words]) -> str:
        token, record = words[0].decode(), words[2].decode()
        self.tokens.append(token)
        begun = any(step[0] == b"HSET" and step[2] == b"holder" for step in inside)
        return f"begin record {record} as {token} -> {self._records[record] if begun else 'refused'}"

    def _offload(self, words: Words, inside: Sequence[Words]) -> str:
        pieces = []
        for number, i in enumerate(range(9, len(words), 2)):
            inputs = ", ".join(f"{TASKS[task]} = {mark_text(found)}" for task, found in unpack_inputs(words[i + 1]))
            record = f"{words[4].decode()}.{number}"
            self._records[record] = f"{_tasks(words[i])} with {inputs}"
            pieces.append(f"record {record}: {self._records[record]}")
        given = [step[3] for step in inside if step[0] == b"HSET" and step[2].startswith(b"g:")]
        accepted = given[0].partition(b":")[0].decode() if given else "0"
        return f"offload of record {words[1].decode()}, {'; '.join(pieces)} -> {accepted} accepted"

    def _sync(self, words: Words, inside: Sequence[Words]) -> str:
        said: list[str] = []
        answers: list[str] = []
        end, current = words[5] == b"1", int(words[6].split()[0])
        rest = iter(words[10 + 2 * int(words[9]) :])  # behind the counters
        for _ in range(int(next(rest))):
            child = TASKS[int(next(rest))]
            next(rest)  # how many parents it has
            here = []
            for _ in range(int(next(rest))):
                here.append(PARENTS[child][int(next(rest))])
                self._marks[child][here[-1]] = mark_text(next(rest))
                said.append(f"mark {here[-1]} for {child}: {self._marks[child][here[-1]]}")
            for _ in range(int(next(rest))):
                here.append(PARENTS[child][int(next(rest))])
                said.append(f"offer {here[-1]} for {child}")
            answers.append(f"{child} {self._verdict(child, here, inside)}")
        for _ in range(int(next(rest))):
            said.append(f"result {TASKS[int(next(rest))]} = {mark_text(next(rest))}")
        if not said and not end:
            said.append(f"beat, running {TASKS[current] if current >= 0 else 'nothing'}")
        if _writes(inside, b"HSET", b":m", b"state", b"done"):
            answers.append("job done")
        if end:
            said.append("end")
            answers.append("ended" if _writes(inside, b"UNLINK", b":r:") else "not ended")
        return f"sync of record {words[1].decode()}: {', '.join(said)} -> {', '.join(answers) or 'go on'}"

    def _verdict(self, child: str, here: Iterable[str], inside: Sequence[Words]) -> str:
        number = str(TASKS.index(child)).encode()
        owners = [step[3] for step in inside if step[0] == b"HSET" and b":o:" in step[1] and step[2] == number]
        if any(owners):
            others = [f"{parent} = {found}" for parent, found in self._marks[child].items() if parent not in here]
            return f"claimed, {', '.join(others)}"
        # Only a fan-in without an owner has its marks counted.
        return "not yet" if any(step[0] == b"HLEN" for step in inside) else "taken"

    def _bury(self, words: Words, inside: Sequence[Words]) -> str:
        return f"bury {words[0].decode()}, with a tombstone for {words[1].decode()} s"


def mark_text(found: bytes) -> str:
    """What a mark stands for."""
    if found.startswith(mark.MANIFEST_TAG):
        return f"a manifest of {mark.nbytes(found):,} bytes"
    return repr(load_scalar(found))


def _argument(word: bytes) -> str:
    if len(word) <= 80 and word.isascii() and word.decode().isprintable():
        return word.decode()
    return f"({len(word):,} bytes)"


def _tasks(packed: bytes) -> str:
    return "".join(TASKS[task] for task in unpack_tasks(packed))


def _writes(inside: Sequence[Words], name: bytes, key: bytes, *words: bytes) -> bool:
    return any(step[0] == name and key in step[1] and list(step[2:4]) == list(words) for step in inside)
