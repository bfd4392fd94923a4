"""One pass over the frames that runs any of the steps of calibration.

``calibrate`` runs all of them, a single verb one of them; both end in this kernel, which calls the
arithmetic of the steps. For one pixel, in ADU, what is not given left out:

    I = raw - level - overscan - B          V = V_raw + var(overscan) + noise + V_masters
    I = I + c2 I^2 + ...                    V = slope^2 V + var(c2, ...) + photons(I) / gain
    I -= k D
    V = V / F^2 + var(F) I^2 / F^4          I = I / F

where photons(I) is max(I, 0), |I| or 0, and V_masters what bias and dark add. All of it runs in
double precision.

A level that is no light must not make photons. Where no bias is given and the dark holds it, the
dark comes in two parts whose sum it is: its pedestal in the place of B, its dark current in that of
D (see :mod:`autowisp_xr.steps.prepared_masters`), so that photons(I) are those of light and dark
current.

Noise that all frames share is kept apart (``shared_variance``, ``shared_relative_variance``),
because it does not average down when they are stacked. What of the variance is the noise of photons
is described beside it (``photon_slope``, ``photon_zero``).
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.saturation import Leak, flag_saturated
from autowisp_xr.kinds import MASTERS
from autowisp_xr.options import plane_type
from autowisp_xr.stats.floats import kernel_type
from autowisp_xr.steps.base import Along, RowIndex, Step, absent, frame_row, on_scale, plane_row
from autowisp_xr.steps.bias import BiasLevelOperands, BiasOperands, SubtractBiasLevel
from autowisp_xr.steps.dark import DarkOperands, factor_of
from autowisp_xr.steps.flat import FlatOperands, divided
from autowisp_xr.steps.linearity import LinearityOperands, linearise_row
from autowisp_xr.steps.master_noise import MasterNoiseOperands, master_noise_of, with_common_planes
from autowisp_xr.steps.noise import NoiseOperands, noise_row, photon_signal
from autowisp_xr.steps.order import check_order
from autowisp_xr.steps.overscan import OverscanOperands, is_varied, overscan_row
from autowisp_xr.steps.saturation import FlagSaturated, SaturationOperands, limit_of, saturated

_FAULT = np.uint8(Flag.FAULT)


class Frames(NamedTuple):
    """The frames that a pass is given."""

    image: Cube = absent(4, object)
    """(frame, channel, y, x), as it is."""
    variance: Cube = absent(4, "f4")
    """(frame, channel, y, x)."""
    mask: Bits = absent(4, "u1")
    """(frame, channel, y, x)."""
    common: Bits = absent(3, "u1")
    """(channel, y, x): flags of all frames."""


class Operands(NamedTuple):
    """The operands of all steps that a pass can run."""

    frames: Frames = Frames()
    bias_level: BiasLevelOperands = BiasLevelOperands()
    saturation: SaturationOperands = SaturationOperands()
    overscan: OverscanOperands = OverscanOperands()
    bias: BiasOperands = BiasOperands()
    linearity: LinearityOperands = LinearityOperands()
    noise: NoiseOperands = NoiseOperands()
    dark: DarkOperands = DarkOperands()
    flat: FlatOperands = FlatOperands()
    master_noise: MasterNoiseOperands = MasterNoiseOperands()


_ABSENT: Any = Operands()
_NAMES = [(step, name) for step, part in _ABSENT._asdict().items() for name in part._fields]
"""All operands, in the order in which they go over the bridge."""
_IMAGE, _MASK = (_NAMES.index(("frames", name)) for name in ("image", "mask"))
_IMAGES_OF_MASTERS = [_NAMES.index((kind, "image")) for kind in MASTERS]


class Calibrated(NamedTuple):
    """The planes that come out of a pass, (frame, channel, y, x) each."""

    image: Floats
    variance: Floats
    mask: Bits
    shared: Floats
    """What frames share of the variance beside what masters lend; of no size where nothing is."""


def one_pass(
    ds: xr.Dataset,
    steps: Sequence[Step],
    *,
    dtype: DTypeLike,
    shared: bool = True,
    errors: bool = True,
) -> xr.Dataset:
    """Return frames after the steps, with variance, mask and shared variances.

    The coordinates and attributes are those of ``ds``; the history is left to the caller.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    steps
        At most one of each kind. They run in the order of the arithmetic.
    dtype
        Of the planes that come out.
    shared
        Whether what the frames share of their variance is wanted apart, too, and their photons.
    errors
        Whether a variance is wanted; if not, it is NaN, and that is no fault of the pixels.
    """
    ds = blocks.load_coordinates(ds).drop_encoding()
    dtype = plane_type(dtype)
    steps = [step for step in steps if step]
    image = ds["image"].variable
    masks = [mask for step in steps for mask in step.masks()]
    own = [mask for mask in masks if "frame" in mask.dims]
    if own:
        # flags that are found in the frames share the reading of them
        image = blocks.pixelwise(image)
    master_noise = master_noise_of(ds, steps, dtype)
    # where nobody knows it, it stays NaN, and is no fault of the pixels
    noisy = any(step.operand == "noise" for step in steps)
    unknown = not errors or not (noisy or provenance.noise_known(ds))
    given = {step.operand: step.operands(ds) for step in steps}
    given["master_noise"] = (
        {} if unknown else {"variance": master_noise.added, "relative": master_noise.relative}
    )
    given["frames"] = {
        "image": image,
        "variance": None if unknown else blocks.plane(ds, "variance"),
        "mask": _united([blocks.plane(ds, "mask"), *own], schema.DIMS),
        "common": _united([mask for mask in masks if "frame" not in mask.dims], schema.DIMS[1:]),
    }
    # that of a curve varies with the signal
    curve = shared and not unknown and any(step.operand == "linearity" for step in steps)
    spill = next((step.spill for step in steps if isinstance(step, FlagSaturated)), None)
    leaks, limits = (spill.leaks, spill.limits) if spill else (None, None)
    image, variance, mask, *varying = blocks.apply(
        partial(_run, dtype=dtype, curve=curve, leaks=leaks),
        [*(given.get(step, {}).get(name) for step, name in _NAMES), limits],
        schema.DIMS,
        [dtype, dtype, np.uint8, *([dtype] if curve else [])],
        # leaks go into neighbours, and other channels
        free=("frame", "y") if spill else schema.DIMS,
        reach=spill.rows if spill else 0,
    )
    variables = {"image": image, "variance": variance, "mask": mask}
    if unknown:
        variables["variance"] = _unknown(variables["variance"])
    result = xr.Dataset(variables, _coordinates(ds, steps), ds.attrs)
    if shared:
        result = with_common_planes(
            result, ds, steps, master_noise, dtype, photons=errors, varying=varying
        )
    return schema.with_attributes(result, schema.units_of(ds))


def alone(ds: xr.Dataset, verb: str, step: Step, *, dtype: DTypeLike) -> xr.Dataset:
    """Return what one step makes of frames, with its line in their history.

    A camera that knows nothing of its saturation travels on as it is. CalibrationError where the
    verb comes too late, or a second time.
    """
    check_order(ds, verb, step.line, step.masters)
    result = one_pass(ds, [step], dtype=dtype)
    own = schema.camera_of(ds)
    if (moved := on_scale(own, ds, [step])) != own:
        result.attrs["camera"] = moved.to_json()
    given: dict[str, Any] = {"masters": step.masters, "by_frame": step.by_frame(ds)}
    return provenance.record(result, verb, step.line, source=ds, **given)


def _coordinates(ds: xr.Dataset, steps: Sequence[Step]) -> Any:
    """Return the coordinates of frames, with the ceiling they have in common after the steps."""
    if "ceiling" not in ds.coords:
        return ds.coords
    coords = ds.coords.to_dataset()
    if not all(step.keeps_ceiling for step in steps):
        return coords.drop_vars("ceiling").coords
    level = sum((step.level for step in steps if isinstance(step, SubtractBiasLevel)), 0.0)
    return coords.assign_coords(ceiling=coords["ceiling"] - level).coords


def _unknown(variance: xr.Variable) -> xr.Variable:
    """Return a variance of NaN in the place of a new one."""
    if not blocks.in_memory(variance):
        return xr.full_like(variance, np.nan)
    variance.values[...] = np.nan
    return variance


def _united(masks: Iterable[xr.Variable | None], dims: tuple[str, ...]) -> xr.Variable | None:
    given = [mask for mask in masks if mask is not None]
    if len(given) < 2:
        return given[0] if given else None
    (union,) = blocks.apply(_union, given, dims, [np.uint8], free=dims)
    return union


def _union(*masks: Bits) -> tuple[Bits]:
    return (np.bitwise_or.reduce(np.broadcast_arrays(*masks)),)


def _run(
    *operands: Any, dtype: np.dtype[Any], curve: bool, leaks: Sequence[Leak] | None
) -> tuple[Any, ...]:
    """Run the kernel on blocks of the operands of :func:`one_pass`, in their order.

    With a ``curve``, what frames share by it comes out as well.
    """
    *given, limits = operands
    if leaks is not None:
        flags = flag_saturated(given[_IMAGE], limits, leaks)
        given[_MASK] = flags if given[_MASK] is None else flags | given[_MASK]
    masters = (given[number] for number in _IMAGES_OF_MASTERS)
    kind = np.result_type(dtype, *(image.dtype for image in masters if image is not None))
    found = iter(given)
    # what is too large for its type is infinite there, which the kernel flags
    with np.errstate(over="ignore"):
        ready = Operands._make(
            part._make([_ready(next(found), default, kind) for default in part]) for part in _ABSENT
        )
    shape = ready.frames.image.shape
    image, variance = np.empty(shape, dtype), np.empty(shape, dtype)
    common = np.empty(shape if curve else (0,) * 4, dtype)
    out = Calibrated(image, variance, np.empty(shape, np.uint8), common)
    calibrate_planes(ready, out)
    return out if curve else out[:3]


def _ready(given: Any, default: Any, kind: np.dtype[Any]) -> Any:
    """Return a contiguous array of the axes and type of what stands for it where it is absent.

    It is read-only, whether the given one is or not, because the kernel is compiled for each
    mixture of arrays that can be written to and arrays that cannot.
    """
    dtype = default.dtype
    if dtype == np.float32:
        dtype = kind
    elif dtype == np.object_:
        # float32 is as good in float64, and one type less to compile for
        dtype = kernel_type(given.dtype)
        dtype = kind if dtype == np.float32 else dtype
    if given is None and dtype == default.dtype:
        return default
    array = np.ascontiguousarray(default if given is None else given, dtype)
    array = array[:] if array.ndim == default.ndim else array[None]
    array.flags.writeable = False
    return array


@kernel
def calibrate_pixel(
    signal: float,
    bits: np.uint8,
    limit: float,
    level: float,
    bias: float,
    dark: float,
    variance: float,
    photons: int,
    inverse_gain: float,
    flat: float,
    relative: float,
    largest: float,
) -> tuple[Any, Any, Any]:
    """Return image, variance and mask of a pixel; photons and flat add to ``variance`` here.

    What is beyond ``largest`` is not finite once it is stored.
    """
    bits = saturated(signal, limit, bits)
    value = signal - level - bias
    variance += photon_signal(value, photons) * inverse_gain
    value, variance = divided(value - dark, variance, flat, relative)
    if not abs(value) <= largest:
        return np.nan, np.nan, bits | _FAULT
    return value, variance, bits if variance <= largest else bits | _FAULT


@kernel
def calibrate_planes(given: Operands, out: Calibrated) -> None:
    """Calibrate frames in one pass; see the operands of each step."""
    frames, channels, height, width = given.frames.image.shape
    largest = np.float64(np.finfo(out.image.dtype).max)
    level = given.bias_level.level[0] if given.bias_level.level.size else 0.0
    photons = given.noise.photons[0] if given.noise.photons.size else 0
    several = given.noise.inverse_gain.shape[1] > 1
    bent = given.linearity.limit.size > 0
    varied = several or bent or is_varied(given.overscan)
    along = Along(np.zeros(width), np.zeros(width), np.zeros(width), np.zeros(width))
    signal = np.zeros(width)
    # what is not given is a row of its neutral value, which stays in the cache
    zeros = np.zeros(width, given.bias.image.dtype)
    ones = np.ones(width, given.bias.image.dtype)
    no_flags = np.zeros(width, np.uint8)
    beyond = np.zeros(width, np.uint8)
    for frame in range(frames):
        for channel in range(channels):
            k = factor_of(given.dark, frame, channel)
            limit = limit_of(given.saturation, frame, channel)
            for y in range(height):
                at = RowIndex(frame, channel, y)
                source = given.frames.image[frame, channel, y]
                v_in = frame_row(given.frames.variance, at, zeros)
                m_in = frame_row(given.frames.mask, at, no_flags)
                m = plane_row(given.frames.common, at, no_flags)
                b = plane_row(given.bias.image, at, zeros)
                d = plane_row(given.dark.image, at, zeros)
                f = plane_row(given.flat.image, at, ones)
                s = frame_row(given.master_noise.variance, at, zeros)
                r = plane_row(given.master_noise.relative, at, zeros)
                if varied:
                    along.offset[:], along.variance[:] = 0.0, 0.0
                offset, constant = overscan_row(given.overscan, at, along)
                if bent:
                    for x in range(width):
                        left = np.float64(source[x]) - level
                        signal[x] = left - (offset + along.offset[x]) - b[x]
                    linearise_row(given.linearity, at, signal, v_in, constant, along, beyond)
                    if out.shared.size:
                        shared_row = out.shared[frame, channel, y]
                        # Numba compiles an assignment of rows to words on shapes, for seconds
                        for x in range(width):
                            shared_row[x] = along.shared[x]
                reading, gain = noise_row(given.noise, at, along)
                constant += reading
                if varied and not several:
                    along.inverse_gain[:] = gain
                image_row = out.image[frame, channel, y]
                variance_row = out.variance[frame, channel, y]
                mask_row = out.mask[frame, channel, y]
                # two loops, because a level that varies along the row costs a fifth of the time
                if varied:
                    for x in range(width):
                        image_row[x], variance_row[x], mask_row[x] = calibrate_pixel(
                            np.float64(source[x]) - level, m_in[x] | m[x] | beyond[x], limit,
                            offset + along.offset[x], b[x], k * d[x],
                            np.float64(v_in[x]) + (constant + along.variance[x]) + s[x],
                            photons, along.inverse_gain[x], np.float64(f[x]), np.float64(r[x]),
                            largest,
                        )  # fmt: skip
                else:
                    for x in range(width):
                        image_row[x], variance_row[x], mask_row[x] = calibrate_pixel(
                            np.float64(source[x]) - level, m_in[x] | m[x], limit,
                            offset, b[x], k * d[x],
                            np.float64(v_in[x]) + constant + s[x],
                            photons, gain, np.float64(f[x]), np.float64(r[x]),
                            largest,
                        )  # fmt: skip
