"""The table of what becomes of each card of a raw frame in the header of a product, ``fates.toml``.

Decision: a program that knows nothing of this package takes cards at face value, so each card is
true for the pixels beside it, or removed. Values of the raw frame by which frames are matched are
kept under keywords that nobody else reads (GAINSET, EGAINRAW). The classes of the original write
the cards that they document, and none of this applies to them.

In the table, "true value" writes the value of the product into every alias that is there, the first
of them in any case (or removes them all, where there is no such value); "agreed" keeps a card where
all frames have the same value.

======================== ============= ============= ============= =================================
cards                    calibrating   splitting     stacking      why
======================== ============= ============= ============= =================================
GAIN                     renamed       stays         renamed       a setting goes to GAINSET, by
                                                                   which frames are matched; what
                                                                   its comment or its value shows to
                                                                   be e/ADU becomes that of the
                                                                   product
EGAIN, E-GAIN, CVF,      true value    stays         true value    electrons per unit of the image,
GAIN, CCDGAIN, CCD_GAIN,                                           by which the product has its
EPERDN, EPERADU                                                    photon noise: the gain times
                                                                   EFFNCOMB; none where half of the
                                                                   image has another noise
EGAINRAW                 true value    stays         agreed        EGAIN of the raw frame, by which
                                                                   frames are matched
RDNOISE, READNOIS,       true value    stays         true value    electrons that, with the photons
RDNOIS, READNOISE, RON,                                            by EGAIN, give the median of the
ENOISE, READNOI, RNOISE,                                           error plane
CCDRDNOI
GTGAIN, GTRON            removed       stays         removed       describes one amplifier of a raw
                                                                   frame
SATURATE, SATLEVEL,      true value    stays         agreed        less what was subtracted, divided
SATURATI                                                           by the flat; none where that is
                                                                   not known
BLACKADU, DATAMIN,       removed       stays         removed       levels of raw pixels
DATAMAX, CBLACK, CWHITE,
MIPS-LO, MIPS-HI,
IMGMIN, IMGMAX, MAXLIN
BUNIT                    true value    true value    true value    unit of the image
CALSTAT                  true value    stays         agreed        what was applied, in the letters
                                                                   B, D, F of MaxIm DL and
                                                                   AstroImageJ
BIASFILE                 true value    stays         agreed        file of the master bias that was
                                                                   applied
DARKFILE                 true value    stays         agreed        file of the master dark that was
                                                                   applied
FLATFILE                 true value    stays         agreed        file of the master flat that was
                                                                   applied
BIASSHA                  true value    stays         agreed        SHA-256 of that file
DARKSHA                  true value    stays         agreed        SHA-256 of that file
FLATSHA                  true value    stays         agreed        SHA-256 of that file
SUBBIAS, ZEROCOR,        true value    stays         agreed        read by ccdproc, IRAF and others
BIASCOR, BIASCORR,
BIASSUB
SUBDARK, DARKCOR,        true value    stays         agreed        read by ccdproc, IRAF and others
DARKCORR, DARKSUB
FLATCOR, FLATCORR,       true value    stays         agreed        read by ccdproc, IRAF and others
FLATDIV
L1STATBI                 true value if stays         agreed        read by BANZAI: 1 for a step that
                         there                                     was taken
L1STATDA                 true value if stays         agreed        read by BANZAI: 1 for a step that
                         there                                     was taken
L1STATFL                 true value if stays         agreed        read by BANZAI: 1 for a step that
                         there                                     was taken
FRINGCOR                 true value    stays         agreed        fringe frame that was subtracted,
                                                                   where IRAF states it
FRNGSCAL                 true value    stays         agreed        scale of the fringe frame, in the
                                                                   unit of the image
FRNGUNC                  true value    stays         agreed        uncertainty of that scale
PEDESTAL                 true value if stays         agreed        0 once a bias, a dark or a level
                         there                                     was subtracted
IMAGETYP                 true value    stays         true value    'Master Bias', 'Light Frame' and
                                                                   the like, where frames do not
                                                                   state it themselves
TRIMSEC, DATASEC,        if inside     if inside     agreed        a section is kept only where the
BIASSEC                                                            product still holds it
BAYERPAT, COLORTYP,      if on pattern if on pattern agreed        a plane of one colour has no
BAYRPAT, CFAIMAGE                                                  pattern; nor has one that was cut
                                                                   between its colours; a mosaic
                                                                   that was put together again has
                                                                   the one with which it starts
CRPIXj, CDi_j, PCi_j,    moved         moved         agreed, or    cards count the pixels of the
CDELTj, A_p_q, B_p_q,                                all removed   product
LTVj, LTMi_j
IMAGAREA, CLRCHNL,       written       written       agreed        the pixels of the raw frame that
CHNLXOFF, CHNLXSTP,                                                the product holds
CHNLYOFF, CHNLYSTP
CALBGAIN                 written       stays         agreed        electrons per ADU that the
                                                                   calibration used
EXPTIME                  stays         stays         true value    mean of the exposures, weighted
                                                                   as the pixels are, where they
                                                                   differ
TELAPSE, ELAPTIME        stays         stays         removed       belongs to one exposure; DATE-BEG
                                                                   and DATE-END give that of a stack
LIVETIME                 stays         stays         true value    sum of all exposures, as Siril
                                                                   reads it
DATE-OBS                 stays         stays         true value    start of the first exposure
DATE-BEG                 true value if stays         true value    the same, by the standard; a card
                         missing                                   of the camera stays
DATE-AVG                 true value if stays         true value    mean of the middles, weighted as
                         missing                                   the pixels are
DATE-END                 true value if stays         true value    end of the last exposure
                         missing
DATE_OBS, UTDATE,        stays         stays         removed       start or end of one exposure
TIME-OBS, UT, UTC,
UTSTART, UTC-OBS,
UT-OBS, TIME-BEG,
MJD-OBS, MJD-BEG, JD,
DATE-MID, MIDPOINT,
MJD-AVG, MJD-MID, JD-MID
NCOMBINE, NUMFCOMB       stays         stays         true value    number of frames, as IRAF and
                                                                   ccdproc, and AutoWISP call it
STACKCNT                 stays         stays         true value    the same, for Siril
SNAPSHOT                 stays         stays         true value if the same, as MaxIm DL calls it
                                                     there
EFFNCOMB                 true value    stays         true value    equal frames whose mean has the
                                                                   photon noise of the product:
                                                                   EGAIN over the gain
CCD-TEMP                 stays         stays         true value    mean of the temperatures, where
                                                                   they differ
GAINSET                  stays         stays         true value    value of all frames, where they
                                                                   write it in several ways
OFFSET                   stays         stays         true value    value of all frames, where they
                                                                   write it in several ways
NCOADD                   stays         stays         true value    value of all frames, where they
                                                                   write it in several ways
FILTER                   stays         stays         true value    value of all frames, where they
                                                                   write it in several ways
DATE                     removed       stays         removed       date when the raw file was
                                                                   written
HISTORY                  grows         grows         grows         one record for each step, of this
                                                                   frame alone; a master has its own
all others               stays         stays         agreed        a card that is not true of all
                                                                   frames is left out
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
"""The steps that make a product: they change values, pixels, and the number of frames."""

SETTING, RAW_GAIN, EFFECTIVE = "GAINSET", "EGAINRAW", "EFFNCOMB"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cards that share a fate."""

    name: str
    cards: tuple[str, ...]
    """Their keywords; the first is the one that is written."""
    more: str = ""
    """Further keywords, as a regular expression."""
    calibrating: str = "stays"
    splitting: str = "stays"
    stacking: str = "agreed"
    comment: str = ""
    """The comment of a card that is written."""
    why: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join((*map(re.escape, self.cards), *filter(None, [self.more]))))

    def among(self, header: fits.Header) -> list[str]:
        """Return the keywords of the row that a header has, each once."""
        return [card for card in dict.fromkeys(header) if card and self._pattern.fullmatch(card)]


def _rows() -> Iterator[Row]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    for entry in table["rows"]:
        what = entry.pop("correction", None)
        if what is None:
            yield _row(**entry)
            continue
        for kind, correction in CORRECTIONS.items():
            cards = getattr(correction, what)
            cards = (cards,) if isinstance(cards, str) else cards
            filled = {name: text.format(kind=kind) for name, text in entry.items()}
            yield Row(name=f"{kind}_{what}", cards=cards, **filled)


def _row(
    *,
    cards: Sequence[str] = (),
    aliases: Sequence[str] = (),
    hidden: Sequence[str] = (),
    without: Sequence[str] = (),
    more: str = "",
    **entry: str,
) -> Row:
    """Return the row of an entry, whose cards may be those of lists of aliases."""
    usual = KeywordAliases().cards
    named = [*(card for name in aliases for card in usual[name]), *cards]
    kept = tuple(card for card in dict.fromkeys(named) if card not in without)
    more = more or "|".join(card for name in hidden for card in usual[name])
    return Row(cards=kept, more=more, **entry)


TABLE: Sequence[Row] = tuple(_rows())
"""The fate of every card, in the order in which the rows are applied."""

ROWS: Mapping[str, Row] = {row.name: row for row in TABLE}
"""The same by their names."""
