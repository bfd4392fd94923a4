"""Amplifiers with overscan, gain and read noise of their own."""

import json
from dataclasses import replace

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Amplifier, CalibrationError, Camera, Overscan
from autowisp_xr.overscan_fits import overscan_correction
from autowisp_xr.regions import Region
from tests.steps.frames import TWO_CHANNELS, frame_set

HEIGHT, WIDTH, STRIP = 40, 60, 12
FEW = Overscan(min_pixels=2)


def area(xmin, xmax, ymin, ymax):
    return Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)


LEFT = Amplifier(region=area(0, 3, 0, 2), overscan=area(6, 8, 0, 2), gain=2.0, read_noise=4.0)
RIGHT = Amplifier(
    region=area(3, 6, 0, 2), overscan=area(8, 10, 0, 2), gain=0.5, read_noise=3.0, name="right"
)
IMAGE = area(0, 6, 0, 2)


def small(**facts):
    """Two rows: 110 over a level of 10 at the left, 220 over 20 at the right; strips behind."""
    row = [110.0] * 3 + [220.0] * 3 + [10.0] * 2 + [20.0] * 2
    camera = Camera(amplifiers=[LEFT, RIGHT], image_area=IMAGE, **facts)
    return frame_set([row, row], camera=camera)


def test_each_amplifier_has_the_level_of_its_own_strip_and_its_own_noise():
    ds = aw.calibrate(small(), overscan=FEW)
    np.testing.assert_array_equal(ds["image"].values[0, 0], [[100.0] * 3 + [200.0] * 3] * 2)
    left, right = 100 / 2.0 + (4.0 / 2.0) ** 2, 200 / 0.5 + (3.0 / 0.5) ** 2
    np.testing.assert_array_equal(ds["variance"].values[0, 0], [[left] * 3 + [right] * 3] * 2)
    assert not ds["mask"].any()


def test_the_single_verbs_give_the_same():
    ds = aw.trim(aw.subtract_overscan(small(), FEW))
    ds = aw.add_noise(ds)
    fused = aw.calibrate(small(), overscan=FEW)
    for name in ("image", "variance", "mask"):
        np.testing.assert_array_equal(ds[name].values, fused[name].values)


def test_the_array_function_takes_amplifiers_with_strips_too():
    raw = small()["image"].values[0, 0]
    found = overscan_correction(raw, (), FEW, image_area=IMAGE, amplifiers=[LEFT, RIGHT])
    np.testing.assert_array_equal(found.correction, [[10.0] * 3 + [20.0] * 3] * 2)


def test_what_an_amplifier_does_not_state_is_that_of_the_camera():
    quiet = replace(RIGHT, gain=None, read_noise=None)
    raw = small()
    camera = replace(raw.autowisp.camera, amplifiers=[LEFT, quiet], gain=4.0, read_noise=8.0)
    ds = aw.calibrate(raw, camera=camera, overscan=FEW)
    assert ds["variance"].values[0, 0, 0].tolist() == [54.0] * 3 + [200 / 4.0 + 4.0] * 3


def test_a_pixel_that_no_amplifier_reads_has_the_noise_of_the_camera_or_none():
    raw = small()
    part = replace(LEFT, region=area(0, 3, 0, 1), overscan=())
    camera = Camera(amplifiers=[part], gain=1.0, read_noise=2.0)
    ds = aw.add_noise(raw, camera=camera)
    assert ds["variance"].values[0, 0, :, 0].tolist() == [110 / 2.0 + 4.0, 110 + 4.0]
    ds = aw.add_noise(raw, camera=replace(camera, gain=None, read_noise=None))
    assert np.isnan(ds["variance"].values[0, 0, 1, 0])
    assert ds["mask"].values[0, 0, :, 0].tolist() == [0, aw.Flag.FAULT]


def test_an_amplifier_of_unknown_gain_is_refused():
    raw = small()
    camera = replace(raw.autowisp.camera, amplifiers=[LEFT, replace(RIGHT, gain=None)])
    assert camera.unknown_noise == ["gain"]
    with pytest.raises(CalibrationError, match=r"the gain of the camera .* of each amplifier"):
        aw.calibrate(raw, camera=camera)


def test_numbers_of_channels_and_of_amplifiers_are_not_both_given():
    with pytest.raises(CalibrationError, match=r"gain is given for channels \(A, B\) and for amp"):
        Camera(channels=TWO_CHANNELS, gain={"A": 1.0, "B": 2.0}, amplifiers=[LEFT])
    # of different things they may be
    camera = Camera(
        channels=TWO_CHANNELS,
        read_noise={"A": 1.0, "B": 2.0},
        amplifiers=[replace(LEFT, read_noise=None, overscan=())],
        gain=1.0,
    )
    ds = aw.add_noise(frame_set(np.zeros((1, 2, 2, 3)), camera=camera))
    # raw columns 0 and 2 of A, and 1 of B, belong to the amplifier
    assert ds["variance"].values[0, :, 0].tolist() == [[0.25, 0.25, 1.0], [1.0, 4.0, 4.0]]


def test_columns_of_a_strip_beyond_the_rows_are_of_the_same_amplifier():
    """Parallel overscan: rows behind the image, for the columns of the amplifier alone."""
    image = np.full((4, 6), 100.0)
    image[:, 3:] = 300.0
    image += np.arange(6.0)
    image[2:] = [[0, 1, 2, 50, 50, 50]] * 2
    image[2:, 3:] = [[50, 51, 52]] * 2
    halves = [
        Amplifier(region=area(0, 3, 0, 2), overscan=area(0, 3, 2, 4)),
        Amplifier(region=area(3, 6, 0, 2), overscan=area(3, 6, 2, 4)),
    ]
    camera = Camera(amplifiers=halves, image_area=area(0, 6, 0, 2), gain=1.0, read_noise=0.0)
    raw = frame_set(image, camera=camera)
    ds = aw.calibrate(raw, overscan=Overscan(per="column", min_pixels=2, average="mean"))
    np.testing.assert_array_equal(
        ds["image"].values[0, 0], [[100.0] * 3 + [253.0, 253.0, 253.0]] * 2
    )


def test_pixels_of_two_amplifiers_are_refused_wherever_they_lie():
    with pytest.raises(CalibrationError, match=r"6 < x < 8, .* and 7 < x < 9, .* overlap"):
        Camera(amplifiers=[LEFT, replace(RIGHT, overscan=area(7, 9, 0, 1))])
    with pytest.raises(CalibrationError, match="overlap"):
        Camera(amplifiers=[LEFT, replace(RIGHT, overscan=area(0, 1, 0, 1))])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"region": IMAGE, "gian": 1.0}, "an amplifier has no gian; it has corner, gain, "),
        ({"gain": 1.0}, "an amplifier has a region"),
        ({"region": IMAGE, "gain": 0}, "gain of an amplifier must be a finite number above 0"),
        ({"region": IMAGE, "read_noise": -1}, "read_noise of an amplifier must be a finite number"),
        ({"region": IMAGE, "overscan": 3}, "overscan of an amplifier is a list of areas"),
    ],
)
def test_an_amplifier_that_means_nothing_is_refused(given, message):
    with pytest.raises(CalibrationError, match=message):
        Camera(amplifiers=[given])


def test_amplifiers_travel_as_toml_and_json(tmp_path):
    camera = Camera(amplifiers=[LEFT, RIGHT, "[1:6,3:4]"], read_noise=3.0)
    assert Camera.from_json(camera.to_json()) == camera
    path = tmp_path / "camera.toml"
    path.write_text(camera.to_toml())
    assert Camera.from_toml(path) == camera
    path.write_text('amplifiers = ["[1:3,1:2]", {region = "[4:6,1:2]", gain = 1.5}]')
    assert Camera.from_toml(path).amplifiers == (
        Amplifier(region=area(0, 3, 0, 2)),
        Amplifier(region=area(3, 6, 0, 2), gain=1.5),
    )


def test_the_history_states_what_is_known_of_each_amplifier():
    options = json.loads(aw.calibrate(small(), overscan=FEW).attrs["history"])[-1]["options"]
    left, right = options["amplifiers"]
    assert (left["gain"], right["gain"], right["name"]) == (2.0, 0.5, "right")
    assert right["overscan"] == ["8 < x < 10, 0 < y < 2"]


def test_no_single_gain_is_written_where_amplifiers_differ(tmp_path):
    raw = small().assign_coords(header=("frame", np.array(["EGAIN   = 2.0"], dtype=object)))
    path = tmp_path / "a.fits"
    for gain, written in ((0.5, None), (2.0, 2.0)):
        amplifiers = [replace(LEFT, read_noise=4.0), replace(RIGHT, gain=gain, read_noise=4.0)]
        camera = replace(raw.autowisp.camera, amplifiers=amplifiers)
        done = aw.calibrate(raw, camera=camera, overscan=FEW)
        done.autowisp.to_fits(path, overwrite=True)
        header = aw.open_fits(path)["header"].values[0]
        assert ("CALBGAIN" in header) == (written is not None)
        assert ("EGAIN  " in header) == (written is not None)
        assert aw.open_fits(path).autowisp.camera.gain == written


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}])
def test_chunks_change_nothing(chunks):
    assert_equal = np.testing.assert_array_equal
    raw = small()
    lazy = aw.calibrate(raw.chunk(chunks), overscan=FEW)
    assert lazy["image"].chunks is not None
    for name in ("image", "variance", "mask"):
        assert_equal(lazy[name].compute().values, aw.calibrate(raw, overscan=FEW)[name].values)


def test_the_variance_is_true_on_both_sides_of_the_border(rng):
    """Electrons are drawn, and read with 1.2 and 3.1 e/ADU, and with noise of 4 and 12 e."""
    gains, noises, light = (1.2, 3.1), (4.0, 12.0), 400.0
    halves = [slice(0, WIDTH // 2), slice(WIDTH // 2, WIDTH)]
    strips = [slice(WIDTH, WIDTH + STRIP), slice(WIDTH + STRIP, WIDTH + 2 * STRIP)]
    frames = np.zeros((60, 1, HEIGHT, WIDTH + 2 * STRIP))
    for half, strip, gain, noise, level in zip(
        halves, strips, gains, noises, (300, 500), strict=True
    ):
        for where, electrons in ((half, light), (strip, 0.0)):
            shape = frames[..., where].shape
            drawn = rng.poisson(electrons, shape) + rng.normal(0, noise, shape)
            frames[..., where] = level + drawn / gain
    amplifiers = [
        Amplifier(
            region=area(half.start, half.stop, 0, HEIGHT),
            overscan=area(strip.start, strip.stop, 0, HEIGHT),
            gain=gain,
            read_noise=noise,
        )
        for half, strip, gain, noise in zip(halves, strips, gains, noises, strict=True)
    ]
    camera = Camera(amplifiers=amplifiers, image_area=area(0, WIDTH, 0, HEIGHT))
    done = aw.calibrate(frame_set(frames, camera=camera), overscan=Overscan(per="row"))
    for half, gain in zip(halves, gains, strict=True):
        part = done.isel(x=half)
        pulls = (part["image"] - light / gain) / np.sqrt(part["variance"])
        # of 72000 pixels; the level of a row, and the signal in its own variance, leave 1 %
        assert float(pulls.std()) == pytest.approx(1.0, abs=0.02)


def test_small_strips_of_amplifiers_give_a_level_unless_a_number_of_pixels_is_asked_for():
    done = aw.calibrate(small())
    assert done["image"].values[0, 0, 0].tolist() == [100.0] * 3 + [200.0] * 3
    with pytest.raises(aw.ConvergenceError, match=r"4 overscan pixels .* min_pixels is 100"):
        aw.calibrate(small(), overscan=Overscan())
