"""What headers call things: one table of spellings, which a user can extend.

Observatories do not agree on keywords, and less so on their values. :class:`Spellings` lists, for
each thing that a frame set wants to know, the cards that may say it, best first; the readers in
:mod:`autowisp_xr.headers.coordinates` go through it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from autowisp_xr.kinds import DEFAULT_TYPES, IMAGE_TYPES, checked_types, type_key

__all__ = ["IMAGE_TYPES", "Spellings"]


@dataclass(frozen=True, kw_only=True)
class Spellings:
    """Names of the cards that may say each thing, best first.

    Examples
    --------
    A camera that calls its exposure IMG_SEC, and frames of a lamp flats:

    >>> mine = Spellings().extended(exposure="IMG_SEC", image_types={"LED on": "flat"})
    >>> mine.exposure[0], mine.image_type_of("led on"), mine.image_type_of("Bias Frame")
    ('IMG_SEC', 'flat', 'bias')
    """

    exposure: tuple[str, ...] = ("EXPTIME", "EXPOSURE", "EXP_TIME", "XPOSURE", "ITIME")
    """Exposure time in seconds. Two of these that disagree by more than 1 % are an error."""

    exposure_milliseconds: tuple[str, ...] = ("IMG_EXP",)
    """Exposure time in thousandths of a second: used where no ``exposure`` is given."""

    exposure_microseconds: tuple[str, ...] = ("EXPOINUS",)
    """Exposure time in millionths of a second: used where none of the above is given."""

    elapsed: tuple[str, ...] = ("TELAPSE", "ELAPTIME")
    """Seconds from start to end, dead time included: used where no exposure is given."""

    image_type: tuple[str, ...] = (
        "IMAGETYP",
        "IMGTYPE",
        "OBSTYPE",
        "FRAME",
        "FRAMETYP",
        "EXPTYPE",
        "ESO DPR TYPE",
    )
    """Kind of frame. Two of these whose values are known and disagree are an error."""

    image_type_code: tuple[str, ...] = ("CCDSFPT",)
    """Kind of frame, as a number: used where no ``image_type`` card has a known value."""

    image_types: Mapping[str, str] = field(default_factory=DEFAULT_TYPES.copy)
    """Values of cards -> bias, dark, flat, object or other; letter case, blanks and punctuation do
    not matter, and "master" may stand in front. "CARD=value" holds for this card only."""

    filter: tuple[str, ...] = (
        *("FILTER", "FILTNAM", "FILTERID", "FILT", "FILTERS", "FILTER1", "ESO INS FILT1 NAME"),
    )
    """Name of the filter."""

    object: tuple[str, ...] = ("OBJECT", "OBJNAME", "TARGNAME", "TARGET", "FIELD")
    """Name of the target."""

    ra: tuple[str, ...] = ("RA", "OBJCTRA", "RA_OBJ", "RA_OBS", "RA-OBS", "TELRA", "RA-MNT")
    """Right ascension: a number is degrees, sexagesimal text is hours."""

    dec: tuple[str, ...] = (
        *("DEC", "OBJCTDEC", "DEC_OBJ", "DEC_OBS", "DEC-OBS", "TELDEC", "DEC-MNT"),
    )
    """Declination, in degrees either way."""

    temperature: tuple[str, ...] = (
        "CCD-TEMP",
        "CCDATEMP",
        "CCDTEMP",
        "CCD_TEMP",
        "DETTEMP",
        "DET-TEMP",
        "TEMPERAT",
        "CAMTEMP",
        "SET-TEMP",
        "CCDSTEMP",
    )
    """Temperature of the detector, as the camera gives it; last the one that it was set to."""

    gain: tuple[str, ...] = ("GAIN", "ISO", "ISOSPEED", "GAINRAW")
    """The camera's *setting*, for telling frames apart; never taken for electrons per ADU."""

    binning: tuple[str, ...] = ("CCDSUM", "BINNING")
    """Pixels read as one, along x and y: "2 2", "2x2", or one number for both."""

    binning_x: tuple[str, ...] = (
        *("XBINNING", "CCDXBIN", "XBIN", "BINX", "HBIN", "BIN-FCT1", "ESO DET WIN1 BINX"),
    )
    """Pixels read as one along x; with ``binning_y``, asked before ``binning``."""

    binning_y: tuple[str, ...] = (
        *("YBINNING", "CCDYBIN", "YBIN", "BINY", "VBIN", "BIN-FCT2", "ESO DET WIN1 BINY"),
    )
    """Pixels read as one along y."""

    camera: tuple[str, ...] = ("INSTRUME", "CAMERA", "CAMNAME", "CAM_ID", "DETNAM", "DETECTOR")
    """Name of the camera."""

    camera_serial: tuple[str, ...] = ("CAMSN", "CAM_SN", "DETECTID", "SERNO", "CAMERAID")
    """What tells cameras of one name apart."""

    subframe_x: tuple[str, ...] = ("XORGSUBF", "CCDSUBFL", "ROI_X")
    """Column of the sensor at which a frame starts that is a part of it, in binned pixels."""

    subframe_y: tuple[str, ...] = ("YORGSUBF", "CCDSUBFT", "ROI_Y")
    """Row of the sensor at which a frame starts that is a part of it, in binned pixels."""

    start: tuple[str, ...] = ("DATE-OBS", "DATE-BEG", "DATE_OBS", "UTDATE")
    """Start of the exposure, UTC: a date with the time inside, or beside it in ``start_time``."""

    start_time: tuple[str, ...] = (
        "TIME-OBS",
        "UT",
        "UTC",
        "UTSTART",
        "UTC-OBS",
        "UT-OBS",
        "TIME-BEG",
    )
    """Time of day of the start, where ``start`` gives the date only."""

    start_days: tuple[str, ...] = ("MJD-OBS", "MJD-BEG", "JD")
    """Start in days; a number below 1,000,000 is a modified Julian date."""

    middle: tuple[str, ...] = ("DATE-AVG", "DATE-MID", "MIDPOINT")
    """Middle of the exposure as a date with time, UTC."""

    middle_days: tuple[str, ...] = ("JD-OBS", "MJD-AVG", "MJD-MID", "JD-MID")
    """Middle in days. JD-OBS, as AutoWISP and this package write it, is the middle."""

    electrons_per_adu: tuple[str, ...] = ("EGAIN", "E-GAIN", "CVF")
    """Electrons per ADU. Never GAIN, which is a setting in as many headers as it is not."""

    read_noise: tuple[str, ...] = ("RDNOISE", "READNOIS", "RDNOIS", "READNOISE", "RON", "ENOISE")
    """Read noise in electrons."""

    saturation: tuple[str, ...] = ("SATURATE", "SATLEVEL", "SATURATI")
    """Level in ADU, as stored, above which a pixel is saturated."""

    bayer: tuple[str, ...] = ("BAYERPAT", "COLORTYP", "BAYRPAT")
    """Bayer pattern; anything but a permutation of R, G, G, B is passed over."""

    bayer_x_offset: tuple[str, ...] = ("XBAYROFF", "BAYOFFX")
    """Column of the pattern at which the frame starts."""

    bayer_y_offset: tuple[str, ...] = ("YBAYROFF", "BAYOFFY")
    """Row of the pattern at which the frame starts."""

    row_order: tuple[str, ...] = ("ROWORDER",)
    """'BOTTOM-UP': the first row of the pattern is the last row that is stored."""

    image_area: tuple[str, ...] = ("TRIMSEC",)
    """Section that sees the sky."""

    overscan: tuple[str, ...] = ("BIASSEC",)
    """Section that never sees light."""

    preferred: tuple[str, ...] = ()
    """Cards that settle a contradiction: where one of these speaks, no other is asked. Filled by
    :meth:`extended`."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "image_types":
                object.__setattr__(self, entry.name, checked_types(value))
            else:
                object.__setattr__(self, entry.name, _names(value))

    def extended(self, **more: Any) -> Self:
        """Make a table in which the given card names are tried first and settle contradictions.

        Parameters
        ----------
        **more
            For any field, a card name or several; ``image_types`` takes {value: type}.

        Raises
        ------
        TypeError
            For something that is not a field, naming those that are.
        ValueError
            For an image type other than bias, dark, flat, object or other.
        """
        known = [entry.name for entry in fields(self)]
        unknown = sorted(set(more) - set(known))
        if unknown:
            raise TypeError(f"no spellings of {', '.join(unknown)}; there are {', '.join(known)}")
        changes: dict[str, Any] = {}
        preferred = self.preferred
        for name, given in more.items():
            if name == "image_types":
                changes[name] = {**self.image_types, **checked_types(given)}
            else:
                names = _names(given)
                changes[name] = tuple(dict.fromkeys((*names, *getattr(self, name))))
                preferred = tuple(dict.fromkeys((*names, *preferred)))
        return replace(self, **{"preferred": preferred, **changes})

    def image_type_of(self, value: Any, card: str = "") -> str | None:
        """Normalised type of the value of an image type card; None where it is not known."""
        key = type_key(str(value))
        found = self.image_types.get(type_key(card) + key) if card else None
        if found is None:
            found = self.image_types.get(key)
        if found is None and key.startswith("master"):
            found = self.image_types.get(key.removeprefix("master"))
        return found

    def among(self, keywords: Collection[str]) -> Self:
        """The same table without the cards that are not among the keywords of a header."""
        table = object.__new__(type(self))
        for name, value in vars(self).items():
            if isinstance(value, tuple):
                value = tuple(keyword for keyword in value if keyword in keywords)
            object.__setattr__(table, name, value)
        return table


def _names(given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    return tuple(str(name).strip().upper() for name in names)
