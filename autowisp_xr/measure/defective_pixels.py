"""Pixels that lie: found in biases, darks and flats, with the reason and the numbers.

Decision: what is looked for is not what looks odd, but what makes the value or the uncertainty of
a calibrated pixel wrong. A hot pixel whose dark is stable is right, and is flagged HOT for those
who want to know; one that scatters by more than its noise explains is FAULT. Means and medians of
masters do not show that, so that the frames themselves are read, once.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr import provenance, schema
from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.arrays import Integers, Numbers, Planes
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.headers.cards import common_header, parse_header, render_header
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, TEMPERATURE_TOLERANCE
from autowisp_xr.measure.defect_search import BITS, PLANES, DefectSearch
from autowisp_xr.measure.frame_moments import LeveledFrames, leveled, prepared
from autowisp_xr.measure.pixel_scatter import REGION, found_factor
from autowisp_xr.options import MIN_FLAT, OverscanChoice
from autowisp_xr.steps.master_matching import check_alike
from autowisp_xr.steps.overscan_choice import overscan_options

FrameSets: TypeAlias = xr.Dataset | Sequence[xr.Dataset] | None

CHANCE = 3e-4
"""The share of good pixels whose scatter is beyond the limit by chance. With it, 99 % are found of
those whose uncertainty is wrong by a factor of 4 with 10 frames, 2.2 with 30, and 1.5 with 100."""

HOT = 10.0
"""Noise of the dark by which a hot pixel is above its surroundings."""

_OF_CAMERA = ("gain", "read_noise", "saturation", "amplifiers")
_OF_LEVELS = ("bias_level", "linearity", "crosstalk", "leak_directions")

_BAND = 2**20
"""Pixels that are looked at together, of which each takes some 100 bytes. Of fewer, more would be
read twice: what is around a band, too."""

_SEARCHING = Lock()
"""Threads that ask for planes at a time take turns, since one search takes much of the memory."""


def defects(
    *,
    darks: FrameSets = None,
    biases: FrameSets = None,
    flats: FrameSets = None,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    hot: float = HOT,
    hot_rate: float | None = None,
    floor: float = MIN_FLAT,
    allow_mismatch: Collection[str] = (),
    memory_limit: MemoryLimit = None,
) -> xr.Dataset:
    r"""Find defective pixels in frames of a camera, each with the reason and its numbers.

    Parameters
    ----------
    darks, biases, flats
        Raw frames (frame, channel, y, x), or several such sets, of one camera and area; those that
        there are. Darks of several exposures or temperatures are looked at apart. Two frames of a
        kind are the least that show a scatter, ten are a good number.
    camera
        Gain, read noise, areas; by default the one that travels with the frames. Where it does not
        know the noise, that of most pixels of the same level takes its place.
    overscan
        As for :func:`~autowisp_xr.calibrate`.
    hot
        Noise, or scatter of the surroundings, whichever is larger, by which the dark of a hot pixel
        is above its surroundings of 16 x 16 pixels.
    hot_rate
        ADU per second above which a pixel is hot as well.
    floor
        Response, as a share of that of the surroundings, below which a pixel is dead; as for
        :func:`~autowisp_xr.divide_flat`.
    allow_mismatch
        Traits in which the frames of a set may differ, such as "temperature".
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`. What is returned comes on top.

    Returns
    -------
    Dataset over (channel, y, x), in memory; ``calibrate(..., masks=found)`` applies it:

    ``mask``
        HOT; FAULT where ``reason`` has any other bit.
    ``reason``
        The sum of bits of :class:`~autowisp_xr.measure.Defect`, 0 for a good pixel.
    ``rate``
        Dark current in ADU per second, of the darks of the longest exposure: above the bias, or,
        without biases, above the median of all pixels. NaN without darks of a known exposure.
    ``scatter``
        Scatter through biases or darks by the expected one, the largest of all sets. NaN without.
    ``response``
        To light, by that of the surroundings. NaN without flats.

    The attribute ``found_from`` names the sets, and, for each, by which factor the uncertainty of a
    pixel has to be too small for 99 % of such pixels to be found.

    Raises
    ------
    CalibrationError
        Without any frames.
    ImageMismatchError
        Where frames of a set are of several settings, or sets of several places.

    Notes
    -----
    The variance of n frames, by the expected one, is :math:`\chi^2_{n-1} / (n-1)`; a pixel is
    unstable or noisy where that is larger than for a share of 3e-4 of good pixels (all sets
    together). Where most pixels of a region of 64 x 64 scatter by more than camera and level
    explain, they are the measure. Values that a cosmic ray made large, with a pixel beside them in
    the same frame, are left out. What did not jump while these frames were taken is not found.
    Shares that are found of noisy and telegraph pixels, by the factor of their uncertainty, and of
    good pixels that are flagged (``python -m tests.measure.defects_found``):

    ====== ===== ===== ===== ===== ===== =====
    frames 1.5   1.8   2.2   3     4     good
    ====== ===== ===== ===== ===== ===== =====
    10     0.34  0.71  0.94  0.995 0.999 3e-4
    30     0.84  0.98  0.999 1     1     4e-4
    100    0.999 1     1     1     1     4e-4
    ====== ===== ===== ===== ===== ===== =====

    A pixel is nonlinear whose response changes by more than 5 %, and six uncertainties of that,
    between flats of two levels. A pixel is bad as well in a run of 17 pixels of a column or row of
    which most are, and where six of the eight around it are.

    Examples
    --------
    >>> from autowisp_xr import calibrate, simulate
    >>> night = simulate.Night(shape=(32, 32), seed=1, hot_pixels=3)
    >>> found = defects(darks=night.dark(10), biases=night.bias(10), camera=night.camera)
    >>> science = calibrate(night.objects(1), masks=found, camera=night.camera)
    """
    given: dict[str, Any] = {"darks": darks, "biases": biases, "flats": flats, "camera": camera}
    given |= {"overscan": overscan, "hot": hot, "hot_rate": hot_rate, "floor": floor}
    with limited(memory_limit):
        return late_defects(**given, allow_mismatch=allow_mismatch).load()


def late_defects(
    *,
    darks: FrameSets,
    biases: FrameSets,
    flats: FrameSets,
    camera: Camera | None,
    overscan: OverscanChoice = None,
    hot: float = HOT,
    hot_rate: float | None = None,
    floor: float = MIN_FLAT,
    allow_mismatch: Collection[str] = (),
) -> xr.Dataset:
    """Return what :func:`defects` does, lazily indexed: rows are searched when they are asked for.

    Levels of the frames are measured in this call.
    """
    given = [
        (kind, one)
        for kind, sets in (("bias", biases), ("dark", darks), ("flat", flats))
        for one in _sets(sets, kind, allow_mismatch)
    ]
    if not given:
        raise CalibrationError("there are no frames; give darks, biases, flats, or several of them")
    camera = camera or schema.camera_of(given[0][1])
    kinds = [kind for kind, _ in given]
    if set(kinds) == {"flat"} and not (camera.bias_level or camera.overscan):
        raise CalibrationError(
            "the flats hold the bias, so that the response of their pixels is not known; give "
            "biases as well, or a camera with overscan or bias_level"
        )
    chance = CHANCE / max(sum(kind != "flat" for kind in kinds), 1)
    frames = [prepared(one, camera, overscan) for _, one in given]
    place = _place(frames, kinds)
    sets_of_frames: list[LeveledFrames] = []
    for kind, one in zip(kinds, frames, strict=True):
        bias = next((other for other in sets_of_frames if other.kind == "bias"), None)
        sets_of_frames.append(leveled(kind, one, bias))
    search = partial(
        DefectSearch,
        camera=camera,
        chance=chance,
        hot=hot,
        hot_rate=np.inf if hot_rate is None else hot_rate,
        floor=floor,
    )
    found = SearchedRows(sets_of_frames, search, tuple(place.sizes[dim] for dim in schema.DIMS[1:]))
    variables = {}
    for name in PLANES:
        attrs = schema.variable_attributes(name) | (BITS if name == "reason" else {})
        variables[name] = late_variable(_SearchedPlane(found, name), schema.DIMS[1:], attrs)
    found_from = "; ".join(_found_from(one, chance) for one in sets_of_frames)
    attrs = {"camera": camera.to_json(), "found_from": found_from}
    texts = {"image_type": "defects", "header": _common_header([one for _, one in given])}
    coords = {name: ((), np.array(of, np.dtypes.StringDType())) for name, of in texts.items()}
    result = xr.Dataset(variables, place.coords, attrs).assign_coords(coords)
    options: dict[str, Any] = {"hot": hot, "hot_rate": hot_rate, "floor": floor}
    options |= {"allow_mismatch": sorted(allow_mismatch)}
    # what is noisy, or unlike its surroundings, depends on them
    options |= {name: getattr(camera, name) for name in _OF_CAMERA}
    known, (method, areas) = json.loads(camera.to_json()), overscan_options(overscan, camera)
    options |= {name: known[name] for name in _OF_LEVELS if known[name]}
    options |= {"overscan": method, "overscan_areas": areas} if areas else {}
    others = {f"set {number}": one for number, (_, one) in enumerate(given[1:], 2)}
    return provenance.record(result, "defects", options, source=given[0][1], masters=others)


def _place(sets: Sequence[xr.Dataset], kinds: Sequence[str]) -> xr.Dataset:
    """Return the coordinates of the pixels; ImageMismatchError where sets have others."""
    places = [
        xr.Dataset(coords={n: c for n, c in one.coords.items() if c.dims and "frame" not in c.dims})
        for one in sets
    ]
    for kind, place in zip(kinds, places, strict=True):
        if not place.equals(places[0]):
            raise ImageMismatchError(
                f"the {kind} frames are of {schema.extent(place)}, the others of "
                f"{schema.extent(places[0])}; give frames of one area and binning"
            )
    return places[0]


def _common_header(sets: Sequence[xr.Dataset]) -> str:
    """Return the cards that all frames have in common; "" where frames have no headers."""
    known = [one["header"].values for one in sets if "header" in one.coords]
    headers = [parse_header(str(text)) for of_set in known for text in np.atleast_1d(of_set)]
    return render_header(common_header(headers)) if headers else ""


def _found_from(one: LeveledFrames, chance: float) -> str:
    """Name a set, and by which factor an uncertainty has to be wrong to be found in it."""
    number = one.frames.sizes["frame"]
    ending = "es" if one.kind == "bias" else "s"
    name = f"{number} {one.kind}{ending if number > 1 else ''}"
    if one.kind == "flat" or number < 2:
        return name
    return f"{name} (99 % of what is {found_factor(number, chance):.3g} times as noisy)"


def _sets(given: FrameSets, kind: str, allow_mismatch: Collection[str]) -> Iterator[xr.Dataset]:
    """Yield the frames of one exposure, temperature and filter, of all that are given."""
    for ds in [given] if isinstance(given, xr.Dataset) else given or ():
        schema.check(ds)
        parts: list[Integers] = [np.arange(ds.sizes["frame"])]
        for name, split in _APART[kind].items():
            if name in ds.coords and ds[name].dims == ("frame",):
                values = ds[name].values
                parts = [one for part in parts for one in split(part, values)]
        for part in parts:
            one = ds.isel(frame=np.sort(part))
            check_alike(one, "one set", allow_mismatch, kind=kind)
            yield one


def _by_gap(part: Integers, values: Any, *, share: float = 0.0, most: float = 0.0) -> list[Any]:
    """Split numbers of frames where their sorted values have a gap."""
    order = part[np.argsort(values[part], kind="stable")]
    known = values[order].astype(np.float64)
    return np.split(order, np.flatnonzero(np.diff(known) > most + share * np.abs(known[:-1])) + 1)


def _by_name(part: Integers, values: ArrayLike) -> list[Any]:
    names = np.asarray(values)[part]
    return [part[names == name] for name in sorted(set(names.tolist()))]


_BY_TEMPERATURE = partial(_by_gap, most=TEMPERATURE_TOLERANCE)

_APART: dict[str, dict[str, Callable[[Integers, Any], list[Any]]]] = {
    "bias": {"temperature": _BY_TEMPERATURE},
    "dark": {
        "exposure": partial(_by_gap, share=EXPOSURE_TOLERANCE),
        "temperature": _BY_TEMPERATURE,
    },
    "flat": {"filter": _by_name},
}
"""What separates frames of a kind, with what splits them by it."""


class SearchedRows:
    """The planes of a search; those of the rows that were asked for last are kept.

    Parameters
    ----------
    sets
        What is looked at, biases first, flats last.
    search
        Begins a search, given the ``reason`` to fill.
    shape
        (channel, y, x).
    """

    def __init__(
        self,
        sets: Sequence[LeveledFrames],
        search: Callable[..., DefectSearch],
        shape: tuple[int, ...],
    ) -> None:
        self._sets, self._search, self.shape = sets, search, shape
        self._rows, self._planes = range(0), dict[str, Planes]()
        self._band, self._of_band = range(0), dict[str, Planes]()

    def at(self, rows: range) -> Mapping[str, Planes]:
        """Return the planes of rows that follow each other."""
        with _SEARCHING:
            return self._at(rows)

    def _at(self, rows: range) -> Mapping[str, Planes]:
        if rows != self._rows:
            self._rows, self._planes = range(0), {}
            shape = self.shape[0], len(rows), self.shape[2]
            planes: dict[str, Planes] = {n: np.empty(shape, kind) for n, kind in PLANES.items()}
            for band in self._bands(rows):
                first, stop = max(band.start, rows.start), min(band.stop, rows.stop)
                for name, plane in self._found(band).items():
                    part = plane[:, first - band.start : stop - band.start]
                    planes[name][:, first - rows.start : stop - rows.start] = part
            self._rows, self._planes = rows, planes
        return self._planes

    def _bands(self, rows: range) -> Iterator[range]:
        """Yield the bands that rows are in: the same for all, they begin where tiles do."""
        _, height, width = self.shape
        step = max(_BAND // width // REGION, 2) * REGION
        for start in range(rows.start // step * step, rows.stop, step):
            yield range(start, min(start + step, height))

    def _found(self, band: range) -> Mapping[str, Planes]:
        """Return what is found in a band; rows are asked for that begin where others have ended."""
        if band != self._band:
            self._band, self._of_band = range(0), {}
            first, stop = max(band.start - REGION, 0), min(band.stop + REGION, self.shape[1])
            shape = self.shape[0], stop - first, self.shape[2]
            search = self._search(reason=np.zeros(shape, PLANES["reason"]))
            for one in self._sets:
                search.look_at(one.rows(slice(first, stop)))
            inner = slice(band.start - first, band.stop - first)
            self._of_band = {name: of[:, inner] for name, of in search.planes().items()}
            self._band = band
        return self._of_band


class _SearchedPlane(LateArray):
    """One of the planes of a search."""

    def __init__(self, rows: SearchedRows, name: str) -> None:
        self.rows, self.name = rows, name
        self.shape, self.dtype = rows.shape, np.dtype(PLANES[name])

    def read(self, key: OuterKey) -> Numbers:
        """Return values at a key."""
        channels, y, x = key
        wanted = np.arange(self.shape[1])[y]
        rows = range(
            int(np.min(wanted, initial=self.shape[1])), int(np.max(wanted, initial=-1)) + 1
        )
        plane = self.rows.at(rows)[self.name]
        # all that was looked for is no copy
        every = isinstance(y, slice) and np.array_equal(wanted, rows)
        part: Numbers = plane[channels][..., slice(None) if every else wanted - rows.start, :]
        return part[..., x]
