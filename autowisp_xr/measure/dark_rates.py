"""The dark current of a camera: its rate, the map of it, and how it grows with temperature."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.allocation import give_back
from autowisp_xr.arrays import Floats, Numbers
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.bridge.rows import pieces
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure import dark_sets
from autowisp_xr.measure.dark_levels import (
    Line,
    checked_tiles,
    errors_of,
    line_of,
    tile_means,
    typical_pixels,
)
from autowisp_xr.measure.dark_planes import rate_of_pixels
from autowisp_xr.measure.dark_sets import DarkSet, along_frames
from autowisp_xr.measure.shapes import REGION, glow
from autowisp_xr.measure.transfer_curve import over_channel
from autowisp_xr.options import OverscanChoice
from autowisp_xr.stack import master_bias, master_dark
from autowisp_xr.stats.doubling_temperature import doubling_of
from autowisp_xr.steps.geometry import trim

_SAME_TEMPERATURE = 1.0
"""Degrees: within them the dark current changes by a tenth."""


def dark_current(
    darks: xr.Dataset,
    biases: xr.Dataset | None = None,
    *,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    temperature_tolerance: float = _SAME_TEMPERATURE,
    memory_limit: MemoryLimit = None,
) -> xr.Dataset:
    r"""Measure the dark current of a camera: its rate, that of each pixel, and by temperature.

    Parameters
    ----------
    darks
        Raw frames (frame, channel, y, x) in ADU, as ``open_fits`` gives them, of one exposure or
        several and of one temperature or several. Of several exposures the rate is the slope of
        their levels, and takes no bias.
    biases
        Raw frames of the same pixels and setting. They are frames of no exposure to the darks that
        are within 2 degrees of them.
    camera
        Its areas, bias level and saturation, and its gain and read noise, where they are known; by
        default the one that travels with ``darks``.
    overscan
        As for :func:`~autowisp_xr.calibrate`.
    temperature_tolerance
        Degrees that the darks of one temperature span at most.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`. What is returned comes on top.

    Returns
    -------
    Dataset in memory, whose unit is electrons per second where one gain of each channel is known,
    else ADU per second. Over (``temperature``, ``channel``), the temperature in C (NaN where darks
    do not state it):

    ``current``, ``current_error``
        Of pixels that are not hot: the median over tiles of 32 x 32 pixels (8 x 8 in small
        frames). The uncertainty is by how much levels of frames scatter about the line, and NaN
        where there are no more frames than unknowns; of few frames it scatters as Student's t.
    ``darks``, ``biases``
        Number of frames.
    ``glow``, ``glow_error``, ``glow_y``, ``glow_x``
        By how much the brightest region is above the others, and where, as
        :func:`~autowisp_xr.measure.glow` finds it: light of an amplifier, mostly. Not for frames
        of less than 32 pixels a side.

    Over (``temperature``, ``channel``, y, x) the map, so that ``measured.isel(temperature=0)`` is a
    master to plot or to write: ``image``, the rate of each pixel; ``variance``, from gain and read
    noise where the camera knows them, else from the scatter of frames (NaN of single ones); and
    ``mask``. A pixel that saturates in long exposures has the rate of the short ones, and is NaN
    where it does in all. Cosmic rays are rejected where an exposure was taken thrice at least.

    Over ``channel``, with T = ``doubling_at``, the temperature in C near the middle of those of the
    darks where it is known best:

    ``doubling``, ``doubling_error``
        Degrees by which the rate doubles near T; NaN where darks are of one temperature, or rates
        are not 3 uncertainties above zero.
    ``energy``, ``energy_error``
        Of activation in eV: about 1.1 in silicon, where charge comes from the depleted pixel.

    Over ``dark`` and ``channel`` the ladder of exposures: ``level`` above that of no exposure, in
    the unit of the rate times seconds; coordinates ``exposure`` and ``dark_temperature``.

    Each frame is read twice, one at a time or in bands, also where it is lazy or cut in chunks,
    which change no bit. Flagged pixels take no part. Why darks were left out stands in the history.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or no raw ones in ADU; for darks of no exposure, or of one and no
        biases of their temperature; where only some state their temperature; where no pixel is
        good.
    ImageMismatchError
        For frames of other types, settings of the gain, offsets, sizes, ...

    See Also
    --------
    autowisp_xr.plot.dark_current : a picture of it.

    Notes
    -----
    Pixels beyond 5 standard deviations of the map, at any temperature, are no part of the rate, so
    that it is one of the same pixels at all temperatures. In each tile, without cosmic rays, a line
    is fitted to the means of all frames, biases as frames of 0 s; with the residuals :math:`e_f`,
    the median of a frame over its tiles, at all temperatures, the uncertainty at one of them is

    .. math:: \left(\frac{\sum_f e_f^2}{n - 2 m} \Big/ \sum_f (t_f - \bar t)^2 \right)^{1/2}

    for n frames at m temperatures, larger where the means of exposures are farther off the line
    than their frames scatter (biases that were taken long before the darks). To the rates
    :math:`R \propto T^{3/2} \exp(-E / 2 k T)` is fitted [1]_, and D is that of the fit at T,

    .. math:: D = \ln 2 \Big/ \left(\frac{3}{2 T} + \frac{E}{2 k T^2}\right) .

    Hot pixels follow lines of their own, mostly flatter ones: D does not hold for them.

    References
    ----------
    .. [1] Janesick, J. R., 2001, Scientific Charge-Coupled Devices (SPIE Press), section 7.1.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1, dark_current=0.5)
    >>> measured = aw.measure.dark_current(night.dark(4), night.bias(4), camera=night.camera)
    >>> measured["current"].attrs["units"], round(float(measured["current"][0, 0]), 1)
    ('electron/s', 0.5)
    """
    darks = dark_sets.ready(darks, "dark")
    camera = camera or schema.camera_of(darks)
    if biases is not None:
        biases = dark_sets.ready(biases, "bias")
        trimmed = (trim(ds.isel(frame=[0]), camera=camera) for ds in (darks, biases))
        dark_sets.check_same_camera(*trimmed)
    sets, left_out = dark_sets.sorted_darks(darks, biases, temperature_tolerance)
    how: dict[str, Any] = {"camera": camera, "overscan": overscan}
    noise = _noise(darks, camera)
    with limited(memory_limit):
        every = (_map(one, darks, biases, noise, how) for one in sets)
        cubes, maps = _in_cubes(every, len(sets))
        give_back()
        typical = typical_pixels(maps)
        give_back()
        lines = []
        for one in sets:
            parts = [(darks, one.darks), (biases, one.biases)]
            raw = [ds.isel(frame=numbers) for ds, numbers in parts if ds is not None and numbers]
            means = np.concatenate([tile_means(ds, typical, **how) for ds in raw])
            _check(means, schema.names(maps[0], "channel"))
            seconds = np.append(along_frames(raw[0], "exposure"), [0.0] * len(one.biases))
            lines.append(line_of(seconds, means))
    result = _result(sets, cubes, maps, lines, darks, camera)
    options = {
        "image_area": str(camera.image_area) if camera.image_area else None,
        "bias_level": camera.bias_level,
        "temperature_tolerance": temperature_tolerance,
        "left_out": left_out,
    }
    masters = {"biases": biases}
    return provenance.record(result, "dark_current", options, source=darks, masters=masters)


def _noise(darks: xr.Dataset, camera: Camera) -> tuple[xr.Variable, xr.Variable] | None:
    """Return ADU per electron and the variance of reading, (channel); None where not known."""
    gain, read_noise = (_numbers(darks, camera, name) for name in ("gain", "read_noise"))
    if gain is None or read_noise is None:
        return None
    found = 1 / gain, (read_noise / gain) ** 2
    return xr.Variable("channel", found[0]), xr.Variable("channel", found[1])


def _numbers(ds: xr.Dataset, camera: Camera, name: str) -> Floats | None:
    """Return the number that each channel has in common; None where one is not known."""
    found = [camera.only_number(name, channel) for channel in schema.names(ds, "channel")]
    return None if None in found else np.array(found, np.float64)


def _map(
    one: DarkSet,
    darks: xr.Dataset,
    biases: xr.Dataset | None,
    noise: tuple[xr.Variable, xr.Variable] | None,
    how: dict[str, Any],
) -> xr.Dataset:
    """Return the map of the rate at one temperature, lazy where the frames are."""
    # the noise is put in later, so that nothing depends on whether the camera knows it
    given = {**how, "noise": "if known", "allow_mismatch": {"temperature"}}
    masters = [master_dark(darks.isel(frame=part), **given) for part in one.parts]
    frames = [len(part) for part in one.parts]
    seconds = [float(along_frames(darks.isel(frame=part), "exposure").mean()) for part in one.parts]
    if biases is not None and one.biases:
        # a mean, as the masters of darks are, whose noise the kernel knows
        masters.append(master_bias(biases.isel(frame=one.biases), **given))
        frames.append(len(one.biases))
        seconds.append(0.0)
    return rate_of_pixels(masters, seconds, frames, noise)


def _in_cubes(
    maps: Iterable[xr.Dataset], number: int
) -> tuple[dict[str, Numbers], list[xr.Dataset]]:
    """Return the planes of all maps (temperature, channel, y, x), and the maps, which share them.

    They are put there some rows after the others: a map may take much of the memory there is.
    """
    cubes: dict[str, Numbers] = {}
    found = []
    for place, one in enumerate(maps):
        planes = {str(name): plane.variable for name, plane in one.data_vars.items()}
        for name, plane in planes.items():
            cubes.setdefault(name, np.empty((number, *plane.shape), plane.dtype))
        own = {name: cube[place] for name, cube in cubes.items()}
        for rows, parts in pieces(list(planes.values())):
            for plane, part in zip(own.values(), parts, strict=True):
                plane[:, rows] = part
        found.append(one.assign({name: one[name].copy(data=plane) for name, plane in own.items()}))
    return cubes, found


def _check(means: Floats, channels: list[str]) -> None:
    dark = checked_tiles(means, channels)
    if dark:
        raise CalibrationError(
            f"no part of the darks has good pixels in all frames in {', '.join(dark)}: half of the "
            "pixels of a tile have to be neither flagged, saturated nor hot"
        )


def _result(
    sets: list[DarkSet],
    cubes: dict[str, Numbers],
    maps: list[xr.Dataset],
    lines: list[Line],
    darks: xr.Dataset,
    camera: Camera,
) -> xr.Dataset:
    gain = _numbers(darks, camera, "gain")
    charge = "adu" if gain is None else "electron"
    factor = np.ones(darks.sizes["channel"]) if gain is None else gain
    rates, errors = (np.stack(of) for of in ([line.rate for line in lines], errors_of(lines)))
    rate, of_light = {"units": f"{charge}/s"}, {"units": charge}
    dims = ("temperature", "channel")
    columns: dict[str, Any] = {
        "current": (dims, rates * factor, rate),
        "current_error": (dims, errors * factor, rate),
        "darks": ("temperature", [len(one.darks) for one in sets]),
        "biases": ("temperature", [len(one.biases) for one in sets]),
        **_growth([one.temperature for one in sets], rates, errors),
        "level": (
            ("dark", "channel"),
            np.concatenate(
                [line.levels[: len(one.darks)] for one, line in zip(sets, lines, strict=True)]
            )
            * factor,
            of_light,
        ),
    }
    numbers = [number for one in sets for number in one.darks]
    planes = [_in_units(one, factor, rate["units"]) for one in maps]
    for name, cube in cubes.items():
        columns[name] = (("temperature", *schema.DIMS[1:]), cube, planes[0][name].attrs)
    if min(darks.sizes["y"], darks.sizes["x"]) >= REGION:
        found = [glow(one) for one in planes]
        for name in ("glow", "glow_error", "glow_y", "glow_x"):
            values = np.stack([one[name].values for one in found])
            columns[name] = (dims, values, found[0][name].attrs)
    temperatures = np.array([one.temperature for one in sets])
    coords = {
        "temperature": ("temperature", temperatures, {"units": "C"}),
        "dark": ("dark", darks["frame"].values[numbers]),
        "exposure": ("dark", along_frames(darks, "exposure")[numbers], {"units": "s"}),
        "dark_temperature": ("dark", along_frames(darks, "temperature")[numbers], {"units": "C"}),
    }
    of_planes = {str(name): one.variable for name, one in planes[0].coords.items() if one.dims}
    attrs = {"schema_version": schema.SCHEMA_VERSION, "camera": camera.to_json()}
    return xr.Dataset(columns, {**of_planes, **coords}, attrs)


def _growth(temperatures: list[float], rates: Floats, errors: Floats) -> dict[str, Any]:
    """Return the columns (channel) of how the rates grow with temperature."""
    found = [doubling_of(temperatures, *of) for of in zip(rates.T, errors.T, strict=True)]
    return over_channel(
        doubling=([one.degrees for one in found], "K"),
        doubling_error=([one.error for one in found], "K"),
        doubling_at=([one.at for one in found], "C"),
        energy=([one.energy for one in found], "eV"),
        energy_error=([one.energy_error for one in found], "eV"),
    )


def _in_units(one: xr.Dataset, factor: Floats, units: str) -> xr.Dataset:
    """Bring the map of a temperature to the unit of the rate, in place; return it as a master."""
    factors = factor[:, None, None].astype(np.float32)
    for name, by in (("image", factors), ("variance", factors**2)):
        one[name].values *= by
    return schema.with_attributes(one, units)
