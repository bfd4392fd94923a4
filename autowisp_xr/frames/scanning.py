"""Look into files: headers are read once, coordinates and facts are taken from them."""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

from autowisp_xr.arrays import Numbers
from autowisp_xr.errors import AutowispError, BadImageError, HeaderError
from autowisp_xr.first_names import first_of
from autowisp_xr.fits.checksums import check_sum
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.fits.planes import FileLayout, Hdu
from autowisp_xr.frames.doubts import doubts_of, guesses_of
from autowisp_xr.frames.evidence import evidence_of, master_word
from autowisp_xr.frames.names import bare_name
from autowisp_xr.frames.type_rules import TypeRule, type_rules
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.bunit import COUNTED, unit_of
from autowisp_xr.headers.camera_facts import amplifier_facts, channel_facts, read_facts
from autowisp_xr.headers.cards import AnyHeader, value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.headers.place import PRODUCT_CARDS, Place, place_of
from autowisp_xr.headers.recognition import calibrated_reason, master_reason
from autowisp_xr.headers.remembered import Remembered
from autowisp_xr.headers.values import Cards
from autowisp_xr.matching.pixel_types import FLOATS, pixel_type
from autowisp_xr.startup import collecting_later

_PLACES = frozenset(PRODUCT_CARDS)


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """All that is known about one file; where ``error`` is set, that it could not be read."""

    path: str
    error: AutowispError | OSError | None = None
    layout: FileLayout = field(default_factory=FileLayout)
    coordinates: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.headers.coordinates.read_coordinates` gives them."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.headers.camera_facts.read_facts` gives them."""
    place: Place | None = None
    """Place of a calibrated file (IMAGAREA, CLRCHNL, CHNL*), whose channels are split already."""
    type_rule: str = ""
    """Pattern of the user's rule that gives the type of the frame; "" where none does."""
    master_because: str = ""
    """The reason why it is a master, such as "NUMFCOMB = 5"; "" if it is none."""
    calibrated_because: str = ""
    """The reason why it is calibrated already, such as "CALSTAT = 'BDF'"; "" if it is not."""
    guesses: tuple[str, ...] = ()
    """Assumptions about this file, in words."""
    doubts: tuple[str, ...] = ()
    """Doubts that a user should look at, a sentence each, with what can be done."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of ``scan``: ``hdu``, ``aliases``, ``types``, as far as given."""

    @cached_property
    def header(self) -> LazyHeader:
        """Cards of the image, without our own history."""
        return LazyHeader(self.layout.header)

    @property
    def shape(self) -> tuple[int, int] | None:
        """The (height, width) of the stored image; None of a file that could not be read."""
        for plane in self.layout.planes.values():
            return plane.height, plane.width
        return None

    @property
    def is_master(self) -> bool:
        """True of a master."""
        return bool(self.master_because)

    @property
    def name(self) -> str:
        """The name of the frame: RAWFNAME of the header, or the name of the file."""
        return str(value_of(self.header, "RAWFNAME") or bare_name(self.path))


def options_of(
    *,
    hdu: HduChoice = None,
    aliases: KeywordAliases | None = None,
    types: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the options of ``scan``, as far as they were given, as records keep them.

    Raises
    ------
    TypeError, ValueError
        For aliases of another type, and for a type rule that means nothing.
    """
    if not isinstance(aliases, KeywordAliases | None):
        raise TypeError(
            "aliases are a KeywordAliases, such as KeywordAliases().extended(exposure='EXPO_S'), "
            f"not {aliases!r}"
        )
    type_rules(types, aliases)
    given = {"hdu": hdu, "aliases": aliases, "types": dict(types or {}) or None}
    return {name: value for name, value in given.items() if value is not None}


@collecting_later()
def look_into(files: Iterable[str], **options: Any) -> list[FileRecord]:
    """Look into files by their absolute paths, one by one, with options as :func:`options_of`."""
    given = options_of(**options)
    words = given.get("aliases", KeywordAliases())
    record = partial(
        _record,
        hdu=given.get("hdu"),
        aliases=words,
        rules=type_rules(options.get("types"), given.get("aliases")),
        options=given,
        # most headers of a night have the same keywords: the others are not looked for in each
        among=cache(lambda keywords: (words.among(set(keywords)), Remembered())),
    )
    with warnings.catch_warnings():
        # astropy's remarks on the form of other people's cards: nobody can act upon them here
        warnings.simplefilter("ignore")
        return list(map(record, files))


def unused_rules(records: Sequence[FileRecord], types: Mapping[str, str] | None) -> list[str]:
    """Return patterns of rules that no file fits, whether or not other rules come first.

    Parameters
    ----------
    records, types
        What ``scan`` gave, and was given.
    """
    return [
        rule.pattern
        for rule in type_rules(dict.fromkeys(types or {}, "other"))
        if not any(rule.fits(record.path, record.header) for record in records)
    ]


def doubts_of_files(records: Iterable[FileRecord]) -> list[str]:
    """Return doubts about files themselves: a sentence for all files of which it is true."""
    found: dict[str, list[str]] = {}
    for record in records:
        for doubt in record.layout.doubts:
            found.setdefault(doubt, []).append(record.path)
    return [f"{first_of(paths)}: {doubt}" for doubt, paths in found.items()]


def checked(records: Iterable[FileRecord]) -> list[FileRecord]:
    """The records, with an error where the pixels of a file are not those of its DATASUM.

    Where a program has left that card as it was, there is a doubt. Files without the card are not
    looked at; of others all bytes of the planes are read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_checked, records))


def _checked(record: FileRecord) -> FileRecord:
    if record.error is not None:
        return record
    layout = record.layout
    try:
        sums = [check_sum(hdu) for plane in layout.planes.values() for hdu in plane.hdus]
    except (AutowispError, OSError) as error:
        return replace(record, error=error)
    doubts = tuple(filter(None, sums))
    layout = replace(layout, doubts=(*layout.doubts, *doubts))
    return replace(record, layout=layout, doubts=(*record.doubts, *doubts))


def damage(record: FileRecord) -> AutowispError | OSError | None:
    """Read all pixels of a file, and return what is wrong with them; None if nothing."""
    try:
        for plane in record.layout.planes.values():
            for hdu in plane.hdus:
                read_rows(hdu, 0, hdu.height)
    except (AutowispError, OSError) as error:
        return error
    return None if record.layout.planes else record.error


def _record(
    path: str,
    *,
    hdu: HduChoice,
    aliases: KeywordAliases,
    rules: Sequence[TypeRule],
    options: Mapping[str, Any],
    among: Callable[[tuple[str, ...]], tuple[KeywordAliases, Remembered]],
) -> FileRecord:
    """Look into a file; ``among`` gives the aliases that are in a header of some keywords.

    And what follows from such headers.
    """
    try:
        path.encode()
        layout = read_layout(path, hdu, aliases)
    except UnicodeEncodeError:
        error = BadImageError(f"{path!a}: the name of the file is no text; rename it")
        return FileRecord(path=path, options=options, error=error)
    except (AutowispError, OSError) as error:
        return FileRecord(path=path, options=options, error=error)
    header = LazyHeader(layout.header)
    keywords = header.keywords
    cards = Cards(header, *among(keywords))
    try:
        evidence = evidence_of(path, cards, rules)
        coordinates = read_coordinates(cards, evidence.kind)
    except HeaderError as error:
        fault = HeaderError(f"{path}: {error}")
        given: dict[str, Any] = {"path": path, "options": options, "doubts": layout.doubts}
        return FileRecord(layout=layout, error=fault, **given)
    rule = evidence.rule
    by_card = master_reason(header, cards.aliases, keywords)
    by_name = "" if by_card or rule else master_word(path)
    master = by_card or (by_name and f"the word {by_name!r} in its name")
    if rule and rule.is_master and not by_card:
        master = f"the type rule {rule.pattern!r} makes it one"
    # a mask of bad pixels may lie beside a raw frame; errors and flags are made by calibrating
    own = [kind for kind, plane in layout.planes.items() if plane.meaning != "faults"]
    plane = next(iter(layout.planes.values()))
    floats = plane.dtype.kind == "f"
    calibrated = calibrated_reason(header, own, keywords, name=bare_name(path), floats=floats)
    # most headers have no place, and to look for it takes time
    place = place_of(header) if by_card or not _PLACES.isdisjoint(keywords) else None
    height = plane.height if place is None or place.height is None else place.height
    width = plane.width if place is None or place.width is None else place.width
    facts = cards.known(read_facts, height, width)
    # a master flat has a mean of one, whatever else it is
    normalised = bool(master) and evidence.kind == "flat"
    coordinates["pixel_type"] = FLOATS if normalised else _sampled_type(header, plane.hdus[0])
    of_amplifiers, guessed = amplifier_facts(layout.readers, aliases)
    if more := channel_facts(layout.channels, aliases) | of_amplifiers:
        facts = facts | more
    doubts = layout.doubts
    if not (master or calibrated):
        known = (coordinates, facts, (height, width), evidence, floats)
        doubts += doubts_of(path, cards, keywords, *known)
    return FileRecord(
        path=path,
        options=options,
        layout=layout,
        coordinates=coordinates,
        facts=facts,
        place=place,
        type_rule=rule.pattern if rule else "",
        master_because=master,
        calibrated_because=calibrated,
        guesses=guesses_of(coordinates, evidence, by_name, cards) + guessed + layout.guesses,
        doubts=doubts,
    )


def _sampled_type(header: AnyHeader, plane: Hdu) -> str:
    """Return how pixels are stored; three rows of floats in a unit that counts are looked at."""
    sample: Sequence[Numbers] = ()
    if plane.dtype.kind == "f" and unit_of(value_of(header, "BUNIT") or COUNTED[0]) in COUNTED:
        # the reason is given by what reads the pixels
        with suppress(AutowispError, OSError):
            starts = (plane.height * quarter // 4 for quarter in (1, 2, 3))
            sample = [read_rows(plane, row, row + 1) for row in starts]
    return pixel_type(plane.dtype, sample)
