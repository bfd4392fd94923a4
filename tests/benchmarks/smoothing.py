"""Time and memory of smoothing, in units of a box filter and of the image.

    python -m tests.benchmarks.smoothing [SIZE]

Time is the best of three, beside ``scipy.ndimage.uniform_filter`` of size 25 on the same image;
memory is the peak of what is allocated on top of the image, the result included, as tracemalloc
counts it (NumPy reports its arrays), in units of the image.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.ndimage import median_filter, uniform_filter

from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
    bin_image,
    zoom_image,
)

__all__ = ["main", "measured"]

BOX = 25


def measured(work: Callable[[], Any], repeats: int = 3) -> tuple[float, int]:
    """Best time in seconds, and peak of the memory allocated in bytes."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    try:
        work()
        return min(times), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


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


def main(size: int = 4096) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    level = 10_000 * (1 - 0.1 * (x**2 + y**2)) + rng.normal(0, 100, (size, size))
    print(f"{size} x {size} pixels\n{'':32}{'time':>8}{'/ box':>8}{'memory / image':>16}")
    for dtype in ("float64", "float32"):
        image = level.astype(dtype)
        box, memory = measured(lambda image=image: uniform_filter(image, BOX))
        _print(f"{dtype}: box filter {BOX}", box, box, memory / image.nbytes)
        for name, work in jobs(image):
            seconds, memory = measured(work)
            _print(f"{dtype}: {name}"[:38], seconds, box, memory / image.nbytes)


def _print(name: str, seconds: float, box: float, memory: float) -> None:
    print(f"{name:36}{seconds:7.3f} s{seconds / box:6.2f}{memory:12.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
