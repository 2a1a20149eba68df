"""How far a job is, as text for terminals and notebooks. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: The widest bar, in characters.
_WIDEST = 40


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        tasks: Tasks of the graph.
        tasks_run: Runs of tasks so far; more than `tasks` only after a fault.
        executors: Executors at work.
        seconds: Since the watching began.
    """

    tasks: int
    tasks_run: int
    executors: int
    seconds: float

    @property
    def share(self) -> float:
        """What is done of the whole, from 0 to 1."""
        return min(1.0, self.tasks_run / self.tasks) if self.tasks else 0.0


def words(progress: Progress) -> str:
    """The counts and the time."""
    run = min(progress.tasks_run, progress.tasks)
    parts = [f"{run:,}/{progress.tasks:,} tasks", _duration(progress.seconds)]
    if progress.executors or run < progress.tasks:
        parts.insert(1, "1 executor" if progress.executors == 1 else f"{progress.executors:,} executors")
    return ", ".join(parts)


def line(progress: Progress, width: int) -> str:
    """One line of fewer than `width` characters: a bar, as far as there is room for one, and the words."""
    text = words(progress)
    room = min(_WIDEST, width - len(text) - 4)
    if room < 4:
        return text[: max(0, width - 1)]
    filled = int(room * progress.share)
    return f"[{'#' * filled}{'.' * (room - filled)}] {text}"


def html(progress: Progress) -> str:
    """The same for a notebook."""
    return f'<progress value="{progress.share:.4f}" max="1"></progress> <code>{words(progress)}</code>'


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
