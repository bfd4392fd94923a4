"""What corrects what, as a picture: frames at the left, masters, and what came out at the right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autowisp_xr.kinds import KINDS
from autowisp_xr.night import ReducedNight
from autowisp_xr.night.reduced_night import RecordedProduct
from autowisp_xr.night.sentences import by_key
from autowisp_xr.plot.figures import ending
from autowisp_xr.report.words import MAKES_DEFECTS, frames_of_kind, span_of

_LETTER = 0.58
"""Width of a letter by the size of the font, about."""

SMALL = 0.85
"""Size of the lines below names, by that of these."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Sizes of a picture, in units of which the page has as many as pixels."""

    box: int
    gap: int
    height: int
    row: int
    font: int

    def x(self, column: int) -> int:
        """Return the left side of a column."""
        return 1 + column * (self.box + self.gap)

    def name(self, text: str) -> str:
        """Return the end of a name, as far as it fits into a box."""
        return ending(text, int((self.box - 10) / (_LETTER * self.font)))

    def line(self, text: str) -> str:
        """Return the beginning of what is written below it."""
        most = int((self.box - 8) / (_LETTER * SMALL * self.font))
        return text if len(text) <= most else f"{text[: most - 1].rstrip(' ,')}…"


WIDE = Measures(box=190, gap=150, height=44, row=58, font=14)
NARROW = Measures(box=104, gap=22, height=42, row=52, font=12)
"""For a screen, and for a phone."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One set of frames, master or product."""

    x: int
    y: int
    title: str
    line: str
    whole: str
    """What may be cut off in these."""
    kind: str
    look: str = "made"
    """"made", "frames", "left-out" or "other-night"."""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """A line from what corrects to what is corrected."""

    path: str
    head: str
    """Points of its head."""
    kind: str


@dataclass(kw_only=True)
class Flow:
    """A picture with its size."""

    measures: Measures
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    rows: int = 0

    @property
    def width(self) -> int:
        """Width of the picture."""
        return self.measures.x(2) + self.measures.box + 1

    @property
    def height(self) -> int:
        """Height of the picture."""
        return max(self.rows, 1) * self.measures.row

    def box(self, column: int, title: str, line: str, **more: str) -> None:
        """Add a box to the last row."""
        y = (self.rows - 1) * self.measures.row + 6
        self.boxes.append(
            Box(
                x=self.measures.x(column),
                y=y,
                title=self.measures.name(title),
                line=self.measures.line(line),
                whole=f"{title}: {line}",
                **{"kind": "", **more},
            )
        )

    def arrow(self, start: tuple[int, float], end: tuple[int, float], kind: str) -> None:
        """Add an arrow between boxes, each given by its column and the middle of its row."""
        (from_column, from_y), (to_column, to_y) = start, end
        x0 = self.measures.x(from_column) + self.measures.box
        if from_column == to_column:
            # out at the right and back
            far = x0 + 0.55 * self.measures.gap
            path = f"M{x0} {from_y:g}C{far:g} {from_y:g} {far:g} {to_y:g} {x0 + 5} {to_y:g}"
            head = _head(x0, to_y, 1)
        else:
            x1 = self.measures.x(to_column)
            half = 0.5 * self.measures.gap
            middles = f"{x0 + half:g} {from_y:g} {x1 - half:g} {to_y:g}"
            path = f"M{x0} {from_y:g}C{middles} {x1 - 5} {to_y:g}"
            head = _head(x1, to_y, -1)
        self.arrows.append(Arrow(path=path, head=head, kind=kind))


def _head(x: float, y: float, side: int) -> str:
    return f"{x:g},{y:g} {x + 7 * side:g},{y - 3.5:g} {x + 7 * side:g},{y + 3.5:g}"


def flow_of(recorded: ReducedNight, measures: Measures) -> Flow:
    """Lay out what was made of what in a night."""
    flow = Flow(measures=measures)
    middles: dict[str, float] = {}
    ordered = sorted(recorded.made, key=lambda one: (not one.is_master, one.kind == MAKES_DEFECTS))
    known = {one.name for one in ordered if one.is_master}
    used = dict.fromkeys(name for one in ordered for name in one.masters.values())
    for name in (name for name in used if name not in known):
        middles[name] = _row(flow)
        flow.box(1, name, "of another night", look="other-night")
    for one in ordered:
        middle = _row(flow)
        column = 1 if one.is_master else 2
        if one.kind != MAKES_DEFECTS and not KINDS[one.kind].made_of:
            title, line = _frames(recorded, one)
            flow.box(0, title, line, kind=one.kind, look="frames")
            flow.arrow((0, middle), (column, middle), "")
        flow.box(column, one.name, _what(one), kind=one.kind, link=f"#{anchor(one)}")
        if one.is_master:
            middles[one.name] = middle
        for number, (kind, name) in enumerate(_correcting(one, ordered)):
            # side by side, since several end here
            beside = middle + (number + 1) * measures.height / 6 - measures.height / 3
            flow.arrow((1, middles[name]), (column, beside), kind)
    for title, line in _left_out(recorded):
        _row(flow)
        flow.box(0, title, line, look="left-out", link="#left-out")
    return flow


def _row(flow: Flow) -> float:
    flow.rows += 1
    return (flow.rows - 1) * flow.measures.row + 6 + flow.measures.height / 2


def anchor(product: RecordedProduct) -> str:
    """Return the name of the place of a product in the page."""
    return "".join(letter if letter.isalnum() else "-" for letter in product.group)


def _correcting(
    one: RecordedProduct, others: Sequence[RecordedProduct]
) -> Iterator[tuple[str, str]]:
    """Yield kind and name of all that corrects a product."""
    yield from one.masters.items()
    if not one.is_master:
        place = one.group.rpartition("calibrated/")[0]
        for other in others:
            if other.kind == MAKES_DEFECTS and other.group == f"{place}masters/{MAKES_DEFECTS}":
                yield other.kind, other.name


def _what(one: RecordedProduct) -> str:
    if one.kind == MAKES_DEFECTS:
        return f"of {one.inputs} frames"
    return f"master {one.kind}" if one.is_master else f"{one.inputs} calibrated"


def _frames(recorded: ReducedNight, one: RecordedProduct) -> tuple[str, str]:
    """Describe the frames of a product: how many, and of which exposure and temperature."""
    table = recorded.table
    own = table.isel(file=table["product"].values == one.group)
    words = [*dict.fromkeys(filter(None, own["filter"].values.tolist()))]
    words += [] if one.kind == "bias" else [span_of(own["exposure"].values, "s")]
    words.append(span_of(own["temperature"].values, "°C"))
    return frames_of_kind(one.inputs, one.kind), ", ".join(filter(None, words))


def _left_out(recorded: ReducedNight) -> Iterator[tuple[str, str]]:
    table = recorded.table
    kinds, fates = (table[name].values.tolist() for name in ("image_type", "fate"))
    lost = [pair for pair in zip(kinds, fates, strict=True) if pair[1] != "used"]
    for (kind, fate), rows in by_key(lost, lambda pair: pair).items():
        yield frames_of_kind(len(rows), kind), fate
