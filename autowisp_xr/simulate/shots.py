"""Which frames are taken, and how each is labelled: names, times, headers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import CalibrationError
from autowisp_xr.headers import cards

__all__ = ["KINDS", "Shot", "coordinates", "options_of", "take"]

_IMAGETYP = {"bias": "Bias Frame", "dark": "Dark Frame", "flat": "Flat Field", "object": "LIGHT"}
_STARTS = {"flat": "18:00", "bias": "18:30", "dark": "19:00", "object": "21:00"}
_DATE = "2024-03-01"
_READOUT = 10.0
_FLAT_RA, _FLAT_DEC, _FLAT_STEP = 120.0, 20.0, 0.1
_FIELD = ("M42", 83.82, -5.39)

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


def take(kind: str, n: int, **options: Any) -> list[Shot]:
    """``n`` frames of a kind; the options are those of the method of a Night."""
    if kind not in _TAKERS:
        raise CalibrationError(f"{kind!r} is no kind of frame; the kinds are {', '.join(KINDS)}")
    return _TAKERS[kind](n, **options)


def _bias(n: int, *, start: int = 1) -> list[Shot]:
    return [Shot(kind="bias", number=k, exposure=0.0) for k in _numbers(n, start)]


def _dark(n: int, *, exposure: PerFrame = 60.0, start: int = 1) -> list[Shot]:
    numbers = _numbers(n, start)
    return [
        Shot(kind="dark", number=k, exposure=seconds)
        for k, seconds in zip(numbers, _each(exposure, n, "exposure"), strict=True)
    ]


def _flat(
    n: int,
    *,
    level: PerFrame = 20_000.0,
    exposure: PerFrame = 5.0,
    filter: str = "V",
    clouds: Mapping[int, float] | None = None,
    gradient: float = 0.0,
    pointings: Iterable[tuple[float, float]] | None = None,
    start: int = 1,
) -> list[Shot]:
    numbers = _numbers(n, start)
    clouds = dict(clouds or {})
    if not set(clouds) <= set(range(n)):
        raise CalibrationError(f"clouds {clouds} name frames that are not from 0 to {n - 1}")
    if pointings is None:
        places = [((_FLAT_RA + _FLAT_STEP * k) % 360, _FLAT_DEC) for k in numbers]
    else:
        places = [(float(ra), float(dec)) for ra, dec in pointings]
        if len(places) != n:
            raise CalibrationError(f"{len(places)} pointings were given for {n} frames")
    levels, seconds = _each(level, n, "level"), _each(exposure, n, "exposure")
    return [
        Shot(
            kind="flat",
            number=number,
            exposure=seconds[i],
            filter=filter,
            object="twilight",
            ra=places[i][0],
            dec=places[i][1],
            level=levels[i],
            cloud=float(clouds.get(i, 0.0)),
            gradient=float(gradient),
        )
        for i, number in enumerate(numbers)
    ]


def _object(
    n: int,
    *,
    exposure: PerFrame = 60.0,
    filter: str = "V",
    sky: float = 50.0,
    nebula: float = 30.0,
    stars: int | None = None,
    name: str = _FIELD[0],
    start: int = 1,
) -> list[Shot]:
    numbers = _numbers(n, start)
    return [
        Shot(
            kind="object",
            number=number,
            exposure=seconds,
            filter=filter,
            object=name,
            ra=_FIELD[1],
            dec=_FIELD[2],
            sky=float(sky),
            nebula=float(nebula),
            stars=stars,
        )
        for number, seconds in zip(numbers, _each(exposure, n, "exposure"), strict=True)
    ]


_TAKERS: dict[str, Callable[..., list[Shot]]] = {
    "bias": _bias,
    "dark": _dark,
    "flat": _flat,
    "object": _object,
}

KINDS = tuple(_TAKERS)


def options_of(shots: Sequence[Shot]) -> dict[str, Any]:
    """Give what the history keeps of these frames: one value where all have the same."""
    columns: dict[str, list[Any]] = {}
    for shot in shots:
        for name, value in asdict(shot).items():
            columns.setdefault(name, []).append(value)
    return {
        name: values[0] if all(value == values[0] for value in values) else values
        for name, values in columns.items()
    }


def coordinates(
    shots: Sequence[Shot], temperature: float, setting: float | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Coordinates on ``frame``; ``facts`` are cards that all headers bear."""
    starts = _starts(shots)
    half = [np.timedelta64(round(shot.exposure * 5e8), "ns") for shot in shots]

    def along(values: Sequence[Any], dtype: Any = np.float64, **attrs: str) -> Any:
        return "frame", np.array(values, dtype=dtype), attrs

    text: Any = np.dtypes.StringDType()
    return {
        "frame": along([shot.name for shot in shots], text),
        "time": along([t + h for t, h in zip(starts, half, strict=True)], "datetime64[ns]"),
        "exposure": along([shot.exposure for shot in shots], units="s"),
        "image_type": along([shot.kind for shot in shots], text),
        "filter": along([shot.filter for shot in shots], text),
        "object": along([shot.object for shot in shots], text),
        "ra": along([_number(shot.ra) for shot in shots], units="degree"),
        "dec": along([_number(shot.dec) for shot in shots], units="degree"),
        "temperature": along([temperature] * len(shots), units="degC"),
        "gain_setting": along([np.nan if setting is None else setting] * len(shots)),
        "path": along([""] * len(shots), text),
        "header": along(
            [_header(shot, t, facts) for shot, t in zip(shots, starts, strict=True)], text
        ),
    }


def _starts(shots: Sequence[Shot]) -> list[np.datetime64]:
    """When each exposure begins, one after the other; frames before the first had its length."""
    first = np.datetime64(f"{_DATE}T{_STARTS[shots[0].kind]}", "ns")
    seconds = [(shots[0].number - 1) * (shots[0].exposure + _READOUT)]
    seconds += [shot.exposure + _READOUT for shot in shots[:-1]]
    # whole milliseconds, as DATE-OBS has them
    return [first + np.timedelta64(round(s * 1e3), "ms") for s in np.cumsum(seconds)]


def _header(shot: Shot, start: np.datetime64, facts: Mapping[str, Any]) -> str:
    header = fits.Header()
    header["IMAGETYP"] = (_IMAGETYP[shot.kind], "type of image")
    header["EXPTIME"] = (shot.exposure, "[s] exposure time")
    header["DATE-OBS"] = (str(start.astype("datetime64[ms]")), "UTC, start of the exposure")
    header["TIMESYS"] = "UTC"
    if shot.filter:
        header["FILTER"] = shot.filter
    if shot.object:
        header["OBJECT"] = shot.object
    if shot.ra is not None:
        header["RA"] = (shot.ra, "[deg]")
        header["DEC"] = (shot.dec, "[deg]")
    for keyword, value in facts.items():
        header[keyword] = value
    return cards.render_header(header)


def _numbers(n: int, start: int) -> range:
    if n < 1 or start < 1:
        raise CalibrationError(f"{n} frames from number {start} on were asked for; 1 is the least")
    return range(start, start + n)


def _each(value: PerFrame, n: int, name: str) -> list[float]:
    """One number for each frame, of one for all or of a sequence."""
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if values.shape not in ((1,), (n,)) or not (values >= 0).all():
        raise CalibrationError(
            f"{name} is one number that is not negative, or {n} of them, not {value!r}"
        )
    return [float(entry) for entry in np.broadcast_to(values, n)]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
