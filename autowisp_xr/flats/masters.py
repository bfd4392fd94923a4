"""Master flats: the response of each pixel, from evenly illuminated frames."""

import warnings
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, Self

import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr.arrays import Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flats.brightness import (
    ALIKE,
    Levels,
    is_common,
    levels_of,
    levels_of_samples,
    verdicts_of,
)
from autowisp_xr.flats.large_scale import check_clouds, reference_of
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.flats.result import MasterFlats, merged
from autowisp_xr.flats.selection import check_channels, select_flats
from autowisp_xr.flats.verdicts import NO_HIGH, mark, members, missing_masters, recorded, unselected
from autowisp_xr.options import MIN_FLAT, NoiseWanted, OverscanChoice, ScaleDark, check_min_flat
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.masters import with_defaults
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.steps.calibration import calibrate
from autowisp_xr.steps.flat import of_mean_one
from autowisp_xr.steps.master_matching import check_alike, check_type, with_type
from autowisp_xr.steps.pedestals import warn_if_level_is_left


def master_flat(
    ds: xr.Dataset,
    *,
    bias: xr.Dataset | None = None,
    dark: xr.Dataset | None = None,
    select: FlatSelection | None = None,
    level: Literal["channel", "common"] | None = None,
    overscan: OverscanChoice = None,
    camera: Camera | None = None,
    scale_dark: ScaleDark = False,
    noise: NoiseWanted = "required",
    min_flat: float = MIN_FLAT,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
    memory_limit: MemoryLimit = None,
    **stack_options: Any,
) -> MasterFlats:
    """Make a master flat of flat frames: each is scaled to a mean of one, then stacked.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x) of one filter, which are calibrated first; or
        calibrated ones, which are taken as they are.
    bias, dark, overscan, camera, scale_dark, noise, allow_mismatch
        As for :func:`~autowisp_xr.calibrate`. A dark of another exposure than the flats needs
        ``scale_dark``.
    select
        Which frames are good, see :class:`~autowisp_xr.FlatSelection`; None takes all.
    level
        What has a mean of one: each "channel" of a frame for itself, as colours should, or all of
        a frame in "common", so that parts of one detector which are opened as channels keep their
        ratio. None: "common" for channels that have all pixels of their own images and are not
        named like colours, else "channel".
    min_flat
        Share of its mean below which a pixel of a master is not lit, as it is not below three times
        its own error: it is flagged FAULT, and takes no part in the mean. See
        :func:`~autowisp_xr.divide_flat`.
    dtype
        Type of ``image`` and ``variance``.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.
    stack_options
        As for :func:`~autowisp_xr.stack`, for both masters. By default the mean, as for
        :func:`master_bias`, of fewer than 10 frames the median of all.

    Returns
    -------
    :class:`MasterFlats` with the masters ``high`` and ``low``, dimensionless, lazy where ``ds`` is,
    and the table ``frames``. Without a selection, all frames make ``high``. Where channels choose
    apart (``together=False``), a master has the channels for which it could be made.

    What decides is computed in this call: the stamps, a stack of the high frames (the
    reference), and its comparison with each high and low frame. Frames are read once for each of
    these (high ones twice for the reference), and once more for the masters, so that the cube is
    never whole in memory; what stays of each frame is its large-scale shape, binned as its smoother
    bins.

    The good and lit pixels of a master have a mean of one, by ``level``. How bright each frame is,
    pixels show (some 65 000 on a regular grid) that are good in all frames, without outliers: stars
    do not. A frame with which fewer than a tenth of the pixels would be left, that has no good one,
    or no light beside the others, takes no part, and ``frames`` has the reason; of lazy frames that
    nothing is to be selected of, a warning when they are computed. A pixel that saturates in some
    frames has what the others show of it. Masked pixels take no part in stamps and shapes either.

    Raises
    ------
    ImageMismatchError
        For frames of several filters, gain settings, ...
    CalibrationError, MasterMismatchError
        As :func:`~autowisp_xr.calibrate`.
    ValueError
        For a ``level`` in common where channels choose their frames apart.

    Warns
    -----
    AutowispWarning
        When no high master can be made of what was selected, or of a channel of it; when no frame
        takes part; where neither a bias, nor a dark, nor a level is subtracted from whole
        numbers, as cameras give them.

    Notes
    -----
    A frame I of the level m is stacked as :math:`I S / m`, where S is the smooth ratio of the
    reference to it. Variances are scaled by :math:`(S / m)^2`: S and m, which are averages of
    thousands of pixels, count as free of noise.

    The reference is a median; where the light of the frames slopes by 10 % this way and that, a
    cloud in one of a few shifts it, and clear frames may miss it by 1 %. Slopes of 2 % are fine.

    Tight rejection takes good values, too, and of thresholds that differ one side first. Mean and
    width of (value - truth) / error, at 20000 electrons (``python -m tests.monte_carlo.flat_table``
    prints it):

    =========== ====== ====== ====== ====== ======
                       median        mean
    ------------------ ------------- -------------
    reject      frames shift  width  shift  width
    =========== ====== ====== ====== ====== ======
    default     10-40  -0.01  1.00   0.00   1.00
    rms 3       20     0.00   1.00   0.00   1.00
    rms 2       10     0.00   1.04   0.00   1.07
    rms 2       40     -0.01  1.15   -0.01  1.19
    rms (2, -3) 10     -0.06  1.03   -0.14  1.04
    rms (2, -3) 40     -0.20  1.08   -0.47  1.10
    mad (2, -3) 40     -0.18  1.07   -0.42  1.11
    =========== ====== ====== ====== ====== ======

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flat = aw.master_flat(night.flat(5), bias=aw.master_bias(night.bias(5)))
    >>> round(float(flat.high.image.mean()), 2)
    1.0
    """
    schema.check(ds)
    check_min_flat(min_flat)
    check_type(ds, "flat", allow_mismatch)
    check_alike(ds, "one master", allow_mismatch, kind="flat")
    if not (select is None or isinstance(select, FlatSelection)):
        raise TypeError(
            f"select is None or a FlatSelection, such as FlatSelection(), not {select!r}"
        )

    with limited(memory_limit):
        frames = ds
        if schema.is_raw(ds):
            frames = calibrate(
                ds,
                bias=bias,
                dark=dark,
                overscan=overscan,
                camera=camera,
                scale_dark=scale_dark,
                noise=noise,
                allow_mismatch=allow_mismatch,
                dtype=dtype,
            )
            warn_if_level_is_left(ds, frames, "the response of the pixels")
        # brought to one level, frames that do not saturate show what those would that do
        usual = {"dtype": dtype, "allow_mismatch": allow_mismatch, "noise": noise, "reach": 0.0}
        common = is_common(level, frames, apart=select is not None and not select.together)
        finish = partial(_stacked, common=common, min_flat=min_flat, options=usual | stack_options)
        flats = _FlatSet(frames, common, finish)
        if select is None:
            made = _of_all(flats)
        elif select.together:
            made = _of_selected(flats, select)
        else:
            check_channels(frames, select)
            parts = []
            for number, channel in enumerate(schema.names(frames, "channel")):
                part = flats._replace(frames=frames.isel(channel=[number]))
                parts.append(_of_selected(part, select.of_channel(channel)))
            made = merged(parts, frames, select)
    missing = [note for note in made.notes if NO_HIGH in note]
    if missing:
        warnings.warn("; ".join(missing), AutowispWarning, stacklevel=2)
    return made


class _FlatSet(NamedTuple):
    """A set of flats, and the functions that make a master of them."""

    frames: xr.Dataset
    """Calibrated."""
    common: bool
    """Whether all channels of a frame have one level."""
    finish: Callable[..., xr.Dataset]
    """Stacks frames by their levels and shapes."""

    def of(self, which: Integers) -> Self:
        """Return some of the flats, by number."""
        return self._replace(frames=self.frames.isel(frame=which))


def master_flats(ds: xr.Dataset, **options: Any) -> dict[str, MasterFlats]:
    """Make master flats of each filter.

    Parameters
    ----------
    ds
        As for :func:`master_flat`, of any filters.
    options
        As for :func:`master_flat`, for all filters.

    Returns
    -------
    The results of :func:`master_flat` by the name of the filter, in the order of the first frames;
    "" for frames without one.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flats = aw.master_flats(night.flat(5), bias=aw.master_bias(night.bias(5)))
    >>> list(flats)
    ['V']
    """
    schema.check(ds)
    if "filter" not in ds.coords:
        return {"": master_flat(ds, **options)}
    filters = [str(name) for name in ds["filter"].values.tolist()]
    return {
        name: master_flat(
            ds.isel(frame=[i for i, other in enumerate(filters) if other == name]), **options
        )
        for name in dict.fromkeys(filters)
    }


def _of_all(flats: _FlatSet, levels: Levels | None = None) -> MasterFlats:
    levels = levels or levels_of(flats.frames, common=flats.common)
    known = blocks.in_memory(levels.level.variable)
    verdicts = verdicts_of(levels) if known else [None] * flats.frames.sizes["frame"]
    table = unselected(flats.frames, levels.level, verdicts)
    # what takes no part has a level of NaN, in memory as where that is still to be found
    found = MasterFlats(flats.finish(flats.frames, levels.level), None, table)
    if known:
        return found

    def compute_levels() -> MasterFlats:
        computed = xr.Dataset(levels._asdict()).compute()
        return _of_all(flats, Levels(*(computed[name] for name in Levels._fields)))

    return replace(found, compute_levels=compute_levels)


def _of_selected(flats: _FlatSet, selection: FlatSelection) -> MasterFlats:
    frames = flats.frames
    table = select_flats(frames, selection)
    masters: dict[str, xr.Dataset | None] = {"high": None, "low": None}
    reference = None
    high = members(table, "high")
    if high.size >= selection.fewest["high"]:
        chosen = flats.of(high)
        reference = reference_of(chosen.frames, selection)
    for kind, fewest in selection.fewest.items():
        if reference is None or members(table, kind).size < fewest:
            continue
        table, matches = check_clouds(frames, table, kind, reference, selection)
        table, level = _compared(frames, table, kind, matches.sample, flats.common)
        kept = members(table, kind)
        if kept.size >= fewest:
            chosen = flats.of(kept)
            known = level["frame"].isin(chosen.frames["frame"]).values
            masters[kind] = flats.finish(
                recorded(chosen.frames, frames, table, kind, selection),
                level.isel(frame=known),
                matches.shape.isel(frame=known),
            )
    notes = [*table.attrs["notes"], *missing_masters(masters, table, selection)]
    table = table.assign_attrs(notes=notes)
    return MasterFlats(
        masters["high"],
        masters["low"],
        frames=table,
        reference=reference,
        chosen_from=frames,
        selection=selection,
    )


def _compared(
    frames: xr.Dataset, table: xr.Dataset, kind: str, samples: xr.DataArray, common: bool
) -> tuple[xr.Dataset, xr.DataArray]:
    """Return the table without frames that cannot be compared to their class, and the levels."""
    which = members(table, kind)
    levels = levels_of_samples(frames.isel(frame=which), samples.values, common=common)
    for place, verdict in zip(which, verdicts_of(levels), strict=True):
        if verdict is not None and verdict.kind != "high":
            table = mark(table, place, *verdict)
    return table, levels.level


def _stacked(
    frames: xr.Dataset,
    level: xr.DataArray,
    shape: xr.Variable | None = None,
    *,
    common: bool,
    min_flat: float,
    options: dict[str, Any],
) -> xr.Dataset:
    frames = scaled(frames, level, shape, to=ALIKE, min_flat=min_flat)
    master = stacked(frames, with_defaults(frames, options, few="median"))
    return of_mean_one(with_type(master, "flat"), min_flat, common=common)
