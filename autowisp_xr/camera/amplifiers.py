"""The amplifiers that read a frame: which pixels, with what level, gain and noise."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import combinations, product
from typing import Any, Self

from autowisp_xr.camera.response import Linearity
from autowisp_xr.checked_numbers import checked_number, known_number
from autowisp_xr.errors import CalibrationError
from autowisp_xr.regions import Region, parse_areas

_MOST = 255


@dataclass(frozen=True, kw_only=True)
class Amplifier:
    """One of several amplifiers that read a frame, each pixel by one of them.

    Examples
    --------
    Two halves, the second of which has its overscan beyond the first:

    >>> right = Amplifier(region="[513:1024,1:512]", overscan="[1025:1056,1:512]", gain=1.9)
    >>> str(right), right.overscan[0].xmin
    ('512 < x < 1024, 0 < y < 512', 1024)
    """

    region: Any
    """The pixels that it reads, with a level of their own: a Region, a mapping, or a FITS
    section."""

    overscan: Any = ()
    """Areas that it reads and that never see light, in the region or anywhere else in the frame.
    None given: what the camera's ``overscan`` has inside the region."""

    gain: float | None = None
    """Electrons per ADU; None for the camera's."""

    read_noise: float | None = None
    """Read noise in electrons, digitisation included; None for the camera's."""

    corner: str = ""
    """Corner of the region that is read first: "xmin ymin", "xmax ymin", "xmin ymax" or "xmax
    ymax"; "" where not known."""

    linearity: Any = ()
    """Its own, as for the camera; none given: that of the camera."""

    name: str = ""
    """What to call it in reports."""

    def __post_init__(self) -> None:
        parsed = {
            "region": Region.parse(self.region),
            "overscan": parse_areas(self.overscan, "overscan of an amplifier"),
            "gain": known_number("gain of an amplifier", self.gain, above=0.0),
            "read_noise": known_number("read_noise of an amplifier", self.read_noise, least=0.0),
            "corner": _checked_corner(self.corner),
            "linearity": Linearity.parse(self.linearity) or (),
            "name": str(self.name),
        }
        for name, value in parsed.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return f"{self.name} ({self.region})" if self.name else str(self.region)

    @classmethod
    def parse(cls, given: Any) -> Self:
        """Return the amplifier of an Amplifier, of a mapping of its fields, or of its region.

        Raises
        ------
        CalibrationError
            For a mapping with other names, or something that is no area.
        """
        if isinstance(given, cls):
            return given
        names = {field.name for field in fields(cls)}
        if not (isinstance(given, Mapping) and names & set(given)):
            return cls(region=given)
        unknown = sorted(set(map(str, given)) - names)
        if unknown or "region" not in given:
            wrong = f"no {', '.join(unknown)}" if unknown else "a region"
            raise CalibrationError(f"an amplifier has {wrong}; it has {', '.join(sorted(names))}")
        return cls(**given)

    @property
    def areas(self) -> tuple[Region, ...]:
        """The areas that it reads, each pixel at least once."""
        return (self.region, *self.overscan)

    def record(self) -> str | dict[str, Any]:
        """Return its region, and what else is known of it, for the history."""
        more = {
            "name": self.name,
            "overscan": [str(area) for area in self.overscan],
            "gain": self.gain,
            "read_noise": self.read_noise,
            "corner": self.corner,
            "linearity": self.linearity.record() if self.linearity else [],
        }
        known = {name: value for name, value in more.items() if value not in (None, "", [])}
        return {"region": str(self.region), **known} if known else str(self.region)


CORNERS = tuple(f"{x} {y}" for y in ("ymin", "ymax") for x in ("xmin", "xmax"))
"""The corners of a region, one of which is read first."""


def _checked_corner(given: Any) -> str:
    """Return a corner in the words of :data:`CORNERS`; "" for one that is not known."""
    words = str(given).lower().replace(",", " ").split()
    found = " ".join(sorted(words))
    if words and found not in CORNERS:
        raise CalibrationError(
            f"the corner of an amplifier is one of {', '.join(CORNERS)}, not {given!r}"
        )
    return found


def parse_crosstalk(given: Any, amplifiers: tuple[Amplifier, ...]) -> tuple[tuple[float, ...], ...]:
    """Return a matrix of crosstalk between amplifiers, victims x aggressors; () of none.

    Raises
    ------
    CalibrationError
        For what is no matrix of the amplifiers, for a coefficient of one with itself or of 1 and
        more, for amplifiers of which it is not known at which corner they begin.
    """
    if given is None or len(given) == 0:
        return ()
    number = len(amplifiers)
    rows = [list(row) if isinstance(row, Iterable) else [row] for row in given]
    if [len(row) for row in rows] != [number] * number:
        raise CalibrationError(
            f"crosstalk has a row for each victim and a column for each aggressor, {number} x "
            f"{number} for the amplifiers of the camera, not rows of {[len(row) for row in rows]}"
        )
    matrix = tuple(tuple(checked_number("crosstalk", one) for one in row) for row in rows)
    if any(matrix[i][i] for i in range(number)) or any(abs(c) >= 1 for row in matrix for c in row):
        raise CalibrationError(
            "crosstalk is 0 between an amplifier and itself, and far below 1 between others"
        )
    unknown = [str(one) for one in amplifiers if not one.corner]
    if unknown and any(map(any, matrix)):
        raise CalibrationError(
            f"crosstalk is that of pixels read at the same time, and of {unknown[0]} nobody states "
            f"which corner is read first; give Amplifier(corner=...), one of {', '.join(CORNERS)}"
        )
    return matrix if any(map(any, matrix)) else ()


def parse_amplifiers(given: Any) -> tuple[Amplifier, ...]:
    """Return the amplifiers of one or several, as :meth:`Amplifier.parse` takes each; () of None.

    Raises
    ------
    CalibrationError
        For something that is no list of amplifiers, for two that read the same pixel, for too many.
    """
    if isinstance(given, str | Region | Mapping | Amplifier):
        given = (given,) if given else ()
    try:
        listed = list(given or ())
    except TypeError:
        raise CalibrationError(f"amplifiers is a list of areas, not {given!r}") from None
    amplifiers = tuple(Amplifier.parse(one) for one in listed)
    if len(amplifiers) > _MOST:
        raise CalibrationError(
            f"there are {len(amplifiers)} amplifiers, at most {_MOST} can be told apart"
        )
    for amplifier, another in combinations(amplifiers, 2):
        for one, other in product(amplifier.areas, another.areas):
            if one.overlaps(other):
                raise CalibrationError(
                    f"the amplifiers {one} and {other} overlap; a pixel is read by one of them only"
                )
    return amplifiers
