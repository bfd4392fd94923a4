"""Variances of overscan levels, against the scatter of the levels of many frames."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, Overscan
from autowisp_xr.overscan_fits import overscan_correction
from autowisp_xr.regions import Region
from tests.monte_carlo.trials import trials
from tests.steps.frames import frame_set

NOISE = 5.0
NUMBER = trials(500)
SHAPE = (40, 70)
SERIAL = Region(xmin=0, xmax=9, ymin=0, ymax=40)
PARALLEL = Region(xmin=9, xmax=70, ymin=34, ymax=40)
IMAGE = Region(xmin=9, xmax=70, ymin=0, ymax=34)

MODELS = {
    "frame": {},
    "row": {"per": "row"},
    "column": {"per": "column", "areas": PARALLEL},
    "polynomial": {"per": "row", "polynomial_terms": 4},
    "polynomial of columns": {"per": "column", "polynomial_terms": 3, "areas": PARALLEL},
    "spline": {"per": "row", "spline_nodes": 6},
    "straight spline": {"per": "row", "spline_nodes": 2},
}
AFTER = {"per": "column", "areas": PARALLEL}


def ratio(methods, number=NUMBER, seed=0, lost=0.0):
    """Variance that is reported over the variance of the levels, mean over the image, and its
    scatter over the image."""
    rng = np.random.default_rng(seed)
    shape = (IMAGE.ymax - IMAGE.ymin, IMAGE.xmax - IMAGE.xmin)
    total, square, reported = (np.zeros(shape) for _ in range(3))
    for _ in range(number):
        raw = rng.normal(0, NOISE, SHAPE)
        if lost:
            raw[rng.random(SHAPE) < lost] = np.nan
        found = overscan_correction(raw, SERIAL, methods, image_area=IMAGE)
        total += found.correction
        square += np.square(found.correction)
        reported += found.variance
    true = square / number - (total / number) ** 2
    return reported.mean() / number / true.mean(), (reported / number / true).std()


def tolerance(independent, number=NUMBER):
    """Three times the error of a variance that is known by so many independent levels a frame."""
    return 3 * np.sqrt(2 / (number * independent))


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("name", MODELS)
def test_levels_scatter_as_their_variance_states(name, average):
    method = Overscan(average=average, min_pixels=10, **MODELS[name])
    found, along = ratio(method)
    independent = {"frame": 1, "row": 34, "column": 61, "straight spline": 2}.get(name, 3)
    assert found == pytest.approx(1.0, abs=max(tolerance(independent), 0.01))
    assert along < 0.1


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("lost", [0.1, 0.2])
def test_lines_with_pixels_missing_are_noisier_by_what_is_stated(average, lost):
    for name in ("row", "polynomial"):
        method = Overscan(average=average, min_pixels=10, **MODELS[name])
        found, _ = ratio(method, number=2 * NUMBER, lost=lost)
        far = tolerance(34 if name == "row" else 3, 2 * NUMBER)
        assert found == pytest.approx(1.0, abs=max(far, 0.03))


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("first", ["frame", "row", "polynomial", "spline"])
def test_passes_take_over_what_the_one_before_was_off(first, average):
    methods = [
        Overscan(average=average, min_pixels=10, **MODELS[first]),
        Overscan(average=average, min_pixels=10, **AFTER),
    ]
    found, along = ratio(methods)
    assert found == pytest.approx(1.0, abs=max(tolerance(34), 0.02))
    assert along < 0.1


def test_a_median_after_a_mean_and_three_passes():
    methods = [
        Overscan(average="mean", min_pixels=10, **MODELS["row"]),
        Overscan(min_pixels=10, **AFTER),
        Overscan(min_pixels=10, average="mean", areas=PARALLEL),
    ]
    assert ratio(methods[:2])[0] == pytest.approx(1.0, abs=max(tolerance(34), 0.02))
    # all but the noise of the pixels that two passes measure, which counts twice
    assert ratio(methods)[0] == pytest.approx(1.0, abs=max(tolerance(34), 0.03))


def test_clipping_far_out_changes_little():
    for threshold, bias in ((5.0, 0.01), (4.0, 0.015)):
        method = Overscan(reject_threshold=threshold, average="mean", per="row", min_pixels=10)
        far = max(tolerance(34, 2 * NUMBER), 0.01)
        assert ratio(method, number=2 * NUMBER)[0] == pytest.approx(1.0, abs=far + bias)


METHODS = {
    "median": Overscan(),
    "mean": Overscan(average="mean"),
    "median of rows": Overscan(per="row"),
    "mean of rows": Overscan(per="row", average="mean"),
    "polynomial": Overscan(per="row", polynomial_terms=3),
    "spline": Overscan(per="row", average="mean", spline_nodes=5),
    "passes": [
        Overscan(per="row", areas="[1:5,1:130]"),
        Overscan(per="column", areas="[6:105,125:130]"),
    ],
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_pulls_of_calibrated_pixels_are_standard_normal(method):
    """Few overscan pixels, so that without the noise of their level pulls are 1.04 to 1.15 wide."""
    rng = np.random.default_rng(12)
    camera = Camera(
        gain=2.0,
        read_noise=2 * NOISE,
        overscan="[1:5,1:130]",
        image_area="[6:105,1:120]",
    )
    level = rng.normal(1000, 20, (60, 1, 1, 1))
    image = level + rng.normal(0, NOISE, (60, 1, 130, 105))
    ds = aw.calibrate(
        frame_set(image, camera=camera), overscan=method, photons="none", dtype="float64"
    )
    pulls = ds["image"].values / np.sqrt(ds["variance"].values)
    assert pulls.std() == pytest.approx(1.0, abs=0.01)
    if isinstance(method, list) or (
        method.per == "row" and not (method.polynomial_terms or method.spline_nodes)
    ):
        own = ds["image"].values.std() / NOISE
        assert own > 1.08
