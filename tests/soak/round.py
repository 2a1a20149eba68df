"""One round: one fault in the middle of one job, at a moment that a seed decides; then whether all is well."""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.soak.faults import FAULTS, KILLED, LEASE, Missed, Target
from tests.soak.log_tail import LogTail
from tests.soak.notes import Notes
from tests.soak.stores import Stores
from tests.soak.workloads import WORKLOADS, same

from wukong import Client, LocalCluster
from wukong.cluster.restarts import Restarts

#: Draws until a fault hits something; with each the job's tasks take half as long again.
DRAWS = 6

#: Seconds that a job may take, with its fault, on a busy machine.
PATIENCE = 90.0

#: Seconds that the cluster waits before it starts a part again from which on another cluster is taken.
WORN = 0.3

#: How the work of a round may spread; the one by default more often than the others.
POLICIES = ("heartbeat", "heartbeat", "wukong2020", "stateless")

#: From the first task on, up to which share of the tasks has begun when the fault comes.
LATEST = 0.9


@dataclass(frozen=True)
class Round:
    """Which round.

    Attributes:
        seed: Of all rounds of a run.
        fault: A name in `FAULTS`.
        workload: A name in `WORKLOADS`.
        number: Counts the rounds of one fault and workload.
    """

    seed: int
    fault: str
    workload: str
    number: int

    def __str__(self) -> str:
        return f"{self.fault}/{self.workload}/{self.number}"

    @property
    def replay(self) -> str:
        """The command that plays this round again."""
        return f"make soak SEED={self.seed} ONLY={self}"


class Stage:
    """Where rounds are played: a cluster that is shared by them, and another one when it is worn or a round failed.

    Args:
        logs: Where the logs of a cluster's processes are left when a round fails.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._arena: Arena | None = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def play(self, round_: Round) -> int:
        """Play one round; returns how often it was drawn.

        Raises:
            AssertionError: The result is wrong, or something is left of the job, or nothing was hit.
            Exception: The job failed, or the one after it. All have a note with the logs and the command that replays.
        """
        try:
            if self._arena is None or self._arena.worn:
                self._leave()
                self._arena = Arena()
            return self._arena.play(round_)
        except Exception as error:
            error.add_note(f"round: {round_}\nreplay: {round_.replay}")
            if self._arena is not None:
                error.add_note(f"logs: {self._keep(self._arena, str(round_).replace('/', '-'))}")
            self._leave()
            raise

    def _keep(self, arena: Arena, name: str) -> Path:
        """Write the logs where they can be read when the cluster is gone."""
        folder = self._logs / name
        folder.mkdir(parents=True, exist_ok=True)
        for part, text in arena.cluster.logs().items():
            (folder / f"{part}.log").write_text(text)
        return folder

    def _leave(self) -> None:
        arena, self._arena = self._arena, None
        if arena is not None:
            arena.close()


class Arena:
    """A cluster on which rounds are played, one after the other.

    Attributes:
        cluster: The cluster.
        worn: Whether parts were killed so often of late that the cluster may be given up soon.
    """

    def __init__(self) -> None:
        self.cluster = LocalCluster(environments=3, kvs_nodes=2, lease_seconds=LEASE, startup_timeout=PATIENCE)
        self.worn = False
        self._restarts = {part: Restarts() for part in set(KILLED.values())}
        self._killed = dict.fromkeys(self._restarts, time.monotonic())
        self._client = Client(self.cluster, timeout=PATIENCE)
        self._stores = Stores(self.cluster)

    def close(self) -> None:
        """End the cluster."""
        self._stores.close()
        self._client.close()
        self.cluster.close()

    def play(self, round_: Round) -> int:
        """See `Stage.play`."""
        chance = random.Random(f"{round_.seed} {round_}")
        scale = 1.0
        for draw in range(DRAWS):
            if self._try(round_, chance, scale):
                return draw + 1
            scale *= 1.5
        raise AssertionError(f"in {DRAWS} draws the fault hit nothing")

    def _try(self, round_: Round, chance: random.Random, scale: float) -> bool:
        """Whether the fault hit the job in its middle; then all went well."""
        with tempfile.TemporaryDirectory(prefix="soak-") as folder, self._log() as log:
            path = Path(folder, "notes")
            notes = Notes(path)
            notes.start()
            workload = WORKLOADS[round_.workload](path, scale)
            policy = chance.choice(POLICIES)
            moment = chance.randrange(1, int(LATEST * workload.noted))
            job = self._client.submit_graph(workload.graph, workload.keys, policy=policy)
            try:
                while notes.begun() < moment and self._stores.state(job.id) == "running":
                    time.sleep(0.001)
                time.sleep(chance.uniform(0.0, 2 * workload.seconds))
                happened = 0.0
                target = Target(self.cluster, self._stores, job.id, notes, log, chance)
                try:
                    with FAULTS[round_.fault](target):
                        happened = time.time()
                        found = job.result(PATIENCE)
                except Missed:
                    found = job.result(PATIENCE)
                    hit = False
                else:
                    self._wear(round_.fault)
                    hit = notes.first() < happened < self._stores.ended(job.id)
            finally:
                job.release()
            assert same(found, workload.expected), "the result is wrong"
        assert self._client.get({"next": (abs, -3)}, "next") == 3
        self._stores.settle()
        return hit

    def _wear(self, fault: str) -> None:
        """Count as the cluster does: it gives up what ends again and again, which here is nobody's fault."""
        if part := KILLED.get(fault):
            now = time.monotonic()
            pause = self._restarts[part].ended(now - self._killed[part])
            self._killed[part] = now
            self.worn = self.worn or pause is None or pause > WORN

    def _log(self) -> LogTail:
        return LogTail(Path(self._stores.servers()[0].cwd(), "mds"))


def rounds(seed: int, count: int, only: str = "") -> list[Round]:
    """The rounds of a run, every fault in turn; or those whose names begin with `only`."""
    every = [
        Round(seed, fault, workload, number) for number in range(count) for workload in WORKLOADS for fault in FAULTS
    ]
    return [round_ for round_ in every if f"{round_}/".startswith(only and f"{only}/")]
