"""What numbers of a product make doubtful: a line for each doubt, with its likely cause.

Nothing is left out for a doubt. Each limit stands here, with its reason.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr import measure
from autowisp_xr.arrays import Floats
from autowisp_xr.flags import Flag
from autowisp_xr.night.sentences import DOUBT, sentence
from autowisp_xr.night.summarised_lines import some_of

_BELOW = 0.005
"""Of the pixels may be far below zero: hot ones that flicker are, in a camera without cooling."""

_LEVEL = 0.5
"""Errors of a pixel that the median of a frame may be below zero, however dark the sky."""

_SKY = 2.0
"""By which factor, and by an error of a pixel at least, the sky of a frame may differ from its set:
a night from dusk to moonrise stays within."""

_NOISE = 1.15
_SURE = 3.0
"""Noise by what errors say, and how many of its own errors it has to be beyond that as well."""

_PATTERN = 1.05
_SURE_OF_PATTERN = 5.0
"""Noise with the pattern of a dark by that without: as soon as the cause is known, less matters."""

_RESPONSE = 0.01
"""Of the sky: what pixels, and rows of them, differ by in their response. Without a flat that is in
the image, no error knows of it, and that there is no flat is told anyway."""

_SIDE = 8
"""Of a block, in pixels; the error of its mean is by so much smaller."""

_FAINT = 2.0
"""Errors above zero, below which errors are too large in the mean: a pixel that noise makes
brighter is given more photon noise, and one that it makes darker no less than none."""

_SHAPE = 0.03
"""Range of the shapes of flats: those of a lamp agree to a few tenths of a per cent, those of
twilight to one."""

_GLOW_SHARE = 0.5
"""Of the noise of a dark frame, as scaled, that glow amounts to."""

_LEAST_GLOWING = 32
"""Rows and columns of a dark in which glow is looked for."""

_EVERY = 3
"""Row and column of a master whose level is looked at."""


class Doubts:
    """Lines on a product, and on each of its frames.

    Parameters
    ----------
    frames
        Their names; none for a master.
    """

    def __init__(self, frames: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self._names = list(frames)
        self._of_frames: list[list[str]] = [[] for _ in frames]

    def add(self, name: str, which: ArrayLike | None = None, **values: object) -> None:
        """A sentence of the table about some frames; None: about all."""
        about = range(len(self._names)) if which is None else np.flatnonzero(which).tolist()
        frames = some_of([self._names[i] for i in about], len(self._names))
        self.notes.append(sentence(name, frames=frames, **values))
        for i in about:
            self._of_frames[i].append(self.notes[-1])

    def marked(self, made: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
        """The product with its doubts as the coordinate ``doubts``, which goes to its header.

        Parameters
        ----------
        made
            The product.
        notes
            Other lines about all of it, of which those count that are doubts.
        """
        common = [note for note in notes if note.startswith(DOUBT)]
        if not (self.notes or common):
            return made
        of_each = self._of_frames if self._names else [self.notes]
        texts = ["\n".join([*lines, *common]) for lines in of_each]
        dims, values = (("frame",), texts) if self._names else ((), texts[0])
        return made.assign_coords(doubts=(dims, np.array(values, dtype=np.dtypes.StringDType())))


def of_calibrated(
    made: xr.Dataset, masters: Mapping[str, str], dark: xr.Dataset | None, *, level_known: bool
) -> Doubts:
    """Doubts about calibrated frames.

    Parameters
    ----------
    made
        The frames.
    masters
        Name of each master that was applied, by its kind.
    dark
        As it was subtracted; None where none was, or its pattern is not what was taken off.
    level_known
        Whether a level without light was subtracted; else errors are wrong by it anyway.
    """
    found = measure.check_calibrated(made, dark=dark)
    doubts = Doubts([str(name) for name in made["frame"].values.tolist()])
    low = _below_zero(found, doubts, masters)
    _sky(found, doubts)
    if level_known and not low:
        # below zero, errors lack the photon noise of what is there
        _noise(found, doubts, masters)
    return doubts


def _below_zero(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> bool:
    """Whether frames as a whole are."""
    share, middle, error = (found[name].values for name in ("below_zero", "middle", "error"))
    low = middle < -_LEVEL * error
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
        values = {"level": middle[place], "error": error[place], "share": 100 * share[place]}
        doubts.add("below_zero", low.any(axis=1), cause=cause, **values)
    if far.any():
        cause = sentence("dark_too_strong" if dark else "errors_too_small", dark=dark)
        doubts.add("far_below_zero", far.any(axis=1), share=100 * share[far].max(), cause=cause)
    return bool(low.any())


def _sky(found: xr.Dataset, doubts: Doubts) -> None:
    """The sky of some frames is another than that of the set."""
    sky, error = found["sky"].values, np.nan_to_num(found["error"].values)
    if len(sky) < 2:
        return
    with warnings.catch_warnings():
        # a channel without a good pixel in any frame has none
        warnings.simplefilter("ignore", RuntimeWarning)
        usual = np.nanquantile(sky, 0.5, axis=0, method="lower")
    apart = np.abs(sky - usual) > error
    high = apart & (sky > _SKY * np.maximum(usual, 0.0))
    low = apart & (usual > _SKY * np.maximum(sky, 0.0))
    for which, cause in (
        (high, "twilight, the moon, clouds or a lamp"),
        (low, "clouds, or a dome or cap that was closed"),
    ):
        if which.any():
            place = np.unravel_index(np.argmax(np.where(which, np.abs(sky - usual), -1)), sky.shape)
            values = {"sky": sky[place], "usual": usual[place[1]], "cause": cause}
            doubts.add("sky_differs", which.any(axis=1), **values)


def _noise(found: xr.Dataset, doubts: Doubts, masters: Mapping[str, str]) -> None:
    """The noise of the frames that were looked at, in the channel that is furthest off."""
    typical = {
        str(name): _typical(str(name), values.values)
        for name, values in found.data_vars.items()
        if np.isfinite(values.values).any()
    }
    if "noise" not in typical:
        return
    number = int(np.isfinite(found["noise"].values).any(axis=1).sum())
    noise, own, error = (typical[name] for name in ("noise", "noise_error", "error"))
    allowed = _RESPONSE * np.maximum(typical["sky"], 0.0) if "flat" not in masters else 0.0
    much = (noise > _NOISE + _SURE * own) & (_excess(noise) * error > allowed)
    little = (noise < 1 / _NOISE - _SURE * own) & (typical["sky"] > _FAINT * error)
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
    """What may make more noise than errors say."""
    if moved:
        return f"{' and '.join(moved)} move together"
    cause = "gain or read noise of the camera are others (--gain, --read-noise)"
    if "dark" not in masters:
        return f"no dark takes off the unlike dark current of the pixels, or {cause}"
    return f"{cause}, or a master does not belong"


def _moved(
    typical: Mapping[str, Floats], error: Floats, allowed: Floats | float
) -> dict[str, float]:
    """Whether rows or columns move together, and the noise of blocks that this makes."""
    found = {}
    for lines in ("rows", "columns"):
        if lines in typical:
            ratio, by_chance = typical[lines], typical[f"{lines}_error"]
            much = _excess(ratio) * error / _SIDE > allowed
            moved = (ratio > _NOISE + _SURE * by_chance) & much
            if moved.any():
                found[lines] = float(ratio[moved].max())
    return found


def _typical(name: str, values: Floats) -> Floats:
    """Of the frames that were looked at, (channel)."""
    if name in ("rows", "columns"):
        # few lines tell little in each, and all of them together more than the median does
        return np.sqrt(np.nanmean(values**2, axis=0))
    number = np.isfinite(values).sum(axis=0) if name.endswith("_error") else 1
    return np.nanmedian(values, axis=0) / np.sqrt(number)


def _pattern(typical: Mapping[str, Floats], masters: Mapping[str, str]) -> str:
    """That the dark leaves its pattern, or takes off too much of it; "" where it fits."""
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


def _variance_of_frames(master: xr.Dataset) -> Floats | None:
    """Variance of one frame of a master (channel, y, x); None where it is not known."""
    if "variance" not in master or not np.isfinite(master["variance"].values).any():
        return None
    frames = master["count"].values if "count" in master else 1
    return np.asarray(master["variance"].values * frames)


def of_dark(made: xr.Dataset, bias: str | None) -> Doubts:
    """That a master dark lies below the bias that was subtracted."""
    doubts = Doubts()
    some = made.isel(y=slice(None, None, _EVERY), x=slice(None, None, _EVERY)).compute()
    variances = None if bias is None else _variance_of_frames(some)
    if variances is None:
        return doubts
    good = some["mask"].values & np.uint8(Flag.BAD) == 0
    level, variance = (
        np.nanmedian(np.where(good, planes, np.nan), axis=(1, 2))
        for planes in (some["image"].values, variances)
    )
    error = np.sqrt(variance)
    low = level < -_LEVEL * error
    if low.any():
        place = int(np.argmin(np.where(low, level, 0.0)))
        values = {"level": -level[place], "error": error[place]}
        doubts.notes.append(sentence("dark_below_bias", bias=bias, **values))
    return doubts


def of_glow(dark: xr.Dataset, name: str, factor: float) -> list[str]:
    """That a dark that is to be scaled glows, which does not grow evenly with the exposure."""
    small = min(dark.sizes["y"], dark.sizes["x"]) < _LEAST_GLOWING
    variances = None if small else _variance_of_frames(dark)
    if variances is None:
        return []
    found = measure.glow(dark)
    error = np.sqrt(np.nanmedian(variances, axis=(1, 2)))
    glow, current = found["glow"].values, np.maximum(found["current"].values, 0.0)
    shows = (glow > np.maximum(current, 5 * found["glow_error"].values)) & (
        factor * glow > _GLOW_SHARE * error
    )
    if not shows.any():
        return []
    place = int(np.argmax(np.where(shows, glow, 0.0)))
    y, x = (int(found[axis][place]) for axis in ("glow_y", "glow_x"))
    values = {"glow": glow[place], "current": current[place]}
    return [sentence("dark_glows", name=name, y=y, x=x, **values)]


def of_flats(frames: xr.Dataset, bias: xr.Dataset | None) -> list[str]:
    """That flats of one set are of unlike shape; ``frames`` are raw, ``bias`` what they contain."""
    if frames.sizes["frame"] < 2:
        return []
    found = measure.flat_shapes(frames, bias=bias)
    deviation = found["deviation"].values
    unlike = deviation > _SHAPE + _SURE * found["deviation_error"].values
    if not unlike.any():
        return []
    names = found["frame"].values[unlike.any(axis=1)].tolist()
    most = 100 * deviation[unlike].max()
    return [sentence("flats_unlike", frames=some_of(names, len(deviation)), most=most)]


def _excess(ratio: Floats) -> Floats:
    return np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
