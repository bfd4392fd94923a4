"""What reducing a night would make and take, on paper: files, room on the disk, memory and time."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from autowisp_xr.bridge import planner
from autowisp_xr.bridge.archive import Archive
from autowisp_xr.bridge.memory_limit import BASE, MemoryLimit, in_force, limited, text_of, workers
from autowisp_xr.frames.names import Paths
from autowisp_xr.night.defect_masks import DefectsChoice, read_masks
from autowisp_xr.night.plan import Plan, Product, plan_night
from autowisp_xr.night.results_directory import checked_places
from autowisp_xr.night.sentences import counted, sentence

_MASTER, _CORRECTED = 11, 19
"""Bytes of a pixel of a master with its count, and with what its frames share by other masters."""

_SHARED = 24
"""Bytes of a pixel of what is made of masters for all frames: their noise, that of photons."""

_BESIDE = 6
"""Bytes of a pixel of a frame that go to store and files beside its planes."""

_STORED = 15
"""Bytes of a pixel of a master that others have corrected, as it lies in the store."""

_IN_ONE_GO = 28
"""Bytes of a pixel of a flat whose planes are made in one go."""

_UNTIL_MEAN = 4
"""Bytes of a pixel of a flat that is made by rows, which are in memory until its mean is known."""

_READ = 2
"""Bytes of a raw pixel."""


class Part(NamedTuple):
    """What one product takes."""

    product: Product
    files: int
    """Bytes of its FITS files."""
    stored: int
    """Bytes of it in the store."""
    peak: int
    """Bytes in memory while it is made, without the program itself."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What a plan makes and takes, as far as sizes show it; :attr:`line` has it in a line."""

    plan: Plan
    parts: tuple[Part, ...]
    limit: int
    """Bytes that may be in memory."""
    is_stated: bool
    """Whether somebody asked for that limit."""
    free: int
    """Bytes that the disk has left."""
    seconds: float

    @property
    def written(self) -> int:
        """Bytes that would be written, at most: what is there already is left."""
        return sum(part.files + part.stored for part in self.parts)

    @property
    def peak(self) -> int:
        """Bytes in memory at most, with those of the program."""
        return BASE + max((part.peak for part in self.parts), default=0)

    @property
    def line(self) -> str:
        """What it takes in all."""
        return sentence(
            "projected",
            written=text_of(self.written),
            free=text_of(self.free),
            peak=text_of(self.peak),
            limit=text_of(self.limit),
            seconds=f"{self.seconds:.0f}" if self.seconds >= 1 else "1",
        )

    @property
    def warnings(self) -> list[str]:
        """That the disk has not room enough, or that a limit cannot be kept."""
        found = []
        if self.written > self.free:
            room = {"written": text_of(self.written), "free": text_of(self.free)}
            found.append(sentence("no_room", **room))
        if self.is_stated and self.peak > self.limit + BASE:
            most = max(self.parts, key=lambda part: part.peak)
            values = {"what": most.product.what, "peak": text_of(self.peak)}
            values |= {"limit": text_of(self.limit), "enough": text_of(self.peak - BASE)}
            values["program"] = text_of(BASE)
            found.append(sentence("over_limit", **values))
        return found

    def __str__(self) -> str:
        lines = []
        for part in self.parts:
            product, number = part.product, len(part.product.frames.records)
            masters = ", ".join(product.masters.values())
            by = f"; corrected by: {masters}" if masters else ""
            size = f"{text_of(part.files)} of FITS, {text_of(part.stored)} in the store"
            lines.append(f"{product.what}: of {counted(number, 'frame')}; {size}{by}")
        lines += [f"left out: {path}: {why}" for path, why in self._left_out()]
        lines += ["", self.line, *self.warnings]
        return "\n".join(lines) + "\n"

    def _left_out(self) -> list[tuple[str, str]]:
        products = self.plan.products
        stopped = [
            (path, one.stopped) for one in products if one.stopped for path in one.choices_of
        ]
        return [*self.plan.left_out.items(), *stopped]


def project(
    night: str | PathLike[str],
    out: str | PathLike[str],
    *,
    store: str = "recipe",
    raw: str = "store",
    fits: bool = True,
    make_fringes: bool = False,
    defects: DefectsChoice = None,
    masters: Paths | None = None,
    overwrite: bool = False,
    memory_limit: MemoryLimit = None,
    report: Callable[[str], None] = lambda line: None,
    **planning: Any,
) -> Projection:
    """Plan what :func:`~autowisp_xr.reduce` would make of a directory, and what it would take.

    Headers are read, and no pixels but of what may be copies of one exposure. Nothing is written.

    Parameters
    ----------
    night, out, store, raw, fits, make_fringes, defects, masters, overwrite, memory_limit, report
        As for ``reduce``, and refused where it would refuse them.
    **planning
        ``camera``, ``matching``, ``types``, ``aliases`` and ``hdu``, likewise.

    Returns
    -------
    What would be made, with sizes in bytes, the peak of memory, and seconds; as text a line for
    each product. What the night's own pixels decide (gain, clouds, damaged frames) is not in it,
    nor is the mask of defects that is found in them.

    Raises
    ------
    FileNotFoundError
        If there is no such directory, or no frame in it.
    ValueError
        If ``types`` names a type that there is not, or ``memory_limit`` is no size.
    """
    read_masks(defects)
    others = [masters] if isinstance(masters, str | PathLike) else list(masters or ())
    _, target = checked_places(night, out, others, overwrite)
    plan = plan_night(night, **planning, masters=others, skip=[target], report=report)
    plan = replace(plan, make_fringes=make_fringes)
    with limited(memory_limit):
        return projection_of(plan, target, form=store, link=raw == "link", fits=fits)


def projection_of(plan: Plan, target: Path, *, form: str, link: bool, fits: bool) -> Projection:
    """Return what a plan makes and takes."""
    products = [one for one in plan.products if not one.stopped]
    parts = tuple(_part(one, form=form, link=link, fits=fits) for one in products)
    pixels = sum(_pixels(one) * len(one.frames.records) for one in products)
    room = next(one for one in (target, *target.absolute().parents) if one.exists())
    return Projection(
        plan=plan,
        parts=parts,
        limit=in_force().bytes,
        is_stated=in_force().is_stated,
        free=shutil.disk_usage(room).free,
        seconds=pixels / Archive.pixels_a_second / workers(),
    )


def _part(product: Product, *, form: str, link: bool, fits: bool) -> Part:
    number, pixels = len(product.frames.records), _pixels(product)
    height, width = _shape(product)
    frames = planner.Frames(
        number=number,
        height=height,
        width=width,
        read=_READ,
        made=planner.CALIBRATED,
        common=Archive.common if product.masters else 0,
    )
    limit = in_force().for_work
    if product.is_master:
        planes = _CORRECTED if product.masters else _MASTER
        peak = _peak_of_master(frames, planes, limit, of_mean_one=product.kind == "flat")
        return Part(product, _CORRECTED * pixels, _CORRECTED * pixels, peak)
    peak = _peak_of_lights(frames, limit)
    raw = 0 if link else round(_READ * Archive.compressed * pixels * number)
    stored = raw if form == "recipe" else planner.CALIBRATED * pixels * number
    return Part(product, planner.CALIBRATED * pixels * number if fits else 0, stored, peak)


def _peak_of_master(frames: planner.Frames, planes: int, limit: int, *, of_mean_one: bool) -> int:
    """Return what is in memory while a master is made whose pixels have so many bytes."""
    pixels, bands = frames.height * frames.width, planner.bands(frames, limit, workers()).peak
    if planner.COPIES * planes * pixels <= limit // 4:
        # whole, with its files and what its frames are corrected by
        return bands + (planner.COPIES * planes + planes + frames.common) * pixels
    corrected = planes == _CORRECTED
    stored = _STORED if corrected else planes
    if of_mean_one and planner.COPIES * stored * pixels <= in_force().bytes:
        return bands + _IN_ONE_GO * pixels
    # rows that are written together, those that are compressed, and what corrects them
    together = min(planner.SHARD_BYTES // 4, pixels)
    rows = 3 * max(limit // 4, planner.COPIES * stored * together) // 2
    rows += _SHARED * together if corrected else 0
    return bands + max(rows, _UNTIL_MEAN * pixels if of_mean_one else 0)


def _peak_of_lights(frames: planner.Frames, limit: int) -> int:
    """Return what is in memory while lights are stored and written."""
    frames = replace(frames, common=frames.common + _SHARED if frames.common else 0)
    whole = replace(frames, made=frames.made + _BESIDE)
    plan = planner.whole_frames(whole, limit, workers())
    if plan.least <= limit:
        return plan.peak
    # rows of some frames, of which so many are taken together as there is room for
    return in_force().bytes


def _pixels(product: Product) -> int:
    height, width = _shape(product)
    return height * width


def _shape(product: Product) -> tuple[int, int]:
    shapes: Sequence[tuple[int, int] | None] = [one.shape for one in product.frames.records]
    return next((shape for shape in shapes if shape), (0, 0))
