r"""The step that takes off what amplifiers see of each other, and the verb for it.

While an amplifier reads a pixel, a share of what others read at the same moment is added: of a star
in one, there are ghosts in the others, at the pixel that has the same place counted from the corner
where each amplifier begins. With the signal of the aggressors a above the level without light,

.. math:: I_v \leftarrow I_v - \sum_a c_{va} I_a \qquad V_v \leftarrow V_v + \sum_a c_{va}^2
    (V_a + \sigma_a^2)

where V is what pixels have of the noise of overscan and bias, and :math:`\sigma_a` the read noise.
The photons of the aggressor are in both, and take no part.

Decision: it is done where the image is the signal that was digitised: after overscan and bias, as
the pipeline of the Rubin Observatory does after overscan, before the response is made linear, and
before noise. After the bias, because that is free of the pedestal whether the frames have an
overscan or not; biases need no correction then. A saturated pixel states no more than a lower limit
of what the others saw: they are flagged LEAKED where that is more than their read noise.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Integers, Numbers
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.options import plane_type
from autowisp_xr.steps.geometry import raw_lines

_LATER = ("linearise", "add_noise", "calibrate", "subtract_dark", "divide_flat")


@dataclass(frozen=True)
class _Pair:
    """Pixels of two amplifiers that are read together, as slices of the mosaic."""

    victim: tuple[slice, slice]
    aggressor: tuple[slice, slice]
    coefficient: float
    read_variance: float
    """Of the aggressor, in ADU^2; NaN where not known."""
    harmless: float
    """Read noise of the victim in ADU, below which a ghost is not flagged."""


class _Place(NamedTuple):
    """Where the planes lie in the raw frame."""

    rows: Integers
    """(channel, y)."""
    columns: Integers
    """(channel, x)."""
    shape: tuple[int, int]
    """Of a mosaic that has all amplifiers."""


def correct_crosstalk(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: DTypeLike = "float32"
) -> xr.Dataset:
    """Subtract from each amplifier what it sees of the others.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) in ADU, free of overscan and bias, not linear and without the
        noise of photons yet.
    camera
        Its ``crosstalk``, and its ``amplifiers`` with their ``corner``; by default the one that
        travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is, in chunks of whole frames; the variance has what
    overscan, bias and reading of the aggressors add. Pixels outside of the frames, and those that
    are not finite, count as unlit. What a saturated pixel has left in others is flagged LEAKED,
    unless it is less than their read noise.

    Raises
    ------
    CalibrationError
        Without crosstalk; for frames whose crosstalk was corrected, or that are linear or have
        their noise, already.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> height = {"ymin": 0, "ymax": 32}
    >>> left = aw.Amplifier(region={"xmin": 0, "xmax": 24, **height}, corner="xmin ymin")
    >>> right = aw.Amplifier(region={"xmin": 24, "xmax": 48, **height}, corner="xmax ymin")
    >>> camera = aw.Camera(amplifiers=[left, right], crosstalk=[[0, 1e-3], [2e-3, 0]])
    >>> raw = aw.simulate.Night(shape=(32, 48), seed=1).objects(2)
    >>> level = aw.subtract_overscan(raw)
    >>> apart = aw.correct_crosstalk(level, camera=camera)
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if not camera.crosstalk:
        raise CalibrationError(
            "the crosstalk of the camera is not known; give Camera(amplifiers=..., crosstalk=...)"
        )
    done = [step["verb"] for step in provenance.history(ds)]
    for verb in ("correct_crosstalk", *_LATER):
        if verb in done:
            raise CalibrationError(
                f"{verb} was done to the frames already; correct_crosstalk comes once, after "
                "overscan and bias and before anything else"
            )
    result = without_crosstalk(ds, camera, dtype)
    return provenance.record(result, "correct_crosstalk", line_of(camera), source=ds)


def line_of(camera: Camera) -> dict[str, object]:
    """Return the line of the step in a history."""
    return {
        "crosstalk": camera.crosstalk,
        "amplifiers": [amplifier.record() for amplifier in camera.amplifiers],
    }


def without_crosstalk(ds: xr.Dataset, camera: Camera, dtype: DTypeLike) -> xr.Dataset:
    """Return frames free of crosstalk, without a line in their history."""
    ds = blocks.load_coordinates(ds)
    names = ("image", "variance", "mask")
    kernel = partial(_corrected, pairs=_pairs(camera), place=_place(ds, camera))
    types = [plane_type(dtype), dtype, np.uint8]
    planes = blocks.apply(
        kernel, blocks.whole_frames(ds, names), schema.DIMS, types, free=("frame",)
    )
    result = ds.assign(dict(zip(names, planes, strict=True)))
    if "ceiling" in result.coords:
        result = result.drop_vars("ceiling")
    return schema.with_attributes(result, schema.units_of(ds))


def pixels_in_order(ds: xr.Dataset, camera: Camera, planes: Floats) -> Floats:
    """Return pixels of all amplifiers in the order in which each reads them.

    Parameters
    ----------
    ds, camera
        Where the planes lie, and the amplifiers.
    planes
        (channel, y, x).

    Returns
    -------
    (amplifier, row, column), as far as all of them reach; NaN where the planes have nothing.
    """
    whole = _mosaic(planes, _place(ds, camera), fill=np.nan)
    height, width = (min(sizes) for sizes in zip(*map(_size, camera.amplifiers), strict=True))
    return np.array([whole[_from_corner(one, height, width)] for one in camera.amplifiers])


def _place(ds: xr.Dataset, camera: Camera) -> _Place:
    areas = [amplifier.region for amplifier in camera.amplifiers]
    rows, columns = raw_lines(ds, "y"), raw_lines(ds, "x")
    height = max(int(rows.max()) + 1, *(area.ymax for area in areas))
    width = max(int(columns.max()) + 1, *(area.xmax for area in areas))
    return _Place(rows, columns, (height, width))


def _pairs(camera: Camera) -> list[_Pair]:
    """Return all pairs of amplifiers of which one sees the other."""
    pairs = []
    for row, victim in zip(camera.crosstalk, camera.amplifiers, strict=True):
        for coefficient, aggressor in zip(row, camera.amplifiers, strict=True):
            if coefficient:
                height, width = (
                    min(size) for size in zip(_size(victim), _size(aggressor), strict=True)
                )
                pairs.append(
                    _Pair(
                        _from_corner(victim, height, width),
                        _from_corner(aggressor, height, width),
                        coefficient,
                        _read_noise(camera, aggressor) ** 2,
                        np.nan_to_num(_read_noise(camera, victim)),
                    )
                )
    return pairs


def _size(amplifier: Amplifier) -> tuple[int, int]:
    area = amplifier.region
    return area.ymax - area.ymin, area.xmax - area.xmin


def _from_corner(amplifier: Amplifier, height: int, width: int) -> tuple[slice, slice]:
    """Return the pixels of an amplifier in the order in which it reads them."""
    area = amplifier.region
    x, y = amplifier.corner.split()
    return (
        _run(area.ymin, area.ymax, height, backwards=y == "ymax"),
        _run(area.xmin, area.xmax, width, backwards=x == "xmax"),
    )


def _run(start: int, stop: int, number: int, *, backwards: bool) -> slice:
    if not backwards:
        return slice(start, start + number)
    end = stop - number - 1
    return slice(stop - 1, None if end < 0 else end, -1)


def _read_noise(camera: Camera, amplifier: Amplifier) -> float:
    """Return the read noise of an amplifier in ADU; NaN where it is not known."""
    numbers = []
    for name in ("gain", "read_noise"):
        own, common = getattr(amplifier, name), getattr(camera, name)
        if own is None and isinstance(common, dict):
            # of colours: the one that matters most
            common = (min if name == "gain" else max)(common.values())
        own = common if own is None else own
        numbers.append(np.nan if own is None else own)
    gain, noise = numbers
    return float(noise / gain)


def _corrected(
    image: Cube, variance: Cube | None, mask: Bits | None, *, pairs: list[_Pair], place: _Place
) -> tuple[Floats, Floats, Bits]:
    """Correct blocks of whole frames."""
    out = image.astype(np.float64)
    errors = np.zeros(out.shape) if variance is None else variance.astype(np.float64)
    flags = np.zeros(out.shape, np.uint8) if mask is None else mask.copy()
    saturated = np.uint8(Flag.OVERSATURATED)
    for frame in range(len(out)):
        signal = np.nan_to_num(_mosaic(out[frame], place), posinf=0.0, neginf=0.0)
        noise = np.nan_to_num(_mosaic(errors[frame], place), posinf=0.0, neginf=0.0)
        full = _mosaic(flags[frame] & saturated, place) != 0
        taken, added = np.zeros(place.shape), np.zeros(place.shape)
        ghosts = np.zeros(place.shape, bool)
        for one in pairs:
            ghost = one.coefficient * signal[one.aggressor]
            taken[one.victim] += ghost
            reading = np.nan_to_num(one.read_variance)
            added[one.victim] += one.coefficient**2 * (noise[one.aggressor] + reading)
            ghosts[one.victim] |= full[one.aggressor] & (np.abs(ghost) > one.harmless)
        for channel, (y, x) in enumerate(zip(place.rows, place.columns, strict=True)):
            here = np.ix_(y, x)
            out[frame, channel] -= taken[here]
            errors[frame, channel] += added[here]
            flags[frame, channel] |= ghosts[here] * np.uint8(Flag.LEAKED)
    return out, errors, flags


def _mosaic(planes: Numbers, place: _Place, fill: float = 0) -> Any:
    """Return planes (channel, y, x) as the raw frame has them, filled where they have nothing."""
    whole = np.full(place.shape, fill, planes.dtype)
    for plane, y, x in zip(planes, place.rows, place.columns, strict=True):
        whole[np.ix_(y, x)] = plane
    return whole
