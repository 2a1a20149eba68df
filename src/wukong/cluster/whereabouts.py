"""Where the parts of one embedded cluster are: a file in its folder, which outlives every single process.

A part that starts again finds its former address there, so that nobody else has to be told a new one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: The files in the cluster's folder: of the storekeeper, and of the control process.
STORES = "stores.json"
SERVICES = "services.json"


@dataclass(slots=True)
class Place:
    """Where one part is: "host:port", and its process; 0 where it is a part of another process."""

    address: str
    pid: int = 0


@dataclass(slots=True)
class Whereabouts:
    """What one process tells of its parts.

    Attributes:
        path: The file.
        places: Each part by its name.
        trouble: The part that keeps all from going on, and why, in a sentence; empty where all is well.
    """

    path: Path
    places: dict[str, Place] = field(default_factory=dict)
    trouble: tuple[str, str] = ("", "")

    @classmethod
    def read(cls, path: Path) -> Whereabouts:
        """What the file says; nothing where there is none yet."""
        try:
            stated = json.loads(path.read_text())
        except FileNotFoundError:
            return cls(path)
        part, why = stated["trouble"]
        return cls(path, {name: Place(**place) for name, place in stated["places"].items()}, (part, why))

    def write(self) -> None:
        """Replace the file, whole, so that no reader ever sees a half of it."""
        places = {name: asdict(place) for name, place in self.places.items()}
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps({"places": places, "trouble": self.trouble}))
        os.replace(draft, self.path)

    def listen(self, part: str, otherwise: str) -> str:
        """Where a part shall listen: where it did before, else `otherwise`."""
        known = self.places.get(part)
        return known.address if known is not None else otherwise
