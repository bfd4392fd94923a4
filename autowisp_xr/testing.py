"""Tools for tests of this package and of those that build upon it.

An assertion of equality that names the differences, a guard against computing lazy arrays, and
Hypothesis strategies for frame sets and their chunks. Neither pytest nor Hypothesis is needed to
import this.
"""

from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.flags import Flag
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.simulate.shots import coordinates, objects

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


_RAW_TYPES = ("uint8", "uint16", "int16", "int32", "float32")
_CALIBRATED_TYPES = ("float32", "float64")


def assert_frames_equal(
    actual: xr.Dataset,
    expected: xr.Dataset,
    rtol: float = 0.0,
    *,
    ignore: Collection[Hashable] = (),
) -> None:
    """Assert that two Datasets have the same variables and coordinates, and name the differences.

    Compared are names, dims, types, units and values; NaN equals NaN. The attributes of the
    Datasets, the history among them, are not compared. Lazy ones are computed.

    Parameters
    ----------
    actual, expected
        The result, and the right one.
    rtol
        Relative difference that a floating-point number may have; 0 for the same numbers.
    ignore
        Names of variables and coordinates that are left out.

    Raises
    ------
    AssertionError
        With all differences: for each variable the number of places, and the first.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> from autowisp_xr.testing import assert_frames_equal
    >>> assert_frames_equal(lights, lights.copy())
    """
    faults = []
    for kind, ours, theirs in (
        ("variable", actual.data_vars, expected.data_vars),
        ("coordinate", actual.coords, expected.coords),
    ):
        for name in [*theirs, *(name for name in ours if name not in theirs)]:
            if name in ignore:
                continue
            if name not in ours or name not in theirs:
                state = "is missing" if name in theirs else "was not expected"
                faults.append(f"{kind} {name!r} {state}")
            else:
                faults += [
                    f"{kind} {name!r}: {fault}"
                    for fault in _differences(ours[name], theirs[name], rtol)
                ]
    if faults:
        raise AssertionError(
            "the frames differ (actual, expected):" + "".join(f"\n  - {f}" for f in faults)
        )


@contextmanager
def no_compute() -> Iterator[None]:
    """Raise AssertionError where dask computes anything inside the ``with`` block.

    Arrays that are lazily indexed without dask are not guarded.

    Examples
    --------
    >>> with no_compute():
    ...     lazy = xr.DataArray([1, 2]).chunk() + 1
    >>> int(lazy.sum())
    5
    """

    def refuse(graph: object, keys: object, **options: object) -> Any:
        raise AssertionError(f"dask was asked to compute {keys!r}, which should have stayed lazy")

    with dask.config.set(scheduler=refuse):
        yield


def frame_sets(
    *,
    raw: bool | None = None,
    min_frames: int = 1,
    max_frames: int = 4,
    max_side: int = 7,
    channels: Collection[str | None] = (None, "RGGB"),
) -> "SearchStrategy[xr.Dataset]":
    """Return a strategy for small frame sets that follow the data model.

    Parameters
    ----------
    raw
        Whether they are raw (``image`` alone, of whole numbers or float32) or calibrated
        (``image``, ``variance`` and ``mask``, floating point, NaN flagged FAULT); None for both.
    min_frames, max_frames
        Numbers of frames.
    max_side
        Largest number of rows and of columns of a plane.
    channels
        Bayer patterns to choose from; None is a monochrome camera.
    """
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp

    @st.composite
    def draw_frames(draw: Any) -> xr.Dataset:
        camera = Camera(channels=draw(st.sampled_from(list(channels))), gain=1.5, read_noise=8.0)
        slices = camera.channels or {schema.MONO: ChannelSlice()}
        sides = st.integers(1, max_side)
        n = draw(st.integers(min_frames, max_frames))
        height, width = draw(sides), draw(sides)
        step = next(iter(slices.values())).y_step
        corner = step * draw(st.integers(0, 3)), step * draw(st.integers(0, 3))
        shape = (n, len(slices), height, width)
        of_raw = draw(st.booleans()) if raw is None else raw
        kind = np.dtype(draw(st.sampled_from(_RAW_TYPES if of_raw else _CALIBRATED_TYPES)))
        image = draw(hnp.arrays(kind, shape, elements=_values(kind, of_raw)))
        ds = xr.Dataset(
            {"image": (schema.DIMS, image)},
            {
                **schema.place(slices, height, width, *corner),
                **coordinates(objects(n), {"CCD-TEMP": -10.0}),
            },
            {"camera": camera.to_json()},
        )
        if not of_raw:
            positive = st.floats(0, 2.0**16, width=32)
            variance = draw(hnp.arrays(kind, shape, elements=positive))
            mask = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 255)))
            mask[np.isnan(image)] |= np.uint8(Flag.FAULT)
            variance[np.isnan(image)] = np.nan
            ds = ds.assign(variance=(schema.DIMS, variance), mask=(schema.DIMS, mask))
        return schema.with_attributes(ds, "adu")

    return draw_frames()


def chunkings(ds: xr.Dataset) -> "SearchStrategy[dict[Hashable, tuple[int, ...]]]":
    """Return a strategy for chunks of a Dataset, as ``ds.chunk`` takes them; often uneven."""
    from hypothesis import strategies as st

    def cuts(size: int) -> "SearchStrategy[tuple[int, ...]]":
        places = st.sets(st.integers(1, size - 1)) if size > 1 else st.just(set())
        return places.map(lambda chosen: tuple(int(c) for c in np.diff([0, *sorted(chosen), size])))

    return st.fixed_dictionaries({dim: cuts(size) for dim, size in ds.sizes.items()})


def _values(kind: np.dtype[Any], raw: bool) -> "SearchStrategy[Any]":
    from hypothesis import strategies as st

    if kind.kind == "f":
        # all of them float32, so that a set may be cast without a change
        numbers = st.floats(-(2.0**10), 2.0**16, width=32, allow_subnormal=False)
        return numbers if raw else numbers | st.just(float("nan"))
    limits: Any = np.iinfo(kind)
    return st.integers(max(limits.min, -(2**16)), min(limits.max, 2**16))


def _differences(actual: xr.DataArray, expected: xr.DataArray, rtol: float) -> list[str]:
    faults = [
        f"{what} {ours!r}, {theirs!r}"
        for what, ours, theirs in (
            ("dims", actual.dims, expected.dims),
            ("shape", actual.shape, expected.shape),
            ("type", str(actual.dtype), str(expected.dtype)),
            ("units", actual.attrs.get("units"), expected.attrs.get("units")),
        )
        if ours != theirs
    ]
    if actual.dims != expected.dims or actual.shape != expected.shape:
        return faults
    ours, theirs = np.asarray(actual.values), np.asarray(expected.values)
    where = np.argwhere(~_equal(ours, theirs, rtol))
    if where.size or (ours.ndim == 0 and len(where)):
        first = tuple(where[0])
        labels = [
            f"{dim} {expected.indexes[dim][i]!s}" if dim in expected.indexes else f"{dim} [{i}]"
            for dim, i in zip(expected.dims, first, strict=True)
        ]
        faults.append(
            f"{len(where)} of {ours.size} values differ, the first at {', '.join(labels) or '()'}: "
            f"{ours[first]!s}, {theirs[first]!s}"
        )
    return faults


def _equal(
    actual: npt.NDArray[Any], expected: npt.NDArray[Any], rtol: float
) -> npt.NDArray[np.bool_]:
    if actual.dtype.kind != expected.dtype.kind and "T" in (actual.dtype.kind, expected.dtype.kind):
        actual, expected = actual.astype(object), expected.astype(object)
    # NaN and NaT differ from themselves
    same = np.asarray((actual == expected) | ((actual != actual) & (expected != expected)))
    if rtol and actual.dtype.kind in "fc" and expected.dtype.kind in "fc":
        same |= np.isclose(actual, expected, rtol=rtol, atol=0, equal_nan=True)
    return same
