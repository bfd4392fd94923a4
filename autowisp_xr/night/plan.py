"""The one plan of a night: what would be made of which frames, with which masters, and why.

``info`` prints it and ``reduce`` executes it.

Decision: a plan is a value, and its products follow from what it holds. Where a master cannot be
made, :meth:`Plan.without` gives another plan, which is the same up to there.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from autowisp_xr import frames
from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.names import Paths
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching, reason_against
from autowisp_xr.matching.pixel_types import FRACTIONS
from autowisp_xr.matching.traits import Traits, exposure_of, number_of, time_of
from autowisp_xr.night.camera_setups import SETTING
from autowisp_xr.night.choosing import COADDS, NOT_MADE, Candidate, Choices, Judge
from autowisp_xr.night.file_traits import median_of_known
from autowisp_xr.night.frame_sets import FrameSet, records_of, sort_frames, with_own_names
from autowisp_xr.night.library import masters_in
from autowisp_xr.night.sentences import by_key, counted, named, plain, sentence
from autowisp_xr.night.unfit import empty_frames
from autowisp_xr.night.unlike_pairs import doubts_on_pairs
from autowisp_xr.stack.masters import FEWEST_OF_FRINGE
from autowisp_xr.startup import collecting_later


@dataclass(frozen=True, kw_only=True)
class Product:
    """A master, or calibrated frames, that would be made of frames that have the same masters."""

    frames: FrameSet
    choices_of: Mapping[str, Choices]
    """The masters for each frame, by its path."""
    stopped: str
    """Why the frames are left out instead; "" if they are not."""

    @property
    def kind(self) -> str:
        """Kind of the frames."""
        return self.frames.traits.kind

    @property
    def is_master(self) -> bool:
        """Whether the frames are averaged to a master."""
        return bool(KINDS[self.kind].master_unit)

    @property
    def what(self) -> str:
        """Its name in messages: "master dark_60s"."""
        return f"{'master' if self.is_master else 'calibrated'} {self.frames.path}"

    @property
    def group(self) -> str:
        """Group in the store of the night, and place among the results."""
        folder = "masters" if self.is_master else "calibrated"
        return "/".join(part for part in (self.frames.place, folder, self.frames.name) if part)

    @property
    def choices(self) -> Choices:
        """The masters that all its frames have; reasons against others are of the first frame."""
        return next(iter(self.choices_of.values()))

    @property
    def masters(self) -> dict[str, str]:
        """Name of the master of each kind that is applied."""
        return {kind: one.chosen.name for kind, one in self.choices.items() if one.chosen}

    @property
    def why_not(self) -> dict[str, str]:
        """The reason against each other candidate."""
        return {n: why for one in self.choices.values() for n, why in one.why_not.items()}

    @property
    def against(self) -> tuple[str, ...]:
        """Reasons against masters that do not fit, in a few words."""
        return tuple(line for kind, one in self.choices.items() for line in one.against(kind))

    @property
    def missing(self) -> dict[str, str]:
        """The reason why there is no master, for each kind of which one would do something."""
        dark = self.choices["dark"].chosen if "dark" in self.choices else None
        whole = dark is not None and dark.traits.holds_bias is True
        missing = {}
        for kind, choice in self.choices.items():
            if choice.chosen is None and not (kind == "bias" and whole):
                missing[kind] = "none fits" if choice.refused else "there is none"
                if any(one.but_for_camera for one in choice.refused.values()):
                    missing[kind] += f"; {sentence('other_camera_name')}"
        return missing

    def candidate(self, failure: str) -> Candidate:
        """Return the master as a candidate for the frames that follow."""
        traits = self.frames.traits
        if KINDS[self.kind].place == "dark":
            traits = replace(traits, holds_bias=self.choices["bias"].chosen is None)
        number = len(self.frames.records)
        return Candidate(name=self.frames.path, traits=traits, frames=number, failure=failure)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The files of a night, and the products that would be made of them."""

    night: str
    """Where its files lie."""
    records: Sequence[FileRecord] = field(default=(), repr=False)
    sets: Sequence[FrameSet] = field(default=(), repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Reason for each file that is in no set, by path."""
    copies: Collection[str] = field(default=(), repr=False)
    """Those of them that are copies of one exposure."""
    notes: Sequence[str] = ()
    """What was assumed about many files, a line each."""
    others: Sequence[Candidate] = field(default=(), repr=False)
    """Masters of other nights."""
    matching: Matching = field(default_factory=Matching)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why masters could not be made, by their names."""
    make_fringes: bool = False
    """Whether fringe frames are made of lights."""

    def without(self, master: str, why: str) -> "Plan":
        """Plan anew without a master that could not be made."""
        return replace(self, failures={**self.failures, master: why})

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The products that would be made, each after the masters that it needs."""
        candidates = list(self.others)
        found: list[Product] = []
        judge = Judge(self.matching)
        order = list(KINDS)
        for one in sorted(self.sets, key=lambda one: order.index(one.traits.kind)):
            if not KINDS[one.traits.kind].master_unit:
                found += self._fringes(one, candidates, judge) if self.make_fringes else []
                found += self._calibrated(one, candidates, judge)
                continue
            choices = judge.match(one.traits, candidates)
            master = self._product(one, {record.path: choices for record in one.records})
            found.append(master)
            failure = "a master that it needs failed" if master.stopped else ""
            candidates.append(master.candidate(failure or self.failures.get(one.path, "")))
        return tuple(found)

    def _fringes(self, one: FrameSet, candidates: list[Candidate], judge: Judge) -> list[Product]:
        """Plan the fringe frame of a set of lights, unless there is one; add it to candidates."""
        parts = [part for part in self._calibrated(one, candidates, judge) if not part.stopped]
        largest = max(parts, key=lambda part: len(part.frames.records), default=None)
        if (
            largest is None
            or len(largest.frames.records) < FEWEST_OF_FRINGE
            or not one.traits.filter
            or any("fringe" in part.masters for part in parts)
        ):
            return []
        own = replace(one.traits, kind="fringe")
        frames = replace(largest.frames, name=f"fringe_{one.name}", traits=own)
        product = replace(largest, frames=frames)
        candidates.append(product.candidate(self.failures.get(frames.path, "")))
        return [product]

    def _calibrated(
        self, one: FrameSet, candidates: Sequence[Candidate], judge: Judge
    ) -> list[Product]:
        """Choose for each frame of a set; those of the same choices go together."""
        chosen: dict[str, Choices] = {}
        alike: dict[Any, Traits] = {}
        for record in one.records:
            own = exposure_of(record.coordinates), number_of(record.coordinates, "temperature")
            if own not in alike:
                alike[own] = replace(one.traits, exposure=own[0], temperature=own[1])
            time = time_of(record.coordinates)
            chosen[record.path] = judge.match(alike[own], candidates, time)
        parts = []
        for records in by_key(one.records, lambda record: _names_in(chosen[record.path])).values():
            degrees = (number_of(record.coordinates, "temperature") for record in records)
            traits = replace(one.traits, temperature=median_of_known(degrees))
            parts.append(replace(one, records=tuple(records), traits=traits))
        return [self._product(part, chosen) for part in with_own_names(parts)]

    def _product(self, one: FrameSet, chosen: Mapping[str, Choices]) -> Product:
        """Plan the product of a set whose masters were chosen."""
        choices_of = {record.path: chosen[record.path] for record in one.records}
        choices = choices_of[one.records[0].path]
        stopped = stop_reason(one.traits.kind, choices, self.matching)
        return Product(frames=one, choices_of=choices_of, stopped=stopped)

    @property
    def choices(self) -> dict[str, Choices]:
        """The masters for each frame, by its path."""
        return {path: choices for one in self.products for path, choices in one.choices_of.items()}

    @property
    def doubts(self) -> list[str]:
        """A line for what is taken to fit, though only one side states it, or states another."""
        pairs = ((one.frames.path, one.frames.traits, one.choices) for one in self.products)
        return [*_doubts_on_unstated(self.choices), *doubts_on_pairs(pairs)]


def _names_in(choices: Choices) -> tuple[object, ...]:
    """Return what frames that are calibrated together have in common."""
    return tuple((one.chosen and one.chosen.name, one.scaled) for one in choices.values())


@collecting_later()
def plan_night(
    paths: Paths,
    *,
    camera: Camera | None = None,
    masters: Paths | None = None,
    matching: Matching | None = None,
    skip: Collection[str | PathLike[str]] = (),
    look: bool = False,
    checksum: bool = False,
    manifest: frames.Manifest | None = None,
    report: Callable[[str], None] = lambda line: None,
    **reading: Any,
) -> Plan:
    """Plan what would be made of the files in a folder.

    Parameters
    ----------
    paths
        Directories, which are searched into their subdirectories, files or glob patterns.
    camera, masters, matching, report
        As for :func:`~autowisp_xr.reduce`.
    skip
        Directories that are passed over.
    look
        Whether pixels may be read to find empty frames, and nights whose levels differ; without,
        they are read only of what may be copies of one exposure.
    checksum
        Whether frames are left out whose pixels are not those of the DATASUM in their header.
    manifest
        What is known of the files already, so that those only are opened that are new.
    **reading
        ``types``, ``aliases`` and ``hdu``, as for :func:`~autowisp_xr.reduce`.
    """
    matching = matching or Matching()
    paths = [paths] if isinstance(paths, str | PathLike) else list(paths)
    night = " ".join(str(fspath(path)) for path in paths)
    scan = frames.scan if manifest is None else manifest.scan
    found = frames.found_in(paths, deep=True, skip=skip)
    records = scan(found, **reading)
    report(f"{counted(len(records), 'file')} in {night}")
    if checksum:
        records = frames.checked(records)
    empty = empty_frames(records if look else ())
    copies = frames.copies_of([one for one in records if one.path not in empty.left_out])
    aside = empty.left_out | copies
    usable = [one for one in records if one.path not in aside]
    sets, left_out, notes = sort_frames(usable, camera, matching, look=look)
    unused = frames.unused_rules(records, reading.get("types") or {})
    notes += empty.notes
    notes += [] if manifest is None else manifest.notes
    notes += [f"the type rule {rule!r} fits no file of this night" for rule in unused]
    notes += found.passed_over
    others: list[Candidate] = []
    if masters:
        given: dict[str, Any] = {"camera": camera, "skip": skip, "checksum": checksum}
        given["manifest"] = known = manifest and manifest.of_masters()
        others, unusable = masters_in(masters, **given, **reading)
        notes += known.notes if known else []
        notes += [f"masters of other nights: {len(others)}", *dict.fromkeys(unusable.values())]
    return Plan(
        night=night,
        records=records,
        sets=sets,
        left_out=left_out | aside,
        copies=frozenset(copies),
        notes=notes,
        others=others,
        matching=matching,
    )


def by_setup(sets: Sequence[FrameSet]) -> dict[str, list[FrameSet]]:
    """Return by the place of each setup the sets taken in it, or in what may be the same.

    A bias that does not name its camera is of any camera of its size.
    """
    setups = {one.place: one.traits for one in sets}
    return {
        place: [one for one in sets if not reason_against(setup, one.traits, names=SETTING)]
        for place, setup in setups.items()
    }


def camera_with_colours(sets: Sequence[FrameSet], camera: Camera | None) -> Camera | None:
    """Complete the camera of frames of one setup, some of which may not state its pattern."""
    channels = next((one.traits.channels for one in sets if one.traits.channels), None)
    silent = any(record.facts.get("channels") is None for record in records_of(sets))
    if channels is None or not silent or (camera and camera.channels):
        return camera
    return replace(camera or Camera(), channels=dict(channels))


def stop_reason(kind: str, choices: Choices, matching: Matching) -> str:
    """State why frames of a kind are left out, with these masters; "" if they are not.

    They are where a master that belongs to them could not be made, and science frames where there
    are darks of their pixels, but none that fits.
    """
    for needed, choice in choices.items():
        if choice.chosen is not None:
            continue
        for name, one in choice.refused.items():
            if one.text.startswith(NOT_MADE):
                return f"their master {name} failed"
        near = [one for one in choice.refused.values() if one.near]
        if needed == "dark" and kind == "object" and near:
            scaled = any(one.trait == "pixel_type" and FRACTIONS in one.text for one in near)
            remedy = f"; {sentence('scaled_to_one')}" if scaled else ""
            remedy += _remedy(
                {one.trait for one in near} - {"pixel_type" if scaled else ""}, matching
            )
            return f"no dark fits ({'; '.join(choice.against(needed))}){remedy}"
    return ""


def _remedy(differ: Collection[str], matching: Matching) -> str:
    """Name the options that would let a master pass that differs in one of these traits."""
    remedies = []
    if "exposure" in differ and matching.scale_dark != "any":
        larger = "any" if matching.scale_dark else "down or any"
        remedies.append(f"a dark of another exposure can be scaled: --scale-dark {larger}")
    if "temperature" in differ:
        remedies.append("--temperature-tolerance allows for more")
    others = sorted(set(differ) - {"", "exposure", "temperature"})
    if others:
        remedies.append(f"--allow-mismatch {others[0]} if that does not matter")
    return "".join(f"; {remedy}" for remedy in remedies)


def _doubts_on_unstated(choices: Mapping[str, Choices]) -> list[str]:
    """List what only some frames or their masters state, a line each.

    Parameters
    ----------
    choices
        The masters for each frame, by its path.
    """
    taken: Counter[tuple[str, tuple[str, ...]]] = Counter()
    undecided: dict[tuple[str, str, str, str, str], list[str]] = {}
    for path, of_frame in choices.items():
        made = [one for one in of_frame.values() if one.chosen]
        taken.update((one.chosen.name, one.unstated) for one in made if one.chosen and one.unstated)
        rivals = [(one.chosen.name, other) for one in made if one.chosen for other in one.undecided]
        for trait, pairs in by_key(rivals, lambda pair: pair[1].trait).items():
            masters = ", ".join(dict.fromkeys(name for name, _ in pairs))
            others = ", ".join(dict.fromkeys(other.candidate.name for _, other in pairs))
            first = pairs[0][1]
            card = first.candidate.traits.cards.get(trait) or plain(trait)
            key = card, masters, others, first.candidate.name, first.text
            undecided.setdefault(key, []).append(Path(path).name)
    lines = []
    for (card, masters, others, first_of, text), names in undecided.items():
        values = {"frames": named(names), "card": card, "first": first_of, "text": text}
        lines.append(sentence("masters_differ", **values, taken=masters, others=others))
    for (master, unstated), number in taken.items():
        about = {"master": master, "frames": counted(number, "frame")}
        if COADDS in unstated:
            lines.append(sentence("one_side_adds_up", **about))
        if traits := [trait for trait in unstated if trait != COADDS]:
            about |= {"traits": ", ".join(map(plain, traits)), "trait": traits[0]}
            lines.append(sentence("one_side_states", **about))
    return lines
