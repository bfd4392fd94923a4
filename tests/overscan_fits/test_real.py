"""Real frames: one part of what sees no light corrects, the other must be flat at zero."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Overscan
from autowisp_xr.overscan_fits import overscan_correction
from autowisp_xr.regions import Region

pytestmark = pytest.mark.real

ROWS = Overscan(per="row", average="mean")
SPLINE = Overscan(per="row", average="mean", spline_nodes=6)


def flatness(blank):
    """Mean, slope along rows, both over their errors, and chi^2 / N of the means of rows.

    The noise is what is left when the means of rows and of columns are taken away.
    """
    number, width = blank.shape
    rows = blank.mean(axis=1)
    rest = blank - rows[:, None] - blank.mean(axis=0) + blank.mean()
    variance = (rest**2).sum() / ((number - 1) * (width - 1))
    y = np.arange(number) - (number - 1) / 2
    slope = (y * rows).sum() / (y**2).sum()
    return (
        blank.mean() / np.sqrt(variance / blank.size),
        slope / np.sqrt(variance / width / (y**2).sum()),
        rows.var(ddof=1) / (variance / width),
    )


# ---------------------------------------------------------------------- one amplifier, two sides


@pytest.fixture(scope="module")
def saao(request):
    directory = request.getfixturevalue("real") / "saao_ste3_overscan"
    raw = aw.open_fits(directory).load()
    assert raw.autowisp.camera.overscan == (Region(xmin=3, xmax=13, ymin=0, ymax=520),)
    return raw.assign_attrs(camera=aw.Camera(overscan="[4:13,1:520]").to_json())


def blank(ds):
    return ds["image"].isel(frame=0, channel=0, x=slice(528, 536)).values


@pytest.mark.parametrize(
    "method", [Overscan(), Overscan(average="mean"), ROWS, Overscan(per="row"), SPLINE]
)
def test_the_other_side_of_the_sensor_is_flat_at_zero(saao, method):
    ds = aw.subtract_overscan(saao, method, dtype="float64")
    rest = blank(ds)
    level = ds["variance"].isel(frame=0, channel=0, x=530).values
    own = rest.var(ddof=1) / rest.size
    # levels of rows are independent, those of a frame or a smooth model all but one and the same
    shared = level.mean() / (len(level) if method in (ROWS, Overscan(per="row")) else 1)
    assert abs(rest.mean()) < 3 * np.sqrt(own + shared)
    _, slope, chi2 = flatness(rest)
    assert abs(slope) < 3
    # 1.12 with one level; a level a row has a noise of its own, 8/10 of that of 8 pixels for means
    assert 0.8 < chi2 < (2.7 if method in (ROWS, Overscan(per="row")) else 1.3)


def test_levels_of_rows_leave_no_more_noise_than_their_variance_states(saao):
    for method in (ROWS, Overscan(per="row")):
        ds = aw.subtract_overscan(saao, method, dtype="float64")
        rest = blank(ds)
        rows = rest.mean(axis=1)
        variance = ((rest - rows[:, None]) ** 2).sum() / (len(rows) * 7) / 8
        level = ds["variance"].isel(frame=0, channel=0, x=530).values
        chi2 = (rows**2 / (variance + level)).mean()
        # 520 rows tell it to 0.06: 0.99 for means, 1.04 for medians of whole numbers
        assert chi2 == pytest.approx(1.0, abs=0.15)


# ---------------------------------------------------------------------- four amplifiers

QUADRANTS = ["[1:1076,1:520]", "[1077:2152,1:520]", "[1:1076,521:1040]", "[1077:2152,521:1040]"]
DARK, LIT = ("04860", "04861"), ("04803", "04804")


def columns(first):
    """Every other of the blank columns of both sides, past the transient of the first twenty."""
    left = range(first, 50, 2)
    return [
        {"xmin": x, "xmax": x + 1, "ymin": 0, "ymax": 1040}
        for x in (*left, *(2151 - x for x in left))
    ]


@pytest.fixture(scope="module")
def esis(request):
    directory = request.getfixturevalue("real") / "msfc_esis_overscan" / "led"
    camera = aw.Camera(overscan=columns(20), amplifiers=QUADRANTS, image_area="[51:2102,1:1040]")
    names = [*DARK, *LIT]
    raw = aw.open_fits([directory / f"ESIS1_{name}.fit.gz" for name in names], camera=camera)
    return dict(zip(names, (raw.isel(frame=[i]).load() for i in range(4)), strict=True))


def quadrants(raw, method):
    """What is left of the odd blank columns, for each quadrant."""
    camera = raw.autowisp.camera
    found = overscan_correction(
        raw["image"].values[0, 0], camera.overscan, method, amplifiers=camera.amplifiers
    )
    rest = raw["image"].values[0, 0] - found.correction
    odd = np.arange(21, 50, 2)
    return [rest[y][:, x] for y in (slice(520), slice(520, None)) for x in (odd, 2151 - odd)]


@pytest.mark.parametrize("frame", [*DARK, *LIT])
@pytest.mark.parametrize("method", [ROWS, SPLINE], ids=["rows", "spline"])
def test_all_four_quadrants_are_flat_at_zero_in_dark_and_in_light(esis, frame, method):
    for rest in quadrants(esis[frame], method):
        # half of the noise is that of the columns that corrected
        mean, slope, chi2 = flatness(rest) / np.array([np.sqrt(2), np.sqrt(2), 1])
        assert abs(mean) < 3
        assert abs(slope) < 3
        # neighbours are anticorrelated: rows differ less than their pixels state, alone 0.7, less
        # a level of their own 1.6 instead of 2
        assert 0.5 < chi2 < (2.2 if method is ROWS else 1.3)


def test_in_light_the_level_depends_on_the_row(esis):
    """Of the quadrants below the middle, by 2 ADU from end to end; a level a frame leaves it."""
    for frame in LIT:
        single = [flatness(rest)[1] for rest in quadrants(esis[frame], Overscan(average="mean"))]
        assert min(single[:2]) > 5
    for frame in DARK:
        single = [flatness(rest)[1] for rest in quadrants(esis[frame], Overscan(average="mean"))]
        assert max(single[:2]) < 4


def test_quadrants_join_without_a_step_once_they_are_corrected(esis):
    for frame in DARK:
        ds = aw.subtract_overscan(esis[frame], SPLINE).autowisp.trim()
        image = ds["image"].values[0, 0]
        raw = esis[frame].autowisp.trim()["image"].values[0, 0].astype(float)
        y = 520
        for half in (np.s_[:1000], np.s_[1052:]):
            step = np.median(image[y : y + 20, half]) - np.median(image[y - 20 : y, half])
            before = np.median(raw[y : y + 20, half]) - np.median(raw[y - 20 : y, half])
            assert abs(before) > 50
            assert abs(step) < 6
