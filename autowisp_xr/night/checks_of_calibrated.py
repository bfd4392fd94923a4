"""Doubts about calibrated frames by their numbers: a line for each, with its likely cause.

Nothing is left out for a doubt. Each limit stands here, with its reason.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.flags import Flag
from autowisp_xr.measure.calibrated_checks import Look, check_calibrated
from autowisp_xr.night.sentences import Doubts, by_key, sentence

_BELOW = 0.005
"""Of the pixels may be far below zero: hot ones that flicker are, in a camera without cooling."""

BELOW_ZERO = 0.5
"""Uncertainties of a pixel that the median of a frame may be below zero, however dark the sky."""

_SKY = 2.0
"""By which factor, and by the uncertainty of a pixel at least, the sky of a frame may differ from
those of its target: a night from dusk to moonrise stays within."""

_NOISE = 1.15
SURE = 3.0
"""Noise by what uncertainties imply, and how many of its own it has to be beyond that as well."""

_FEW = 1 / 3
"""Of the frames, which may be odd beside the others."""

_PATTERN = 1.05
_SURE_OF_PATTERN = 5.0
"""Noise with the pattern of a dark by that without: as soon as the cause is known, less matters."""

_RESPONSE = 0.01
"""Of the sky: what pixels, and rows of them, differ by in their response. Without a flat that is in
the image, no uncertainty includes it, and that there is no flat is reported anyway."""

_SIDE = 8
"""Pixels a side of a block; the uncertainty of its mean is by so much smaller."""

_RAYS = 0.01
"""Of the pixels: half an hour on a high mountain flags a tenth of it."""

_FAINT = 2.0
"""Uncertainties above zero, below which they are too large in the mean: a pixel that noise makes
brighter is given more photon noise, and one that it makes darker no less than none."""


def doubts_on_calibrated(
    made: xr.Dataset,
    masters: Mapping[str, str],
    look: Look,
    *,
    level_known: bool,
    cosmic_rays: bool,
) -> Doubts:
    """Collect the doubts about calibrated frames.

    Parameters
    ----------
    made
        The frames.
    masters
        Name of each master that was applied, by its kind.
    look
        What has seen some of them already.
    level_known
        Whether a level without light was subtracted; else uncertainties are wrong by it anyway.
    cosmic_rays
        Whether they were looked for.
    """
    found = look.found(made)
    # of frames whose uncertainties are not known, pixels scatter by them
    found["error"] = found["error"].fillna(found["scatter"].where(found["scatter"] > 0))
    doubts = Doubts([str(name) for name in made["frame"].values.tolist()])
    levels = (found[name].mean("channel").values.tolist() for name in ("sky", "scatter"))
    doubts.levels = dict(zip(made["path"].values.tolist(), zip(*levels, strict=True), strict=True))
    low = _below_zero(found, doubts, masters)
    # the sky of another field may be another
    targets = made["object"].values.tolist() if "object" in made.coords else []
    targets = targets or [""] * made.sizes["frame"]
    _sky(found, targets, doubts)
    if level_known and not low:
        # below zero, uncertainties lack the photon noise of what is there
        odd = _noisy_frames(made, found, targets, look, doubts, masters)
        _noise(found.where(~xr.DataArray(odd, dims="frame")), doubts, masters)
    if cosmic_rays:
        _cosmic_rays(made, doubts)
    return doubts


def _cosmic_rays(made: xr.Dataset, doubts: Doubts) -> None:
    """Report how many pixels cosmic rays have hit, and where they are too many for rays."""
    numbers = np.array([np.count_nonzero(one.values & Flag.COSMIC) for one in made["mask"]])
    pixels = made["mask"].size // made.sizes["frame"]
    values = {"median": np.median(numbers), "least": numbers.min(), "most": numbers.max()}
    doubts.notes.append(sentence("cosmic_rays", **values))
    many = numbers > _RAYS * pixels
    if many.any():
        doubts.add("many_cosmic_rays", many, share=100 * numbers.max() / pixels)


def _below_zero(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> bool:
    """Report pixels far below zero; return whether frames as a whole are below it."""
    share, middle, error = (found[name].values for name in ("below_zero", "middle", "error"))
    low = middle < -BELOW_ZERO * error
    far = (share > _BELOW) & ~low
    dark = masters.get("dark")
    if low.any():
        place = np.unravel_index(np.argmin(np.where(low, middle / error, 0.0)), low.shape)
        names = [masters[kind] for kind in ("bias", "dark") if kind in masters]
        cause = sentence(
            "level_too_high",
            masters=" and ".join(names) or "the level that was subtracted",
            lie="lie" if len(names) > 1 else "lies",
            leak=", or lit by a leak" if dark else "",
        )
        known = np.isfinite(share[place])
        many = sentence("by_five_sigma", share=100 * share[place]) if known else ""
        values = {"level": middle[place], "error": error[place], "many": many}
        doubts.add("below_zero", low.any(axis=1), cause=cause, **values)
    if far.any():
        cause = sentence("dark_too_strong" if dark else "uncertainties_too_small", dark=dark)
        doubts.add("far_below_zero", far.any(axis=1), share=100 * share[far].max(), cause=cause)
    return bool(low.any())


def _sky(found: xr.Dataset, targets: list[str], doubts: Doubts) -> None:
    """Report frames whose sky is another than that of the frames of their target."""
    sky, error = found["sky"].values, np.nan_to_num(found["error"].values)
    usual = _usual(sky, targets)
    apart = np.abs(sky - usual) > error
    high = apart & (sky > _SKY * np.maximum(usual, 0.0))
    low = apart & (usual > _SKY * np.maximum(sky, 0.0))
    for which, cause in (
        (high, "twilight, the moon, clouds or a lamp"),
        (low, "clouds, or a dome or cap that was closed"),
    ):
        if which.any():
            place = np.unravel_index(np.argmax(np.where(which, np.abs(sky - usual), -1)), sky.shape)
            target = targets[place[0]] if len(set(targets)) > 1 else ""
            of = f"the frames of {target}" if target else "the set"
            values = {"sky": sky[place], "usual": usual[place], "of": of, "cause": cause}
            doubts.add("sky_differs", which.any(axis=1), **values)


def _usual(values: Floats, targets: list[str]) -> Floats:
    """Return for each frame the median of the frames of its target, (frame, channel)."""
    usual = np.empty_like(values)
    for alike in by_key(range(len(values)), targets.__getitem__).values():
        with warnings.catch_warnings():
            # a channel without a good pixel in any frame has none
            warnings.simplefilter("ignore", RuntimeWarning)
            usual[alike] = np.nanquantile(values[alike], 0.5, axis=0, method="lower")
    return usual


def _noisy_frames(
    made: xr.Dataset,
    found: xr.Dataset,
    targets: list[str],
    look: Look,
    doubts: Doubts,
    masters: Mapping[str, str],
) -> Bools:
    """Report the few frames with much more noise than the others of their target; select them.

    Neighbours in a row show which these may be, and a closer look, without stars, whether they are.
    """
    error = found["error"].values ** 2
    excess = found["scatter"].values ** 2 - error
    usual = np.maximum(_usual(excess, targets), 0.0)
    # where stars are more than the noise, better seeing makes more of them
    odd = (excess > 2 * usual + (_NOISE**2 - 1) * error).any(axis=1)
    if not 0 < odd.mean() <= _FEW:
        return np.zeros_like(odd)
    closer = check_calibrated(made.isel(frame=odd), dark=look.dark, max_frames=int(odd.sum()))
    noise, own = closer["noise"].values, closer["noise_error"].values
    sky, own_error = closer["sky"].values, closer["error"].values
    others = found["noise"].values[~odd]
    of_others = np.nanmedian(others) if np.isfinite(others).any() else 1.0
    much = (noise > _NOISE * max(of_others, 1.0) + SURE * own) & (
        _excess(noise) * own_error > _allowed(sky, masters)
    )
    sure = much.any(axis=1)
    odd[odd] = sure
    if odd.any():
        one = closer.isel(frame=sure)
        pattern = _pattern(_typical_of(one), masters)
        values = {"noise": one["noise"].max().item(), "usual": of_others}
        doubts.add("noisy_frames", odd, cause=pattern or sentence("unlike_sensor"), **values)
    return odd


def _noise(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> None:
    """Report the noise of the frames that were looked at, in the channel that is furthest off."""
    typical = _typical_of(found)
    if "noise" not in typical:
        return
    number = int(np.isfinite(found["noise"].values).any(axis=1).sum())
    noise, own, error = (typical[name] for name in ("noise", "noise_error", "error"))
    allowed = _allowed(typical["sky"], masters)
    much = (noise > _NOISE + SURE * own) & (_excess(noise) * error > allowed)
    little = (noise < 1 / _NOISE - SURE * own) & (typical["sky"] > _FAINT * error)
    moved = _moved(typical, error, allowed)
    pattern = _pattern(typical, masters)
    if much.any():
        cause = pattern or _cause(moved, masters)
        doubts.add("much_noise", noise=noise[much].max(), looked_at=number, cause=cause)
    elif pattern:
        doubts.add("dark_pattern_seen", pattern=pattern, looked_at=number)
    if little.any():
        doubts.add("little_noise", noise=noise[little].min(), looked_at=number)
    for lines, ratio in moved.items():
        doubts.add("moving_together", lines=lines, noise=ratio, looked_at=number)


def _cause(moved: Mapping[str, float], masters: Mapping[str, str]) -> str:
    """Name what may make more noise than uncertainties imply."""
    if moved:
        return f"{' and '.join(moved)} move together"
    cause = "gain or read noise of the camera are others (--gain, --read-noise)"
    if "dark" not in masters:
        return f"no dark takes off the unlike dark current of the pixels, or {cause}"
    return f"{cause}, or a master does not belong"


def _allowed(sky: Floats, masters: Mapping[str, str]) -> Floats | float:
    """Return how much pixels may differ beyond their noise."""
    return 0.0 if "flat" in masters else _RESPONSE * np.maximum(sky, 0.0)


def _moved(
    typical: Mapping[str, Floats], error: Floats, allowed: Floats | float
) -> dict[str, float]:
    """Find whether rows or columns move together, and the noise of blocks that this makes."""
    found = {}
    for lines in ("rows", "columns"):
        if lines in typical:
            ratio, by_chance = typical[lines], typical[f"{lines}_error"]
            much = _excess(ratio) * error / _SIDE > allowed
            moved = (ratio > _NOISE + SURE * by_chance) & much
            if moved.any():
                found[lines] = float(ratio[moved].max())
    return found


def _typical_of(found: xr.Dataset) -> dict[str, Floats]:
    """Return typical values of what was measured of any frame, by name, (channel)."""
    return {
        str(name): _typical(str(name), values.values)
        for name, values in found.data_vars.items()
        if np.isfinite(values.values).any()
    }


def _typical(name: str, values: Floats) -> Floats:
    """Return the typical value of the frames that were looked at, (channel)."""
    if name in ("rows", "columns"):
        # few lines show little in each, and all of them together more than the median does
        return np.sqrt(np.nanmean(values**2, axis=0))
    number = np.isfinite(values).sum(axis=0) if name.endswith("_error") else 1
    return np.nanmedian(values, axis=0) / np.sqrt(number)


def _pattern(typical: Mapping[str, Floats], masters: Mapping[str, str]) -> str:
    """Report that a dark leaves its pattern, or takes off too much of it; "" where it fits."""
    if "noise_of_dark" not in typical or "dark" not in masters:
        return ""
    left, own, noise = (typical[n] for n in ("dark_left", "dark_left_error", "noise_of_dark"))
    off = (np.abs(left) > _SURE_OF_PATTERN * own) & (noise > _PATTERN)
    if not off.any():
        return ""
    place = int(np.argmax(np.where(off, noise, 0.0)))
    what = "is left" if left[place] > 0 else "is taken off too much"
    values = {"left": abs(left[place]), "noise": 100 * (noise[place] - 1)}
    return sentence("dark_pattern", dark=masters["dark"], what=what, **values)


def _excess(ratio: Floats) -> Floats:
    """Return the noise beyond that of a ratio of one, as part of the latter."""
    return np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
