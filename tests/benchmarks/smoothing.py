"""Time and memory of smoothing, beside scipy, in units of a box filter, and of the image.

    python -m tests.benchmarks.smoothing [SIZE [SIZE_OF_FLATS]]

First the smoothers that flats are matched and distinguished from clouds with, at the size of
flats: time of one call, time per image where two threads work on one image each, and how many times
as long the same takes with scipy (``scipy.ndimage.median_filter``; ``scipy.interpolate`` and sparse
matrices for the zoom). Threads cannot help where a single processor is free.

Then all smoothers at the larger size. Time is the best of three, beside
``scipy.ndimage.uniform_filter`` of size 25 on the same image; memory is the peak of what is
allocated on top of the image, the result included, as tracemalloc counts it (NumPy reports its
arrays), in units of the image.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.ndimage import median_filter, uniform_filter

from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
    bin_image,
    zoom_image,
)
from tests.benchmarks._machine import machine

__all__ = ["compare_flats", "main", "measured", "scipy_zoom"]

BOX = 25


def best(work: Callable[[], Any], repeats: int = 3) -> float:
    """Best time in seconds."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(work: Callable[[], Any], repeats: int = 3) -> tuple[float, int]:
    """Best time in seconds, and peak of the memory allocated in bytes."""
    seconds = best(work, repeats)
    tracemalloc.start()
    try:
        work()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def scipy_median(image: Any, size: int) -> Any:
    """The filter under a name by which it is not known, so that scipy is called."""
    return median_filter(image, size)


def scipy_zoom(image: Any, zoom: int, order: int) -> Any:
    """What ``zoom_image`` gives, of splines through cumulative sums by scipy."""
    matrices = []
    for _ in range(2):
        sums = np.zeros((image.shape[0] + 1, image.shape[1]))
        np.cumsum(image, axis=0, out=sums[1:])
        spline = make_interp_spline(np.arange(len(sums)), sums, k=order)
        edges = np.arange(image.shape[0] * zoom + 1) / zoom
        values = BSpline.design_matrix(edges, spline.t, order)
        matrices.append((values[1:] - values[:-1]).tocsr())
        image = spline.c.T
    return (matrices[1] @ (matrices[0] @ image).T).T


def flat_smoothers(median: Callable[..., Any]) -> dict[str, Any]:
    """The usual smoothers of flats, with a median filter of one's choice."""
    spline = SplineImageSmoother(
        num_x_nodes=4, num_y_nodes=4, outlier_threshold=5.0, max_iterations=1
    )
    binning = {"bin_factor": 4, "zoom_interp_order": 4}
    return {
        "large scale": ChainSmoother(WrapFilterAsSmoother(median, size=12), spline, **binning),
        "cloud check": WrapFilterAsSmoother(median, size=8, **binning),
    }


def compare_flats(size: int = 2048) -> None:
    image = _flat(size)
    small = bin_image(image, 4)
    stamp = np.ascontiguousarray(image[: size // 2, : size // 2])
    fit = PolynomialImageSmoother(
        num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=1
    )
    ours, theirs = flat_smoothers(median_filter), flat_smoothers(scipy_median)

    def scipy_whole(smoother: Any) -> Any:
        return scipy_zoom(smoother.smooth(small, 1), 4, 4)

    print(f"{size} x {size} pixels\n{'':24}{'one thread':>12}{'two':>12}{'scipy / ours':>14}")
    for size_of_window in (12, 8):
        work = WrapFilterAsSmoother(median_filter, size=size_of_window)
        _compare(
            f"median {size_of_window}, binned",
            lambda work=work: work.smooth(small),
            lambda size=size_of_window: median_filter(small, size),
        )
    _compare("zoom by 4, order 4", lambda: zoom_image(small, 4, 4), lambda: scipy_zoom(small, 4, 4))
    for name, smoother in ours.items():
        _compare(
            name,
            lambda smoother=smoother: smoother.smooth(image),
            lambda name=name: (bin_image(image, 4), scipy_whole(theirs[name])),
        )
        _compare(f"{name}, detrend", lambda smoother=smoother: smoother.detrend(image))
        model = smoother.model(image)
        _compare(f"{name}, rows", lambda model=model: model.rows(0, size))
    _compare("stamp", lambda: fit.smooth(stamp))
    _compare("stamp, detrend", lambda: fit.detrend(stamp))


def _compare(name: str, work: Callable[[], Any], scipy: Callable[[], Any] | None = None) -> None:
    alone = best(work)
    with ThreadPoolExecutor(2) as pool:
        two = best(lambda: list(pool.map(lambda _: work(), range(8)))) / 8
    ratio = "" if scipy is None else f"{best(scipy, 1) / alone:12.1f}"
    print(f"{name:24}{alone * 1e3:9.1f} ms{two * 1e3:9.1f} ms{ratio}", flush=True)


def jobs(image: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    polynomial = PolynomialImageSmoother(num_x_terms=5, num_y_terms=5)
    spline = SplineImageSmoother(num_x_nodes=5, num_y_nodes=5)
    spoilt = image.copy()
    spoilt[np.random.default_rng(1).random(image.shape) < 0.01] = np.nan
    small = bin_image(image, 4)
    median = WrapFilterAsSmoother(median_filter, size=12)
    rejecting = {"outlier_threshold": 3.0, "max_iterations": 3}
    yield "polynomial 5 x 5", lambda: polynomial.smooth(image)
    yield "spline 5 x 5", lambda: spline.smooth(image)
    yield "polynomial, 1 % NaN", lambda: polynomial.smooth(spoilt)
    yield "polynomial, 3 rejections", lambda: polynomial.smooth(image, **rejecting)
    yield "spline, 3 rejections", lambda: spline.smooth(image, **rejecting)
    yield "polynomial, detrend", lambda: polynomial.detrend(image)
    yield "bin by 4", lambda: bin_image(image, 4)
    yield "bin by 4, 1 % NaN", lambda: bin_image(spoilt, 4)
    yield "zoom by 4, order 3", lambda: zoom_image(small, 4, 3)
    yield "median 12 + spline, binned", lambda: ChainSmoother(median, spline).smooth(image, 4)


def main(size: int = 4096, size_of_flats: int = 2048) -> None:
    compare_flats(size_of_flats)
    level = _flat(size)
    print(f"\n{size} x {size} pixels\n{'':36}{'time':>9}{'/ box':>6}{'memory / image':>16}")
    for dtype in ("float64", "float32"):
        image = level.astype(dtype)
        box, memory = measured(lambda image=image: uniform_filter(image, BOX))
        _print(f"{dtype}: box filter {BOX}", box, box, memory / image.nbytes)
        for name, work in jobs(image):
            seconds, memory = measured(work)
            _print(f"{dtype}: {name}"[:38], seconds, box, memory / image.nbytes)
    print(machine())


def _flat(size: int) -> Any:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    noise = np.random.default_rng(0).normal(0, 100, (size, size))
    return 10_000 * (1 - 0.1 * (x**2 + y**2)) + noise


def _print(name: str, seconds: float, box: float, memory: float) -> None:
    print(f"{name:36}{seconds:7.3f} s{seconds / box:6.2f}{memory:12.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
