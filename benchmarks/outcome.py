"""What a benchmark found, beside its goals: written as Markdown and JSON, with one closing line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine

FOLDER = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Goal:
    """One number that shall not be above another one.

    Attributes:
        name: What was measured.
        found: The number.
        most: The largest one that is accepted.
        unit: Of both.
    """

    name: str
    found: float
    most: float
    unit: str

    @property
    def ratio(self) -> float:
        """1 where the goal is just met, more where it is missed."""
        return self.found / self.most


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals_table(goals: Iterable[Goal]) -> str:
    """The goals in Markdown, the one that is furthest from being met first."""
    ordered = sorted(goals, key=lambda goal: goal.ratio, reverse=True)
    rows = [
        (goal.name, f"{goal.found:,.2f} {goal.unit}", f"{goal.most:,g} {goal.unit}", f"{goal.ratio:.2f}")
        for goal in ordered
    ]
    return table(("measured", "found", "goal, at most", "ratio"), rows)


def closing_line(goals: Iterable[Goal]) -> str:
    """The line that a benchmark ends with."""
    worst = max(goals, key=lambda goal: goal.ratio)
    return f"worst ratio to goal: {worst.ratio:.2f} ({worst.name})"


def publish(
    name: str, sections: Sequence[str], goals: Sequence[Goal], data: Mapping[str, Any], folder: Path = FOLDER
) -> int:
    """Print what was found, and write `name`.md and `name`.json; returns 1 if a goal is missed, else 0.

    Args:
        name: Of the benchmark.
        sections: Markdown.
        goals: What was to be reached.
        data: All that was measured, ready for JSON.
        folder: Where the files go.
    """
    text = "\n\n".join([machine.line(), *sections, goals_table(goals), closing_line(goals)])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n")
    stated = {"machine": machine.describe(), "goals": [{**asdict(goal), "ratio": goal.ratio} for goal in goals], **data}
    (folder / f"{name}.json").write_text(json.dumps(stated, indent=2) + "\n")
    print(text)
    return int(any(goal.ratio > 1 for goal in goals))
