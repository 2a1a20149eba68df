"""Draws the deployment on AWS from what Terraform makes of it: `make picture` writes, `--check` compares.

Both pictures are of terraform/environments/prod, not of what was meant but of what is written. `aws-modules.svg` is the
graph that `terraform graph` prints, with resources folded into their modules. `aws.svg` is who may call whom: rules of
the security groups, and what roles may invoke, of a deployment that Terraform renders with a mocked provider.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))

from docs.pictures import draw, layers  # noqa: E402
from tests.terraform.policies import roles  # noqa: E402
from tests.terraform.state import State  # noqa: E402
from tests.terraform.workspace import Workspace  # noqa: E402

PROD = "environments/prod"
RED, PURPLE = ("#fee2e2", "#b91c1c"), ("#f3e8ff", "#7e22ce")

_NODE = re.compile(r'^\s*"([^"]+)" \[label="([^"]+)"')
_EDGE = re.compile(r'^\s*"([^"]+)" -> "([^"]+)"')


class Plan(draw.Picture):
    """A picture of boxes in columns."""

    def curve(
        self,
        start: layers.Place,
        end: layers.Place,
        colour: str,
        *,
        ways: Iterable[layers.Place] = (),
        lanes: tuple[float, float] = (0.0, 0.0),
        dashed: bool = False,
    ) -> None:
        """An arrow from box to box.

        Args:
            start: Where it begins.
            end: Where its tip is.
            colour: Of the line.
            ways: Where it passes between other boxes.
            lanes: How far below the middles of both it begins and ends.
            dashed: Whether the line is.
        """
        y, tip = start.middle + lanes[0], end.middle + lanes[1]
        if start.column < end.column:
            x, to_x, way = start.x + start.width, end.x, 1
        elif start.column > end.column:
            x, to_x, way = start.x, end.x + end.width, -1
        else:
            x, to_x, way = start.x + start.width, end.x + end.width, 0
        head = to_x - 8 * (way or -1)
        path = [f"M{x:g} {y:g}"]
        for place in ways:
            bend = (x + place.x) / 2
            path.append(f"C{bend:g} {y:g} {bend:g} {place.middle:g} {place.x:g} {place.middle:g}")
            path.append(f"H{place.x + place.width:g}")
            x, y = place.x + place.width, place.middle
        first = last = (x + head) / 2
        if not way:
            first = last = max(x, head) + 26 + 0.12 * abs(tip - y)
        path.append(f"C{first:g} {y:g} {last:g} {tip:g} {head:g} {tip:g}")
        style = ' stroke-dasharray="5 4"' if dashed else ""
        self._shapes.append(
            f'<path d="{" ".join(path)}" stroke="{colour}" stroke-width="1.6" fill="none"{style}/>'
            f'<path d="M{to_x:g} {tip:g} l{-8 * (way or -1)} -4.5 v9z" fill="{colour}"/>'
        )


def card(picture: Plan, place: layers.Place, title: str, lines: Iterable[str], colour: draw.Colour) -> None:
    """A box with a title and lines of text below it."""
    picture.box(place.x, place.y, place.width, place.height, colour=colour)
    picture.text(place.x + 12, place.y + 18, title, anchor="start", size=15)
    for number, line in enumerate(lines):
        picture.text(place.x + 12, place.y + 39 + 17 * number, line, anchor="start", size=12, colour=draw.FAINT)


def size_of(title: str, lines: Iterable[str]) -> tuple[float, float]:
    """Width and height of such a box."""
    listed = list(lines)
    width = max([len(title) * 8.6, *(len(line) * 6.6 for line in listed)]) + 24
    return round(width), 34 + 17 * len(listed) + (4 if listed else 0)


# ---- modules


@dataclass(frozen=True, slots=True)
class Modules:
    """A graph of resources, folded.

    Attributes:
        kinds: Module -> type of resource -> how many blocks of it.
        graph: Modules; an edge leads to one that is made with what another one made.
    """

    kinds: Mapping[str, Counter[str]]
    graph: networkx.DiGraph


def fold(dot: str) -> Modules:
    """From what `terraform graph` prints. Pure."""
    kinds: dict[str, Counter[str]] = {}
    graph = networkx.DiGraph()
    for line in dot.splitlines():
        if (node := _NODE.match(line)) and (found := split(node[1])):
            kinds.setdefault(found[0], Counter())[found[1]] += 1
            graph.add_node(found[0])
    for line in dot.splitlines():
        if edge := _EDGE.match(line):
            user, used = split(edge[1]), split(edge[2])
            if user and used and user[0] != used[0]:
                graph.add_edge(used[0], user[0])
    return Modules(kinds, graph)


def split(address: str) -> tuple[str, str] | None:
    """module.cluster.module.kvs.module.task.aws_iam_role.task -> kvs, iam role. None for data sources.

    What a module is made of counts as its own, but `cluster`, which is made of all of them.
    """
    words = address.split(".")
    kind = next((word for word in words if word.startswith("aws_")), None)
    named = [word for before, word in itertools.pairwise(words) if before == "module"]
    if "data" in words or kind is None or not named:
        return None
    return named[1 if len(named) > 1 and named[0] == "cluster" else 0], kind.removeprefix("aws_").replace("_", " ")


def modules(workspace: Workspace) -> Plan:
    """Every module of prod with what is in it."""
    assert workspace.init(PROD) == ""
    printed = workspace.terraform(PROD, "graph")
    assert printed.returncode == 0, printed.stderr
    folded = fold(printed.stdout)
    # Modules that use each other's resources both ways are one step; what follows from other arrows is left out.
    knots = networkx.condensation(folded.graph)
    kept = networkx.transitive_reduction(knots)
    arrows = networkx.DiGraph()
    arrows.add_nodes_from(folded.graph)
    for before, after in folded.graph.edges:
        knot, other = knots.graph["mapping"][before], knots.graph["mapping"][after]
        if knot == other or kept.has_edge(knot, other):
            arrows.add_edge(before, after)
    lines = {
        name: [f"{count} × {kind}" if count > 1 else kind for kind, count in sorted(kinds.items())]
        for name, kinds in folded.kinds.items()
    }
    sizes = {name: size_of(name, lines[name]) for name in arrows}
    made = layers.layout(arrows, sizes, gap=56, between=22, top=64)
    placed = made.boxes
    picture = Plan("The modules of terraform/environments/prod and what each is made with", *extent(made))
    picture.text(28, 30, "terraform/environments/prod: each module is made with what stands left of it", anchor="start")
    for before, after in sorted(arrows.edges):
        picture.curve(placed[before], placed[after], draw.FAINT, ways=made.ways.get((before, after), ()))
    for name in sorted(arrows):
        card(picture, placed[name], name, lines[name], draw.BLUE)
    return picture


def extent(made: layers.Layout, below: int = 28) -> tuple[int, int]:
    """Width and height of a picture with these boxes and arrows."""
    everything = [*made.boxes.values(), *(place for way in made.ways.values() for place in way)]
    right = max(place.x + place.width for place in everything)
    return round(right + 28), round(max(place.y + place.height for place in everything) + below)


# ---- calls

#: Port -> what is spoken there, and the colour of its arrows.
SPOKEN = {
    443: ("TLS 443, 8443", PURPLE[1]),
    8443: ("TLS 443, 8443", PURPLE[1]),
    50051: ("gRPC 50051, 50052", draw.BLUE[1]),
    50052: ("gRPC 50051, 50052", draw.BLUE[1]),
    6379: ("Redis 6379", draw.GREEN[1]),
    2049: ("NFS 2049", draw.FAINT),
}
INVOKES = ("Lambda Invoke", draw.ORANGE[1])

#: Parts whose group has another name than the part.
TITLES = {
    "balancer": "load balancer",
    "mds": "metadata store, KVS proxy",
    "kvs": "KVS nodes",
    "files": "file system",
    "executor": "executor function",
    "invoker": "invoker function",
}
FUNCTIONS = ("executor", "invoker")
GROUNDS = {
    "clients": draw.PLAIN,
    **dict.fromkeys(FUNCTIONS, draw.ORANGE),
    **dict.fromkeys(("mds", "kvs", "files"), draw.GREEN),
}


def calls(state: State) -> list[tuple[str, str, str, str]]:
    """Who calls whom: caller, callee, what is spoken, its colour. Pure.

    Calls of AWS's own services, which nearly all parts make, are left out.
    """
    groups = {one.values["id"]: key(one.address) for one in state.of_type("aws_security_group")}
    found = set()
    for rule in state.of_type("aws_vpc_security_group_ingress_rule"):
        callee = groups[rule.values["security_group_id"]]
        caller = groups.get(rule.values["referenced_security_group_id"] or "", "clients")
        if callee != "endpoints":
            found.add((caller, callee, *SPOKEN[int(rule.values["from_port"])]))
    made = state.of_type("aws_lambda_function")
    functions = {one.arn(): one.values["function_name"].rpartition("-")[2] for one in made}
    for role, held in roles(state).items():
        caller = role.rpartition("-")[2]
        for arn in {arn for policy in held for arn in policy.allowed("lambda:InvokeFunction")}:
            found.add((caller, functions[arn], *INVOKES))
    return sorted(found)


def key(address: str) -> str:
    """aws_security_group.this["mds"] -> mds."""
    return address.rpartition('["')[2].removesuffix('"]')


def parts(workspace: Workspace) -> Plan:
    """The parts of prod and who may call whom."""
    state = workspace.render(PROD)
    found = calls(state)
    graph = networkx.DiGraph()
    for caller, callee, spoken, _ in found:
        # Invocations lead back to where calls come from, and would bend the columns. Functions stand beside each other.
        if spoken != INVOKES[0]:
            graph.add_edges_from((one, callee) for one in (FUNCTIONS if caller in FUNCTIONS else (caller,)))
    graph.add_nodes_from(name for call in found for name in call[:2])
    lines = {name: about(state, name) for name in graph}
    titles = {name: TITLES.get(name, name) for name in graph}
    sizes = {name: size_of(titles[name], lines[name]) for name in graph}
    made = layers.layout(graph, sizes, gap=120, between=40, top=112)
    placed = made.boxes
    width, height = extent(made, below=40)
    picture = Plan("The parts of terraform/environments/prod and who may call whom", width, height)
    picture.text(55, 30, "terraform/environments/prod: who may call whom; nothing else passes", anchor="start")
    inside = [place for name, place in placed.items() if name != "clients"]
    left = min(place.x for place in inside) - 40
    picture.box(left, 56, width - left - 14, height - 74, colour=draw.PLAIN, dashed=True)
    picture.text(left + 12, 74, "VPC", anchor="start", colour=draw.FAINT)
    legend = sorted({(spoken, colour) for *_, spoken, colour in found})
    lanes = berths(found, placed)
    for number, (caller, callee, spoken, colour) in enumerate(found):
        picture.curve(
            placed[caller],
            placed[callee],
            colour,
            ways=made.ways.get((caller, callee), ()),
            lanes=lanes[number],
            dashed=spoken == INVOKES[0],
        )
    for name in sorted(graph):
        card(picture, placed[name], titles[name], lines[name], GROUNDS.get(name, draw.BLUE))
    x = left + 70
    for spoken, colour in legend:
        picture.text(x, 74, spoken, anchor="start", colour=colour, size=13)
        x += len(spoken) * 7.2 + 26
    return picture


def berths(
    found: Sequence[tuple[str, str, str, str]], placed: Mapping[Hashable, layers.Place]
) -> list[tuple[float, float]]:
    """How far below the middles of its boxes each arrow begins and ends, so that none lies on another. Pure."""
    sides: dict[tuple[str, bool], list[tuple[float, int, bool]]] = {}
    for number, (caller, callee, *_) in enumerate(found):
        start, end = placed[caller], placed[callee]
        sides.setdefault((caller, start.column <= end.column), []).append((end.middle, number, True))
        sides.setdefault((callee, start.column >= end.column), []).append((start.middle, number, False))
    lanes = {}
    for (part, _), ends in sides.items():
        step = min(13.0, (placed[part].height - 12) / len(ends))
        for place, (_, number, begins) in enumerate(sorted(ends)):
            lanes[number, begins] = (place - (len(ends) - 1) / 2) * step
    return [(lanes[number, True], lanes[number, False]) for number in range(len(found))]


def about(state: State, part: str) -> list[str]:
    """What there is of a part, as it is rendered. Pure."""
    said = []
    for one in state.of_type("aws_lambda_function"):
        if one.values["function_name"].endswith(f"-{part}"):
            said += [f"Lambda, {one.values['memory_size']} MB, {one.values['timeout']} s"]
    tasks = {one.values["family"]: one.values for one in state.of_type("aws_ecs_task_definition")}
    for one in state.of_type("aws_ecs_service"):
        if one.values["name"].rpartition("-")[2] == part:
            count, task = one.values["desired_count"], tasks[one.values["name"]]
            said += [
                f"Fargate, {count} task{'s' * (count != 1)}",
                f"{int(task['cpu']) / 1024:g} vCPU, {int(task['memory']) / 1024:g} GiB",
            ]
    if part == "balancer":
        said += ["internal" if one.values["internal"] else "public" for one in state.of_type("aws_lb")]
    if part == "files":
        said += ["EFS, encrypted"]
    return said


PICTURES: dict[str, Callable[[Workspace], Plan]] = {"aws.svg": parts, "aws-modules.svg": modules}


def main() -> int:
    """Write the files, or say which of them are not what Terraform makes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a picture is out of date")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wukong-picture-") as folder:
        workspace = Workspace(Path(folder))
        drawn = {name: picture(workspace).svg() for name, picture in PICTURES.items()}
    if not arguments.check:
        for name, text in drawn.items():
            (FOLDER / name).write_text(text)
        return 0
    there = {path.name: path.read_text() for path in FOLDER.glob("aws*.svg")}
    stale = [name for name, text in drawn.items() if there.get(name) != text]
    if stale:
        print(f"docs/pictures: {', '.join(stale)} are not what Terraform makes: `make picture`", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
