"""What becomes of each card of a raw frame in the header of a product: one table, ``fates.toml``.

Decision: a program that knows nothing of this package takes cards at face value, so each card is
true for the pixels beside it, or gone. What the raw frame said, and the judge of what goes together
still asks for, is kept under a name that nobody else reads (GAINSET, EGAINRAW). The classes of the
original write the cards that they document, and none of this applies to them.

In the table, "true" is the value of the product in every alias that is there, the first of them
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
DARKFILE                 true          stays         agreed        file of the master dark that was
                                                                   applied
FLATFILE                 true          stays         agreed        file of the master flat that was
                                                                   applied
BIASSHA                  true          stays         agreed        SHA-256 of that file
DARKSHA                  true          stays         agreed        SHA-256 of that file
FLATSHA                  true          stays         agreed        SHA-256 of that file
SUBBIAS, ZEROCOR,        true          stays         agreed        read by ccdproc, IRAF and others
BIASCOR, BIASCORR,
BIASSUB
SUBDARK, DARKCOR,        true          stays         agreed        read by ccdproc, IRAF and others
DARKCORR, DARKSUB
FLATCOR, FLATCORR,       true          stays         agreed        read by ccdproc, IRAF and others
FLATDIV
L1STATBI                 true if there stays         agreed        of BANZAI: 1 for a step that was
                                                                   taken
L1STATDA                 true if there stays         agreed        of BANZAI: 1 for a step that was
                                                                   taken
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
TIME-OBS, UT, UTC,
UTSTART, UTC-OBS,
UT-OBS, TIME-BEG,
MJD-OBS, MJD-BEG, JD,
DATE-MID, MIDPOINT,
MJD-AVG, MJD-MID, JD-MID
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
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.processing import CORRECTIONS

STEPS = ("calibrating", "splitting", "stacking")
"""What makes a product of frames: what changes its values, its pixels, and the number of frames."""

SETTING, RAW_GAIN, EFFECTIVE = "GAINSET", "EGAINRAW", "EFFNCOMB"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cards that share a fate."""

    name: str
    cards: tuple[str, ...]
    """The first is the one that is written."""
    more: str = ""
    """Further aliases, as a regular expression."""
    calibrating: str = "stays"
    splitting: str = "stays"
    stacking: str = "agreed"
    comment: str = ""
    """Of a card that is written."""
    why: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join((*map(re.escape, self.cards), *filter(None, [self.more]))))

    def among(self, header: fits.Header) -> list[str]:
        """Cards of the row that a header has, each once."""
        return [card for card in dict.fromkeys(header) if card and self._pattern.fullmatch(card)]


def _rows() -> Iterator[Row]:
    with Path(__file__).with_name("fates.toml").open("rb") as file:
        entries = tomllib.load(file)["rows"]
    for entry in entries:
        what = entry.pop("correction", None)
        if what is None:
            yield _row(**entry)
            continue
        for kind, correction in CORRECTIONS.items():
            cards = getattr(correction, what)
            own = {
                "name": f"{kind}_{what}",
                "cards": (cards,) if isinstance(cards, str) else cards,
                "comment": entry.get("comment", "").format(kind=kind),
                "why": entry["why"].format(kind=kind),
            }
            yield Row(**entry | own)


def _row(
    *,
    cards: Sequence[str] = (),
    aliases: Sequence[str] = (),
    hidden: Sequence[str] = (),
    without: Sequence[str] = (),
    more: str = "",
    **entry: str,
) -> Row:
    """The row of an entry, whose cards may be those of lists of aliases."""
    usual = KeywordAliases().cards
    named = [*(card for name in aliases for card in usual[name]), *cards]
    kept = tuple(card for card in dict.fromkeys(named) if card not in without)
    more = more or "|".join(card for name in hidden for card in usual[name])
    return Row(cards=kept, more=more, **entry)


TABLE: Sequence[Row] = tuple(_rows())
"""The fate of every card, in the order in which they are worked through."""

ROWS: Mapping[str, Row] = {row.name: row for row in TABLE}
"""The same by their names."""
