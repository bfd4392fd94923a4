"""The frames that are taken, and how each is labelled: names, times, headers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import CalibrationError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import render_header
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.values import Cards

_IMAGETYP = {"bias": "Bias Frame", "dark": "Dark Frame", "flat": "Flat Field", "object": "LIGHT"}
_STARTS = {"flat": "18:00", "bias": "18:30", "dark": "19:00", "object": "21:00"}
_DATE = "2024-03-01"
_READOUT = 10.0
_FLAT_RA, _FLAT_DEC, _FLAT_STEP = 120.0, 20.0, 0.1
_FIELD = ("M42", 83.82, -5.39)

_USUAL = KeywordAliases()

PerFrame = float | Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """All that one frame depends on, besides the night; its seed is a digest of this."""

    kind: str
    number: int
    exposure: float
    filter: str = ""
    object: str = ""
    ra: float | None = None
    dec: float | None = None
    level: float = 0.0
    cloud: float = 0.0
    gradient: float = 0.0
    sky: float = 0.0
    nebula: float = 0.0
    stars: int | None = 0

    @property
    def name(self) -> str:
        """The name of the frame, such as "bias-0001"."""
        return f"{self.kind}-{self.number:04d}"


def biases(n: int, start: int = 1) -> list[Shot]:
    """Plan ``n`` bias frames; the arguments are those of :meth:`Night.bias`, and so on below."""
    return _shots("bias", n, start, {"exposure": 0.0})


def darks(n: int, start: int = 1, exposure: PerFrame = 60.0) -> list[Shot]:
    """Plan ``n`` dark frames."""
    return _shots("dark", n, start, {"exposure": exposure})


def flats(
    n: int,
    start: int = 1,
    level: PerFrame = 20_000.0,
    exposure: PerFrame = 5.0,
    filter: str = "V",
    clouds: Mapping[int, float] | None = None,
    gradient: float = 0.0,
    pointings: Iterable[tuple[float, float]] | None = None,
) -> list[Shot]:
    """Plan ``n`` flat frames."""
    depths = dict(clouds or {})
    if not set(depths) <= set(range(n)):
        raise CalibrationError(f"clouds {depths} name frames that are not from 0 to {n - 1}")
    if pointings is None:
        numbers = range(start, start + n)
        pointings = [((_FLAT_RA + _FLAT_STEP * k) % 360, _FLAT_DEC) for k in numbers]
    places: list[dict[str, Any]] = [{"ra": float(ra), "dec": float(dec)} for ra, dec in pointings]
    if len(places) != n:
        raise CalibrationError(f"{len(places)} pointings were given for {n} frames")
    each, gradient = {"level": level, "exposure": exposure}, float(gradient)
    shots = _shots("flat", n, start, each, filter=filter, object="twilight", gradient=gradient)
    rows = enumerate(zip(shots, places, strict=True))
    return [replace(shot, **place, cloud=float(depths.get(i, 0.0))) for i, (shot, place) in rows]


def objects(
    n: int,
    start: int = 1,
    exposure: PerFrame = 60.0,
    filter: str = "V",
    sky: float = 50.0,
    nebula: float = 30.0,
    stars: int | None = None,
    name: str = _FIELD[0],
) -> list[Shot]:
    """Plan ``n`` frames of a star field."""
    light = {"sky": float(sky), "nebula": float(nebula), "stars": stars}
    place = {"object": name, "ra": _FIELD[1], "dec": _FIELD[2]}
    return _shots("object", n, start, {"exposure": exposure}, filter=filter, **place, **light)


_Taker = Callable[..., list[Shot]]
_TAKERS: dict[str, _Taker] = {"bias": biases, "dark": darks, "flat": flats, "object": objects}
KINDS = tuple(_TAKERS)


def shots_of(kind: str, n: int, **options: Any) -> list[Shot]:
    """Plan ``n`` frames of a kind; the options are those of the method of a Night."""
    if kind not in _TAKERS:
        raise CalibrationError(f"{kind!r} is no kind of frame; the kinds are {', '.join(KINDS)}")
    return _TAKERS[kind](n, **options)


def options_of(shots: Sequence[Shot]) -> dict[str, Any]:
    """Return what the history keeps of these frames: one value where all have the same."""
    rows = [asdict(shot) for shot in shots]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {n: v[0] if all(value == v[0] for value in v) else v for n, v in columns.items()}


_UNITS = {"exposure": "s", "ra": "degree", "dec": "degree", "temperature": "degC"}


def coordinates(shots: Sequence[Shot], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Make coordinates on ``frame`` of headers that all bear the cards ``facts``."""
    headers = [_header(*each, facts) for each in zip(shots, _starts(shots), strict=True)]
    read = [read_coordinates(Cards(header, _USUAL)) for header in headers]
    texts = {
        "frame": [shot.name for shot in shots],
        **{name: [one[name] for one in read] for name in ("image_type", "filter", "object")},
        "path": [""] * len(shots),
        "header": [render_header(header) for header in headers],
    }
    text: Any = np.dtypes.StringDType()
    numbers = {n: np.array([one[n] for one in read], float) for n in (*_UNITS, "gain_setting")}
    units = {name: {"units": unit} for name, unit in _UNITS.items()}
    return {
        "time": ("frame", np.array([one["time"] for one in read], "datetime64[ns]")),
        **{name: ("frame", np.array(values, text)) for name, values in texts.items()},
        **{name: ("frame", values, units.get(name, {})) for name, values in numbers.items()},
    }


def _starts(shots: Sequence[Shot]) -> list[np.datetime64]:
    """Let exposures begin one after the other; frames before the first had its length."""
    first = np.datetime64(f"{_DATE}T{_STARTS[shots[0].kind]}", "ns")
    seconds = [(shots[0].number - 1) * (shots[0].exposure + _READOUT)]
    seconds += [shot.exposure + _READOUT for shot in shots[:-1]]
    # whole milliseconds, as DATE-OBS has them
    return [first + np.timedelta64(round(s * 1e3), "ms") for s in np.cumsum(seconds)]


def _header(shot: Shot, start: np.datetime64, facts: Mapping[str, Any]) -> fits.Header:
    """Write the header of a frame."""
    stated = {
        "IMAGETYP": (_IMAGETYP[shot.kind], "type of image"),
        "EXPTIME": (shot.exposure, "[s] exposure time"),
        "DATE-OBS": (str(start.astype("datetime64[ms]")), "UTC, start of the exposure"),
        "TIMESYS": "UTC",
        "FILTER": shot.filter or None,
        "OBJECT": shot.object or None,
        "RA": None if shot.ra is None else (shot.ra, "[deg]"),
        "DEC": None if shot.dec is None else (shot.dec, "[deg]"),
        **facts,
    }
    header = fits.Header()
    header.update({card: entry for card, entry in stated.items() if entry is not None})
    return header


def _shots(
    kind: str, n: int, start: int, each: Mapping[str, PerFrame], **common: Any
) -> list[Shot]:
    """Plan frames of a kind, with what is given for each of them and for all."""
    if n < 1 or start < 1:
        raise CalibrationError(f"{n} frames from number {start} on were asked for; 1 is the least")
    columns = {name: _each(value, n, name) for name, value in each.items()}
    rows: list[dict[str, Any]] = [{name: columns[name][i] for name in each} for i in range(n)]
    return [Shot(kind=kind, number=start + i, **row, **common) for i, row in enumerate(rows)]


def _each(value: PerFrame, n: int, name: str) -> list[float]:
    """Return one number for each frame, of one for all or of a sequence."""
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if values.shape not in ((1,), (n,)) or not (values >= 0).all():
        allowed = f"one number that is not negative, or {n} of them"
        raise CalibrationError(f"{name} is {allowed}, not {value!r}")
    return np.broadcast_to(values, n).tolist()
