"""Draws the pictures of the documentation: `python docs/pictures/draw.py` writes the SVG files beside this one.

Each function below is one picture. A picture has its own light ground, so that it reads the same on any page.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent

INK, FAINT, GROUND = "#1f2937", "#6b7280", "#f9fafb"
#: Fill and outline.
PLAIN = ("#ffffff", "#6b7280")
BLUE = ("#dbeafe", "#1d4ed8")
ORANGE = ("#ffedd5", "#c2410c")
GREEN = ("#dcfce7", "#15803d")

Colour = tuple[str, str]


class Picture:
    """Shapes, in the order in which they are drawn.

    Args:
        title: What the picture shows, for those who do not see it.
        width: In pixels.
        height: In pixels.
    """

    def __init__(self, title: str, width: int, height: int) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="system-ui, sans-serif" font-size="14" fill="{INK}">\n'
            f"<title>{escape(title)}</title>\n"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            f'<path d="M0 0 8 4 0 8z" fill="{FAINT}"/></marker></defs>\n'
        )
        self._shapes = [
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{GROUND}" stroke="#d1d5db"/>'
        ]

    def svg(self) -> str:
        """The file's text."""
        return self._head + "\n".join(self._shapes) + "\n</svg>\n"

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "middle",
        colour: str = INK,
        size: int = 14,
        halo: bool = False,
    ) -> None:
        """A line of text; `y` is its middle. With a halo it can be read on a line."""
        style = f'stroke="{GROUND}" stroke-width="5" paint-order="stroke" ' if halo else ""
        self._shapes.append(
            f'<text x="{x:g}" y="{y + size * 0.35:g}" text-anchor="{anchor}" font-size="{size}" {style}fill="{colour}">'
            f"{escape(words)}</text>"
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        words: str = "",
        colour: Colour = PLAIN,
        *,
        dashed: bool = False,
        size: int = 14,
    ) -> None:
        """A rectangle with a line of text in it."""
        style = 'stroke-dasharray="5 4" fill-opacity="0.55"' if dashed else ""
        self._shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{colour[0]}" '
            f'stroke="{colour[1]}" {style}/>'
        )
        if words:
            self.text(x + width / 2, y + height / 2, words, size=size)

    def task(self, x: float, y: float, name: str, colour: Colour = PLAIN) -> None:
        """A task of a graph, around its middle."""
        self._shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="17" fill="{colour[0]}" stroke="{colour[1]}"/>')
        self.text(x, y, name)

    def badge(self, x: float, y: float, number: int) -> None:
        """A small number in a disc."""
        self._shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="9" fill="{INK}"/>')
        self.text(x, y, str(number), colour="#ffffff", size=11)

    def edge(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """An arrow between two tasks, from rim to rim."""
        (x, y), (to_x, to_y) = start, end
        length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        dx, dy = (to_x - x) / length, (to_y - y) / length
        self.arrow(x + 18 * dx, y + 18 * dy, to_x - 20 * dx, to_y - 20 * dy)

    def arrow(self, x: float, y: float, to_x: float, to_y: float, words: str = "", *, dashed: bool = False) -> None:
        """An arrow with a line of text above it."""
        style = 'stroke-dasharray="4 3"' if dashed else ""
        self._shapes.append(
            f'<path d="M{x:g} {y:g} {to_x:g} {to_y:g}" stroke="{FAINT}" stroke-width="1.5" fill="none" {style} '
            'marker-end="url(#tip)"/>'
        )
        if words:
            self.text((x + to_x) / 2, (y + to_y) / 2 - 10, words, size=13)

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """A faint dashed line."""
        self._shapes.append(f'<path d="M{x:g} {y:g} {to_x:g} {to_y:g}" stroke="#9ca3af" stroke-dasharray="3 4"/>')


def schedules() -> Picture:
    """A graph, cut into static schedules."""
    picture = Picture("A graph with six leaves is cut into two static schedules, which overlap", 720, 340)
    places = {name: (70.0, 55.0 + 45 * row) for row, name in enumerate("abcdef")}
    places |= {"g": (190.0, 100.0), "h": (190.0, 235.0), "i": (310.0, 167.0)}
    edges = ["ag", "bg", "cg", "dh", "eh", "fh", "gi", "hi"]
    for edge in edges:
        picture.edge(places[edge[0]], places[edge[1]])
    for name, place in places.items():
        picture.task(*place, name)
    picture.text(190, 318, "leaves a to f; fan-ins g, h and i", colour=FAINT, size=13)
    picture.arrow(350, 167, 400, 167)
    picture.box(415, 30, 290, 165, colour=BLUE, dashed=True)
    picture.box(415, 140, 290, 165, colour=ORANGE, dashed=True)
    moved = {name: (x + 385 - (60 if x > 300 else 0), y) for name, (x, y) in places.items()}
    moved |= {name: (moved[name][0], y) for name, y in zip("abc", (55, 92, 129), strict=True)}
    moved |= {name: (moved[name][0], y) for name, y in zip("def", (206, 243, 280), strict=True)}
    moved |= {"g": (575.0, 92.0), "h": (575.0, 243.0), "i": (665.0, 167.0)}
    for edge in edges:
        picture.edge(moved[edge[0]], moved[edge[1]])
    for name, place in moved.items():
        picture.task(*place, name, BLUE if name in "abcg" else ORANGE if name in "defh" else PLAIN)
    picture.text(692, 47, "first executor", anchor="end", colour=BLUE[1], size=13)
    picture.text(690, 289, "second executor", anchor="end", colour=ORANGE[1], size=13)
    picture.text(560, 318, "i is in both: whoever comes last runs it", colour=FAINT, size=13)
    return picture


def walk() -> Picture:
    """One executor's way through its part of a graph."""
    picture = Picture("One executor walks a graph depth first, and runs the fan-in e with no store involved", 720, 300)
    places = {"a": (80.0, 60.0), "b": (80.0, 150.0), "c": (220.0, 60.0), "d": (220.0, 150.0), "e": (360.0, 105.0)}
    for edge in ("ac", "bd", "ce", "de"):
        picture.edge(places[edge[0]], places[edge[1]])
    for number, name in enumerate("acbde", 1):
        x, y = places[name]
        picture.task(x, y, name, BLUE)
        picture.badge(x + 17, y - 17, number)
    picture.text(150, 37, "becomes c", colour=FAINT, size=13)
    picture.text(150, 175, "becomes d", colour=FAINT, size=13)
    picture.text(400, 96, "both parents ran here:", anchor="start", size=13)
    picture.text(400, 115, "e runs next, with no store involved", anchor="start", size=13)
    picture.text(20, 215, "in memory after each task", anchor="start", colour=FAINT, size=13)
    steps = [("a", "a"), ("c", "c"), ("b", "c, b"), ("d", "c, d"), ("e", "e")]
    for number, (_, held) in enumerate(steps):
        x = 40 + number * 135
        picture.badge(x, 255, number + 1)
        picture.box(x + 18, 238, 84, 34, held, BLUE)
    return picture


def fan_in() -> Picture:
    """A fan-in whose parents ran in two executors."""
    picture = Picture("Two executors meet at a fan-in: the last one claims it", 720, 470)
    lanes = {"one": 110.0, "mds": 300.0, "kvs": 470.0, "two": 630.0}
    names = [("one", "executor 1", BLUE), ("mds", "MDS", GREEN), ("kvs", "KVS", GREEN), ("two", "executor 2", ORANGE)]
    for lane, words, colour in names:
        picture.box(lanes[lane] - 60, 15, 120, 32, words, colour)
        picture.line(lanes[lane], 47, lanes[lane], 455)

    def say(y: float, sender: str, receiver: str, words: str) -> None:
        picture.arrow(lanes[sender], y, lanes[receiver], y)
        picture.text((lanes[sender] + lanes[receiver]) / 2, y - 11, words, size=13)

    picture.box(lanes["one"] - 45, 62, 90, 28, "runs b", BLUE, size=13)
    say(115, "one", "mds", "d: I offer b")
    say(145, "mds", "one", "not yet")
    picture.arrow(lanes["one"], 180, lanes["kvs"], 180)
    picture.text(205, 169, "stores the value of b", size=13)
    say(215, "one", "mds", "d: b can be read there")
    say(245, "mds", "one", "not yet")
    picture.text(lanes["one"] + 10, 270, "forgets d and b", anchor="start", colour=FAINT, size=13)
    picture.box(lanes["two"] - 45, 262, 90, 28, "runs c", ORANGE, size=13)
    picture.arrow(lanes["two"], 315, lanes["mds"], 315)
    picture.text(550, 304, "d: I offer c", size=13)
    picture.arrow(lanes["mds"], 345, lanes["two"], 345)
    picture.text(400, 334, "claimed; b is there", size=13)
    say(385, "two", "kvs", "reads b")
    picture.box(lanes["two"] - 45, 405, 90, 28, "runs d", ORANGE, size=13)
    picture.text(300, 419, "c was never stored: nobody else needs it", colour=FAINT, size=13, halo=True)
    return picture


def heartbeat() -> Picture:
    """Work is given away on the beat."""
    picture = Picture("On a beat an executor gives the oldest of its waiting tasks to new executors", 720, 330)
    for number in range(4):
        x = 130 + number * 150
        picture.line(x, 40, x, 310)
        picture.text(x, 25, "start" if number == 0 else f"beat {number}", colour=FAINT, size=13)
    lanes = [("executor 1", 60, 130, BLUE), ("executor 2", 150, 320, ORANGE), ("executor 3", 240, 470, GREEN)]
    for words, y, x, colour in lanes:
        picture.text(20, y + 16, words, anchor="start", size=13)
        while x < 690:
            width = min(46, 690 - x)
            picture.box(x, y, width, 32, colour=colour)
            x += 50
    picture.arrow(280, 100, 318, 150)
    picture.text(270, 125, "gives the oldest tasks away", anchor="end", size=13, halo=True)
    picture.arrow(430, 190, 468, 240)
    picture.text(420, 215, "and so does the next one", anchor="end", size=13, halo=True)
    picture.text(410, 300, "no executor waits for another, and nobody hands out tasks", colour=FAINT, halo=True)
    return picture


def values() -> Picture:
    """Where a value lives."""
    picture = Picture("Where values live: memory, metadata store, key-value store", 720, 350)
    picture.box(20, 20, 210, 310, colour=BLUE, dashed=True)
    picture.text(125, 42, "executor")
    picture.box(40, 65, 170, 50, "values in memory", BLUE, size=13)
    picture.text(125, 133, "most are used here", colour=FAINT, size=13)
    picture.text(125, 151, "and never leave", colour=FAINT, size=13)
    picture.box(40, 210, 170, 50, colour=BLUE)
    picture.text(125, 226, "a value that others", size=13)
    picture.text(125, 244, "need, or a result", size=13)
    picture.box(300, 20, 190, 310, colour=GREEN, dashed=True)
    picture.text(395, 42, "MDS")
    picture.box(320, 65, 150, 50, "mark: the value", GREEN, size=13)
    picture.text(395, 133, "up to 4 KiB,", colour=FAINT, size=13)
    picture.text(395, 151, "results up to 64 KiB", colour=FAINT, size=13)
    picture.box(320, 210, 150, 50, "mark: where it is", GREEN, size=13)
    picture.box(540, 20, 160, 310, colour=GREEN, dashed=True)
    picture.text(620, 42, "KVS nodes")
    for number in range(3):
        picture.box(560, 180 + number * 42, 120, 34, f"stripe {number}", GREEN, size=13)
    picture.text(620, 316, "16 MiB each", colour=FAINT, size=13)
    picture.arrow(212, 220, 318, 92)
    picture.text(262, 126, "small", size=13)
    picture.arrow(212, 235, 318, 235, "large")
    picture.arrow(472, 235, 558, 235)
    return picture


PICTURES: dict[str, Callable[[], Picture]] = {
    "static-schedules.svg": schedules,
    "walk.svg": walk,
    "fan-in.svg": fan_in,
    "heartbeat.svg": heartbeat,
    "values.svg": values,
}


def main() -> None:
    """Write the files."""
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw().svg())


if __name__ == "__main__":
    main()
