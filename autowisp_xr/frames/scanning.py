"""What is in a list of files: headers read once, coordinates and facts taken from them."""

import os
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

from astropy.io import fits

from autowisp_xr.errors import AutowispError, BadImageError, HeaderError
from autowisp_xr.fits.checksums import check_sum
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.layout import FileLayout, read_layout
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.frames.doubts import doubts_of, guesses_of
from autowisp_xr.frames.evidence import evidence_of
from autowisp_xr.frames.finding import find_files
from autowisp_xr.frames.names import Paths, bare_name
from autowisp_xr.frames.sampling import sampled_type
from autowisp_xr.frames.type_names import master_word
from autowisp_xr.frames.type_rules import TypeRule, type_rules
from autowisp_xr.headers.amplifier_facts import amplifier_facts, channel_facts
from autowisp_xr.headers.cards import parse_header, value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.facts import read_facts
from autowisp_xr.headers.place import PRODUCT_CARDS, Place, place_of
from autowisp_xr.headers.recognition import calibrated_reason, master_reason
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import Cards
from autowisp_xr.pixel_types import FLOATS

__all__ = ["FileRecord", "checked", "damage", "doubts_of_files", "scan"]

_PLACES = frozenset(PRODUCT_CARDS)


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What is known about one file; where ``error`` is set, that it could not be read."""

    path: str
    error: AutowispError | OSError | None = None
    layout: FileLayout | None = None
    header: fits.Header = field(default_factory=fits.Header)
    """Of the image, without our own history."""
    coordinates: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.headers.coordinates.read_coordinates` gives them."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.headers.facts.read_facts` gives them."""
    place: Place | None = None
    """Of a calibrated file (IMAGAREA, CLRCHNL, CHNL*), whose channels are split already."""
    type_rule: str = ""
    """Pattern of the user's rule that says what the frame is; "" where none does."""
    master_because: str = ""
    """What makes it a master, such as "NUMFCOMB = 5"; "" if it is none."""
    calibrated_because: str = ""
    """What makes it calibrated already, such as "CALSTAT = 'BDF'"; "" if it is not."""
    guesses: tuple[str, ...] = ()
    """What was assumed about this file, in words."""
    doubts: tuple[str, ...] = ()
    """What a user should look at, a sentence each, with what can be done."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What was asked of :func:`scan`: ``hdu``, ``spellings``, ``types``, as far as given."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of the stored image."""
        if self.layout is None:
            return None
        plane = next(iter(self.layout.planes.values()))
        return plane.height, plane.width

    @property
    def is_master(self) -> bool:
        """Whether it is a master."""
        return bool(self.master_because)

    @property
    def planes(self) -> tuple[str, ...]:
        """Which planes the file has: "image", and "error" and "mask" in a product."""
        return () if self.layout is None else tuple(self.layout.planes)

    @property
    def name(self) -> str:
        """RAWFNAME of its header, or of its path."""
        return str(value_of(self.header, "RAWFNAME") or bare_name(self.path))


def scan(
    paths: Paths,
    *,
    hdu: HduChoice = None,
    spellings: Spellings | None = None,
    types: Mapping[str, str] | None = None,
    deep: bool = False,
    skip: Collection[str | PathLike[str]] = (),
) -> list[FileRecord]:
    """Look into files without reading their pixels.

    Parameters
    ----------
    paths, deep, skip
        As for :func:`autowisp_xr.frames.finding.find_files`.
    hdu
        As for :func:`autowisp_xr.fits.layout.read_layout`.
    spellings
        Which cards say what; None for the usual ones.
    types
        {pattern: type}: what frames are whose headers do not say it, or say something else; as for
        :func:`autowisp_xr.frames.type_rules.type_rules`. The first rule that a file fits decides,
        over all cards and names.

    Returns
    -------
    A record for each file, in order. A file that cannot be read, or whose header contradicts
    itself, has its ``error``. Where neither a rule nor a card says what a frame is, its name does,
    else that of its folder, and ``guesses`` say so.

    Raises
    ------
    FileNotFoundError
        Only if there is nothing by one of the names that were given.
    ValueError
        For a type rule that means nothing.
    """
    given = {"hdu": hdu, "spellings": spellings, "types": dict(types or {}) or None}
    look = _Look(
        hdu=hdu,
        spellings=spellings or Spellings(),
        rules=type_rules(types, spellings),
        options={name: value for name, value in given.items() if value is not None},
    )
    with warnings.catch_warnings():
        # astropy's remarks on the form of other people's cards: nobody can act upon them here
        warnings.simplefilter("ignore")
        return [_record(os.path.abspath(path), look) for path in find_files(paths, deep, skip)]


def doubts_of_files(records: Iterable[FileRecord]) -> list[str]:
    """What is in doubt about files themselves: a sentence for all of which it is true."""
    found: dict[str, list[str]] = {}
    for record in records:
        for doubt in record.layout.doubts if record.layout else ():
            found.setdefault(doubt, []).append(record.path)
    return [
        f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: {doubt}"
        for doubt, paths in found.items()
    ]


def checked(records: Iterable[FileRecord]) -> list[FileRecord]:
    """The records, with an error where the pixels of a file are not those of its DATASUM.

    Where a program has left that card as it was, there is a doubt. Files without the card are not
    looked at; of others all bytes of the planes are read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_checked, records))


def _checked(record: FileRecord) -> FileRecord:
    layout = record.layout
    if record.error is not None or layout is None:
        return record
    try:
        sums = [check_sum(hdu) for plane in layout.planes.values() for hdu in plane.hdus]
    except (AutowispError, OSError) as error:
        return replace(record, error=error)
    doubts = tuple(filter(None, sums))
    if not doubts:
        return record
    layout = replace(layout, doubts=(*layout.doubts, *doubts))
    return replace(record, layout=layout, doubts=(*record.doubts, *doubts))


def damage(record: FileRecord) -> AutowispError | OSError | None:
    """What is wrong with the pixels of a file, all of which are read for that; None if nothing."""
    if record.layout is None:
        return record.error
    try:
        for plane in record.layout.planes.values():
            for hdu in plane.hdus:
                read_rows(hdu, 0, hdu.height)
    except (AutowispError, OSError) as error:
        return error
    return None


@dataclass(frozen=True, kw_only=True)
class _Look:
    """How files are looked at."""

    hdu: HduChoice
    spellings: Spellings
    rules: Sequence[TypeRule]
    options: Mapping[str, Any]
    tables: dict[tuple[str, ...], Spellings] = field(default_factory=dict)
    """For headers of the same keywords, as most of a night are, the spellings that are in them."""

    def among(self, keywords: tuple[str, ...]) -> Spellings:
        """Spellings that are in a header; to look for the others in each would take long."""
        table = self.tables.get(keywords)
        if table is None:
            table = self.tables[keywords] = self.spellings.among(set(keywords))
        return table


def _record(path: str, look: _Look) -> FileRecord:
    try:
        path.encode()
    except UnicodeEncodeError:
        error = BadImageError(f"{path!a}: the name of the file is no text; rename it")
        return FileRecord(path=path, error=error, options=look.options)
    try:
        layout = read_layout(path, look.hdu, look.spellings)
    except (AutowispError, OSError) as error:
        return FileRecord(path=path, error=error, options=look.options)
    header = parse_header(layout.header)
    keywords = tuple(header)
    spellings = look.among(keywords)
    cards = Cards(header, spellings)
    try:
        evidence = evidence_of(path, header, spellings, look.rules)
        coordinates = read_coordinates(cards, evidence.kind)
    except HeaderError as error:
        return FileRecord(
            path=path,
            error=HeaderError(f"{path}: {error}"),
            layout=layout,
            header=header,
            doubts=layout.doubts,
            options=look.options,
        )
    by_card = master_reason(header, spellings, keywords)
    by_name = "" if by_card or evidence.rule else master_word(path)
    master = by_card or _by_rule(evidence.rule) or (by_name and f"the word {by_name!r} in its name")
    # a mask of bad pixels may lie beside a raw frame; errors and flags are made by calibrating
    own = [kind for kind, plane in layout.planes.items() if plane.meaning != "faults"]
    floats = next(iter(layout.planes.values())).dtype.kind == "f"
    calibrated = calibrated_reason(header, own, keywords, name=bare_name(path), floats=floats)
    # most headers say nothing of a place, and to look for it takes time
    placed = by_card or not _PLACES.isdisjoint(keywords)
    place = place_of(header) if placed else None
    plane = next(iter(layout.planes.values()))
    height = plane.height if place is None or place.height is None else place.height
    width = plane.width if place is None or place.width is None else place.width
    facts = read_facts(cards, height, width)
    # a master flat has a mean of one, whatever else it is
    normalised = bool(master) and evidence.kind == "flat"
    coordinates["pixel_type"] = FLOATS if normalised else sampled_type(header, plane.hdus[0])
    of_amplifiers, guessed = amplifier_facts(layout.readers, look.spellings)
    facts |= channel_facts(layout.channels, look.spellings) | of_amplifiers
    doubts = layout.doubts
    if not (master or calibrated):
        size = (height, width)
        known = (coordinates, facts, size, evidence, floats)
        doubts += doubts_of(path, header, spellings, keywords, *known)
    return FileRecord(
        path=path,
        layout=layout,
        header=header,
        coordinates=coordinates,
        facts=facts,
        place=place,
        type_rule=evidence.rule.pattern if evidence.rule else "",
        master_because=master,
        calibrated_because=calibrated,
        guesses=guesses_of(coordinates, evidence, by_name) + guessed,
        doubts=doubts,
        options=look.options,
    )


def _by_rule(rule: TypeRule | None) -> str:
    return f"the type rule {rule.pattern!r} says so" if rule and rule.is_master else ""
