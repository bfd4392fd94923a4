"""What becomes of each card of a raw frame in the header of a product: one table, and its rules.

Decision: a program that knows nothing of this package takes cards at face value, so each card is
true for the pixels beside it, or gone. What the raw frame said, and the judge of what goes together
still asks for, is kept under a name that nobody else reads (GAINSET, EGAINRAW). The classes of the
original write the cards that they document, and none of this applies to them.

In the table, "true" is the value of the product in every spelling that is there, the first of them
in any case (or all gone, where there is no such value); "agreed" stays where all frames say the
same.

======================== ============= ============= ============= =================================
cards                    calibrating   splitting     stacking      why
======================== ============= ============= ============= =================================
GAIN                     renamed       stays         renamed       a setting goes to GAINSET, which
                                                                   is asked when things are matched;
                                                                   what its comment or its value
                                                                   shows to be e/ADU is true for the
                                                                   product
EGAIN, E-GAIN, CVF,      true          stays         true          electrons per unit of the image
GAIN, CCDGAIN, CCD_GAIN,                                           whose photon noise is that of the
EPERDN, EPERADU                                                    product: the gain times the
                                                                   frames that count; none where
                                                                   half of the image has another
                                                                   noise
EGAINRAW                 true          stays         agreed        EGAIN as the raw frame had it,
                                                                   asked when things are matched
RDNOISE, READNOIS,       true          stays         true          electrons of EGAIN that, with the
RDNOIS, READNOISE, RON,                                            photons, give the median of the
ENOISE, READNOI, RNOISE,                                           error plane
CCDRDNOI
GTGAIN, GTRON            gone          stays         gone          of one amplifier of a raw frame
SATURATE, SATLEVEL,      true          stays         agreed        less what was subtracted, over
SATURATI                                                           what divided; none where that is
                                                                   not known
DATAMIN, DATAMAX,        gone          stays         gone          levels of raw pixels
CBLACK, CWHITE, MIPS-LO,
MIPS-HI, IMGMIN, IMGMAX,
MAXLIN
BUNIT                    true          true          true          unit of the image
CALSTAT                  true          stays         agreed        letters B, D, F of MaxIm DL and
                                                                   AstroImageJ for what was applied
BIASFILE                 true          stays         agreed        file of the master bias that was
                                                                   applied
BIASSHA                  true          stays         agreed        SHA-256 of that file
SUBBIAS, ZEROCOR,        true          stays         agreed        read by ccdproc, IRAF and others
BIASCOR, BIASCORR,
BIASSUB
L1STATBI                 true if there stays         agreed        of BANZAI: 1 for a step that was
                                                                   taken
DARKFILE                 true          stays         agreed        file of the master dark that was
                                                                   applied
DARKSHA                  true          stays         agreed        SHA-256 of that file
SUBDARK, DARKCOR,        true          stays         agreed        read by ccdproc, IRAF and others
DARKCORR, DARKSUB
L1STATDA                 true if there stays         agreed        of BANZAI: 1 for a step that was
                                                                   taken
FLATFILE                 true          stays         agreed        file of the master flat that was
                                                                   applied
FLATSHA                  true          stays         agreed        SHA-256 of that file
FLATCOR, FLATCORR,       true          stays         agreed        read by ccdproc, IRAF and others
FLATDIV
L1STATFL                 true if there stays         agreed        of BANZAI: 1 for a step that was
                                                                   taken
PEDESTAL                 true if there stays         agreed        0 once a bias, a dark or a level
                                                                   was subtracted
IMAGETYP                 true          stays         true          'Master Bias', 'Light Frame' and
                                                                   the like, where frames do not say
                                                                   it themselves
TRIMSEC, DATASEC,        if inside     if inside     agreed        sections that the product does
BIASSEC                                                            not hold any more
BAYERPAT, COLORTYP,      if on pattern if on pattern agreed        a plane of one colour has none;
BAYRPAT, CFAIMAGE                                                  nor has what was cut between its
                                                                   colours
CRPIXj, CDi_j, PCi_j,    moved         moved         agreed, or    counts pixels of the product
CDELTj, A_p_q, B_p_q,                                all gone
LTVj, LTMi_j
IMAGAREA, CLRCHNL,       written       written       agreed        which pixels of the raw frame
CHNLXOFF, CHNLXSTP,                                                these are
CHNLYOFF, CHNLYSTP
CALBGAIN                 written       stays         agreed        electrons per ADU that the
                                                                   calibration took
EXPTIME                  stays         stays         true          mean of the exposures, weighted
                                                                   as the pixels are, where they
                                                                   differ
TELAPSE, ELAPTIME        stays         stays         gone          of one exposure; DATE-BEG and
                                                                   DATE-END tell that of a stack
LIVETIME                 stays         stays         true          sum of all exposures, as Siril
                                                                   reads it
DATE-OBS                 stays         stays         true          start of the first exposure
DATE-BEG                 stays         stays         true          the same, by the standard
DATE-AVG                 stays         stays         true          mean of the middles, weighted as
                                                                   the pixels are
DATE-END                 stays         stays         true          end of the last exposure
DATE_OBS, UTDATE,        stays         stays         gone          start or end of one exposure
DATE-MID, MIDPOINT,
MJD-AVG, MJD-MID,
JD-MID, TIME-OBS, UT,
UTC, UTSTART, UTC-OBS,
UT-OBS, TIME-BEG,
MJD-OBS, MJD-BEG, JD
NCOMBINE, NUMFCOMB       stays         stays         true          number of frames, as IRAF and
                                                                   ccdproc, and AutoWISP call it
STACKCNT                 stays         stays         true          the same, for Siril
SNAPSHOT                 stays         stays         true if there the same, as MaxIm DL calls it
EFFNCOMB                 true          stays         true          equal frames whose mean has the
                                                                   photon noise of the product:
                                                                   EGAIN over the gain
CCD-TEMP                 stays         stays         true          mean of the temperatures, where
                                                                   they differ
GAINSET                  stays         stays         true          of all frames, where they write
                                                                   it in several ways
OFFSET                   stays         stays         true          of all frames, where they write
                                                                   it in several ways
NCOADD                   stays         stays         true          of all frames, where they write
                                                                   it in several ways
FILTER                   stays         stays         true          of all frames, where they write
                                                                   it in several ways
DATE                     gone          stays         gone          when the raw file was written
HISTORY                  grows         grows         grows         a record a step, of this frame
                                                                   alone; what a master was made of
                                                                   stands in the master
all others               stays         stays         agreed        what is not true of all frames is
                                                                   not said
======================== ============= ============= ============= =================================
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from astropy.io import fits

from autowisp_xr.cards import comment_of, value_of
from autowisp_xr.headers.corrections import CORRECTIONS, STATUS
from autowisp_xr.headers.sections import parse_section
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import known_values, to_number, to_text

__all__ = [
    "EFFECTIVE",
    "RAW_GAIN",
    "SETTING",
    "STEPS",
    "TABLE",
    "Plane",
    "Row",
    "Told",
    "as_text",
    "product_cards",
    "tell",
]

STEPS = ("calibrating", "splitting", "stacking")
"""What makes a product of frames: what changes its values, its pixels, and the number of frames."""

SETTING, RAW_GAIN, EFFECTIVE = "GAINSET", "EGAINRAW", "EFFNCOMB"

Told = Mapping[str, tuple[Any, str] | None]
"""For names of rows the value and the comment that are true for a product; None where there is none
that is true. Rows that are not named stay as they are."""

_ALL = Spellings()

_ELECTRONS = re.compile(r"electron|\be-?\s*/|\be-", re.IGNORECASE)
_PER_ELECTRON = re.compile(r"/\s*(?:e\b|electron)|\bper\s+e(?:-|lectron)", re.IGNORECASE)
_ALIKE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Which pixels of the raw frame the plane of a product holds, as far as cards count them."""

    height: int
    width: int
    y: int
    x: int
    y_step: int
    x_step: int

    @property
    def at_corner(self) -> bool:
        """Whether its pixels are counted as those of the raw frame are."""
        return (self.y, self.x, self.y_step, self.x_step) == (0, 0, 1, 1)

    @property
    def on_pattern(self) -> bool:
        """Whether it starts with the first pixel of a pattern of 2 x 2 colours, unsplit."""
        return self.y % 2 == self.x % 2 == 0 and (self.y_step, self.x_step) == (1, 1)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cards that share a fate."""

    name: str
    cards: tuple[str, ...]
    """The first is the one that is written."""
    more: str = ""
    """Further spellings, as a regular expression."""
    calibrating: str = "stays"
    splitting: str = "stays"
    stacking: str = "agreed"
    why: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join((*map(re.escape, self.cards), *filter(None, [self.more]))))

    def among(self, header: fits.Header) -> list[str]:
        """Cards of the row that a header has, each once."""
        return [card for card in dict.fromkeys(header) if card and self._pattern.fullmatch(card)]


def _corrected(kind: str) -> tuple[Row, ...]:
    cards = CORRECTIONS[kind]
    return (
        Row(
            name=f"{kind}_file",
            cards=(cards.file,),
            calibrating="true",
            why=f"file of the master {kind} that was applied",
        ),
        Row(
            name=f"{kind}_digest",
            cards=(cards.digest,),
            calibrating="true",
            why="SHA-256 of that file",
        ),
        Row(
            name=f"{kind}_done",
            cards=cards.done,
            calibrating="true",
            why="read by ccdproc, IRAF and others",
        ),
        Row(
            name=f"{kind}_level",
            cards=(cards.level,),
            calibrating="true if there",
            why="of BANZAI: 1 for a step that was taken",
        ),
    )


TABLE: Sequence[Row] = (
    Row(
        name="setting",
        cards=("GAIN",),
        calibrating="renamed",
        stacking="renamed",
        why=f"a setting goes to {SETTING}, which is asked when things are matched; what its "
        "comment or its value shows to be e/ADU is true for the product",
    ),
    Row(
        name="gain",
        cards=(*_ALL.electrons_per_adu, "GAIN", "CCDGAIN", "CCD_GAIN", "EPERDN", "EPERADU"),
        calibrating="true",
        stacking="true",
        why="electrons per unit of the image whose photon noise is that of the product: the gain "
        "times the frames that count; none where half of the image has another noise",
    ),
    Row(
        name="raw_gain",
        cards=(RAW_GAIN,),
        calibrating="true",
        why="EGAIN as the raw frame had it, asked when things are matched",
    ),
    Row(
        name="read_noise",
        cards=(*_ALL.read_noise, "READNOI", "RNOISE", "CCDRDNOI"),
        calibrating="true",
        stacking="true",
        why="electrons of EGAIN that, with the photons, give the median of the error plane",
    ),
    Row(
        name="of_amplifiers",
        cards=("GTGAIN", "GTRON"),
        more=r"(?:[AE]?GAIN|GTGAIN|CCDGAIN|ATODGN|RDNOISE?|READNOI(?:SE?)?|RON|GTRON|ENOISE)"
        r"[_-]?(?:\d{1,2}|[A-H])|SATURAT(?:\d|[A-DF-H])|ESO DET OUT\d+ (?:GAIN|CONAD|RON)",
        calibrating="gone",
        stacking="gone",
        why="of one amplifier of a raw frame",
    ),
    Row(
        name="saturation",
        cards=_ALL.saturation,
        calibrating="true",
        why="less what was subtracted, over what divided; none where that is not known",
    ),
    Row(
        name="extremes",
        cards=(
            *("DATAMIN", "DATAMAX", "CBLACK", "CWHITE", "MIPS-LO", "MIPS-HI"),
            *("IMGMIN", "IMGMAX", "MAXLIN"),
        ),
        calibrating="gone",
        stacking="gone",
        why="levels of raw pixels",
    ),
    Row(
        name="unit",
        cards=("BUNIT",),
        calibrating="true",
        splitting="true",
        stacking="true",
        why="unit of the image",
    ),
    Row(
        name="status",
        cards=(STATUS,),
        calibrating="true",
        why="letters B, D, F of MaxIm DL and AstroImageJ for what was applied",
    ),
    *(row for kind in CORRECTIONS for row in _corrected(kind)),
    Row(
        name="pedestal",
        cards=("PEDESTAL",),
        calibrating="true if there",
        why="0 once a bias, a dark or a level was subtracted",
    ),
    Row(
        name="type",
        cards=("IMAGETYP",),
        calibrating="true",
        stacking="true",
        why="'Master Bias', 'Light Frame' and the like, where frames do not say it themselves",
    ),
    Row(
        name="sections",
        cards=("TRIMSEC", "DATASEC", "BIASSEC"),
        more=r"(?:TRIM|DATA|BIAS|PRE|POST|AMP|OVR)SEC[A-H1-9]?",
        calibrating="if inside",
        splitting="if inside",
        why="sections that the product does not hold any more",
    ),
    Row(
        name="pattern",
        cards=_ALL.bayer,
        more="|".join((*_ALL.bayer_x_offset, *_ALL.bayer_y_offset)),
        calibrating="if on pattern",
        splitting="if on pattern",
        why="a plane of one colour has none; nor has what was cut between its colours",
    ),
    Row(
        name="sky",
        cards=("CRPIXj", "CDi_j", "PCi_j", "CDELTj", "A_p_q", "B_p_q", "LTVj", "LTMi_j"),
        calibrating="moved",
        splitting="moved",
        stacking="agreed, or all gone",
        why="counts pixels of the product",
    ),
    Row(
        name="place",
        cards=("IMAGAREA", "CLRCHNL", "CHNLXOFF", "CHNLXSTP", "CHNLYOFF", "CHNLYSTP"),
        calibrating="written",
        splitting="written",
        why="which pixels of the raw frame these are",
    ),
    Row(
        name="assumed",
        cards=("CALBGAIN",),
        calibrating="written",
        why="electrons per ADU that the calibration took",
    ),
    Row(
        name="exposure",
        cards=("EXPTIME",),
        stacking="true",
        why="mean of the exposures, weighted as the pixels are, where they differ",
    ),
    Row(
        name="elapsed",
        cards=_ALL.elapsed,
        stacking="gone",
        why="of one exposure; DATE-BEG and DATE-END tell that of a stack",
    ),
    Row(
        name="total_exposure",
        cards=("LIVETIME",),
        stacking="true",
        why="sum of all exposures, as Siril reads it",
    ),
    Row(name="start", cards=("DATE-OBS",), stacking="true", why="start of the first exposure"),
    Row(name="begin", cards=("DATE-BEG",), stacking="true", why="the same, by the standard"),
    Row(
        name="middle",
        cards=("DATE-AVG",),
        stacking="true",
        why="mean of the middles, weighted as the pixels are",
    ),
    Row(name="end", cards=("DATE-END",), stacking="true", why="end of the last exposure"),
    Row(
        name="clocks",
        cards=tuple(
            card
            for names in (_ALL.start, _ALL.start_time, _ALL.start_days)
            for card in (*names, *_ALL.middle, *_ALL.middle_days)
            if card not in ("DATE-OBS", "DATE-BEG", "DATE-AVG", "JD-OBS")
        ),
        more=r"TIME-END|UTEND|UTSTOP|MJD-END|JD-END|[HB]JD.*",
        stacking="gone",
        why="start or end of one exposure",
    ),
    Row(
        name="frames",
        cards=("NCOMBINE", "NUMFCOMB"),
        stacking="true",
        why="number of frames, as IRAF and ccdproc, and AutoWISP call it",
    ),
    Row(name="stack_count", cards=("STACKCNT",), stacking="true", why="the same, for Siril"),
    Row(
        name="snapshots",
        cards=("SNAPSHOT",),
        stacking="true if there",
        why="the same, as MaxIm DL calls it",
    ),
    Row(
        name="effective",
        cards=(EFFECTIVE,),
        calibrating="true",
        stacking="true",
        why="equal frames whose mean has the photon noise of the product: EGAIN over the gain",
    ),
    Row(
        name="temperature",
        cards=("CCD-TEMP",),
        stacking="true",
        why="mean of the temperatures, where they differ",
    ),
    *(
        Row(
            name=name,
            cards=(card,),
            stacking="true",
            why="of all frames, where they write it in several ways",
        )
        for name, card in (
            *(("kept_setting", SETTING), ("offset", "OFFSET"), ("coadds", "NCOADD")),
            ("filter", "FILTER"),
        )
    ),
    Row(
        name="date",
        cards=("DATE",),
        calibrating="gone",
        stacking="gone",
        why="when the raw file was written",
    ),
    Row(
        name="history",
        cards=("HISTORY",),
        calibrating="grows",
        splitting="grows",
        stacking="grows",
        why="a record a step, of this frame alone; what a master was made of stands in the master",
    ),
    Row(name="others", cards=("all others",), why="what is not true of all frames is not said"),
)
"""The fate of every card, in the order in which they are worked through."""

_NAMED = {row.name: row for row in TABLE}


def product_cards(header: fits.Header, steps: Sequence[str], told: Told, plane: Plane) -> None:
    """Make the cards of a header, in place, those of a product.

    Parameters
    ----------
    header
        Of the raw frame, of a product, or what those of several frames have in common. What counts
        pixels of the sky is moved already, and says the place of ``plane``.
    steps
        Those of :data:`STEPS` that made the product.
    told
        What is true for it.
    plane
        Its pixels.
    """
    for step in STEPS:
        if step not in steps:
            continue
        for row in TABLE:
            rule = _RULES.get(getattr(row, step))
            if rule is not None:
                rule(header, row, told, plane)


def tell(header: fits.Header, told: Told) -> None:
    """Write what is true, in place, into all spellings that a header has of some rows."""
    for name in told:
        _tell(header, _NAMED[name], told)


def _tell(header: fits.Header, row: Row, told: Told, plane: Plane | None = None) -> None:
    if row.name not in told:
        return
    _tell_if_there(header, row, told)
    entry = told[row.name]
    if entry is not None and row.cards[0] not in header:
        header[row.cards[0]] = entry


def _tell_if_there(header: fits.Header, row: Row, told: Told, plane: Plane | None = None) -> None:
    if row.name not in told:
        return
    entry = told[row.name]
    for card in row.among(header):
        first = header.index(card)
        if header.count(card) > 1 or entry is None:
            header.remove(card, remove_all=True)
        if entry is not None and card in header:
            header[card] = entry
        elif entry is not None:
            header.insert(first, (card, *entry))


def _remove(header: fits.Header, row: Row, told: Told, plane: Plane) -> None:
    for card in row.among(header):
        header.remove(card, remove_all=True)


def _rename(header: fits.Header, row: Row, told: Told, plane: Plane) -> None:
    """Give a setting its own name; where it is electrons per ADU, it stays beside that, too."""
    (card,) = row.cards
    if card not in header:
        return
    if SETTING not in header:
        header.insert(card, (SETTING, value_of(header, card), comment_of(header, card)))
    if not _counts_electrons(header, card):
        header.remove(card, remove_all=True)


def _counts_electrons(header: fits.Header, card: str) -> bool:
    """Whether a gain is electrons per ADU: its comment says so, or a card that is known to be."""
    comment = comment_of(header, card)
    if _ELECTRONS.search(comment):
        return not _PER_ELECTRON.search(comment)
    number = to_number(value_of(header, card))
    said = known_values(header, (RAW_GAIN, *_ALL.electrons_per_adu))
    others = (to_number(value) for _, value in said)
    return any(abs(number - other) <= _ALIKE * abs(other) for other in others)


def _keep_inside(header: fits.Header, row: Row, told: Told, plane: Plane) -> None:
    """Leave sections that lie in a plane whose pixels are counted as those of the raw frame."""
    for card in row.among(header):
        section = parse_section(to_text(value_of(header, card)))
        inside = section is not None and section.within(plane.height, plane.width).fits(
            plane.height, plane.width
        )
        if not (plane.at_corner and inside):
            header.remove(card, remove_all=True)


def _keep_on_pattern(header: fits.Header, row: Row, told: Told, plane: Plane) -> None:
    # counted from the last row, a pattern starts where the raw frame ends
    order = {to_text(value).upper()[:6] for _, value in known_values(header, _ALL.row_order)}
    if not plane.on_pattern or "BOTTOM" in order:
        _remove(header, row, told, plane)


_RULES: Mapping[str, Callable[[fits.Header, Row, Told, Plane], None]] = {
    "true": _tell,
    "true if there": _tell_if_there,
    "gone": _remove,
    "renamed": _rename,
    "if inside": _keep_inside,
    "if on pattern": _keep_on_pattern,
}
"""What other words of the table say is done where pixels are moved, or headers merged."""

_HEADS = ("cards", *STEPS, "why")
_WIDTHS = (24, 13, 13, 13, 33)


def as_text() -> str:
    """The table for people, as documentation tools read it."""
    rule = " ".join("=" * width for width in _WIDTHS)
    lines = [rule, *_cells(_HEADS), rule]
    for row in TABLE:
        named = ", ".join(dict.fromkeys(row.cards))
        lines += _cells((named, *(getattr(row, step) for step in STEPS), row.why))
    return "\n".join((*lines, rule))


def _cells(texts: Sequence[str]) -> list[str]:
    columns = [
        textwrap.wrap(text, width, break_on_hyphens=False)
        for text, width in zip(texts, _WIDTHS, strict=True)
    ]
    # a line that begins with blanks goes on with the row above
    return [
        " ".join(
            (column[i] if i < len(column) else "").ljust(width)
            for column, width in zip(columns, _WIDTHS, strict=True)
        ).rstrip()
        for i in range(max(map(len, columns)))
    ]
