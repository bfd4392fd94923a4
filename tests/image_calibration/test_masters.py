"""Masters and masks of the calibrator: how they are given, what they hold, how long they last."""

import copy

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, loaded_masters
from tests.image_calibration.files import (
    BAYER,
    Planes,
    header_of,
    noisy_master,
    read_planes,
    write_planes,
    write_raw,
)
from tests.image_calibration.slow import assert_planes_equal, calibrated

SHAPE = (5, 7)
CLEAR = np.zeros(SHAPE, np.uint8)
PLAIN = {
    "saturation_threshold": 930.0,
    "compress_calibrated": None,
    "calibrated_fname": "out.fits",
    "allow_overwrite": True,
}


@pytest.fixture
def image():
    values = np.random.default_rng(2).integers(100, 900, SHAPE).astype(np.uint16)
    values[2, 3] = 1000
    write_raw("raw.fits", values)
    return values


@pytest.fixture
def masters():
    rng = np.random.default_rng(12)
    planes = {
        "bias": noisy_master(rng, SHAPE, 50, 3),
        "dark": noisy_master(rng, SHAPE, 20, 2),
        "flat": noisy_master(rng, SHAPE, 1, 0.2),
        "bias2": noisy_master(rng, SHAPE, 70, 3),
    }
    for name, master in planes.items():
        write_planes(f"{name}.fits", *master)
    return planes


def run(calibrate, **params):
    calibrate("raw.fits", **params)
    return read_planes("out.fits")


@pytest.mark.parametrize(
    "alias",
    ["bias.fits", {None: "bias.fits"}, {"anything": "bias.fits"}],
    ids=["plain", "{None: ...}", "named"],
)
@pytest.mark.parametrize("keyword", ["master_bias", "bias"])
def test_the_only_channel_takes_a_file_or_a_dictionary_of_one(image, masters, alias, keyword):
    calibrate = Calibrator(**PLAIN, **{keyword: alias})
    expected = calibrated(image, threshold=930, bias=masters["bias"])
    assert_planes_equal(run(calibrate), expected)
    held = calibrate.master_bias
    assert held["filenames"] == {None: "bias.fits"}
    np.testing.assert_array_equal(held["correction"], masters["bias"].image)
    np.testing.assert_allclose(held["variance"], masters["bias"].error ** 2, rtol=1e-15)
    np.testing.assert_array_equal(held["mask"], masters["bias"].mask)


def test_a_path_will_do(image, masters, here):
    calibrate = Calibrator(**PLAIN, master_bias=here / "bias.fits")
    expected = calibrated(image, threshold=930, bias=masters["bias"])
    assert_planes_equal(run(calibrate), expected)
    assert calibrate.master_bias["filenames"] == {None: str(here / "bias.fits")}


def test_a_calibrator_without_masters_has_none():
    calibrate = Calibrator(saturation_threshold=930)
    assert calibrate.master_bias is calibrate.master_dark is calibrate.master_flat is None
    assert calibrate.masks is None


def test_set_masters_changes_what_is_named_and_nothing_else(image, masters):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits", master_flat="flat.fits")
    calibrate.set_masters(dark="dark.fits")
    three = {kind: masters[kind] for kind in ("bias", "dark", "flat")}
    assert_planes_equal(run(calibrate), calibrated(image, threshold=930, **three))
    calibrate.set_masters(bias="bias2.fits")
    three["bias"] = masters["bias2"]
    assert_planes_equal(run(calibrate), calibrated(image, threshold=930, **three))
    calibrate.set_masters()
    assert_planes_equal(run(calibrate), calibrated(image, threshold=930, **three))
    calibrate.set_masters(flat=None, bias=None)
    assert_planes_equal(run(calibrate), calibrated(image, threshold=930, dark=masters["dark"]))
    assert calibrate.master_bias is None


def test_set_masters_with_a_file_that_is_not_there_changes_nothing(image, masters):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.fits"):
        calibrate.set_masters(bias="bias2.fits", dark="nowhere.fits")
    expected = calibrated(image, threshold=930, bias=masters["bias"])
    assert_planes_equal(run(calibrate), expected)


@pytest.mark.parametrize("alias", ["bias", "master_bias"])
def test_a_master_of_a_call_holds_for_that_call(image, masters, alias):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits", master_dark="dark.fits")
    usual = {"bias": masters["bias"], "dark": masters["dark"]}
    before = run(calibrate)
    assert_planes_equal(before, calibrated(image, threshold=930, **usual))
    other = {**usual, "bias": masters["bias2"]}
    changed = run(calibrate, **{alias: "bias2.fits"})
    assert_planes_equal(changed, calibrated(image, threshold=930, **other))
    without = run(calibrate, **{alias: None})
    assert_planes_equal(without, calibrated(image, threshold=930, dark=masters["dark"]))
    assert_planes_equal(run(calibrate), before, rtol=0)
    assert calibrate.master_bias["filenames"] == {None: "bias.fits"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("saturation_threshold", 500.0),
        ("gain", 7.0),
        ("read_noise_electrons", 30.0),
        ("bias_level_adu", 12.0),
        ("image_area", {"xmin": 1, "xmax": 4, "ymin": 0, "ymax": 2}),
        ("leak_directions", [(1, 1)]),
        ("split_channels", {"R": BAYER["R"]}),
        ("extra_header", {"OBSERVER": "me"}),
        ("exposure_start_utc", "DATE_OBS + 'T' + TIME_OBS"),
        ("exposure_seconds", "2 * EXPTIME"),
        ("fnum", "17"),
        ("project_home", "P"),
        ("masks", "mask.fits"),
        ("dark", "dark.fits"),
        ("master_flat", "flat.fits"),
    ],
)
def test_a_parameter_of_a_call_holds_for_that_call(image, masters, name, value):
    mask = CLEAR.copy()
    mask[0, 0] = 4
    write_planes("mask.fits", np.zeros(SHAPE), mask=mask)
    calibrate = Calibrator(**PLAIN)
    configured = copy.deepcopy(calibrate.configuration)

    def outcome(calibrate, **params):
        planes = run(calibrate, **params)
        cards = header_of("out.fits").cards
        kept = [str(c) for c in cards if c.keyword not in ("HISTORY", "CHECKSUM", "DATASUM")]
        return [plane.tobytes() for plane in planes], kept

    before = outcome(calibrate)
    during = outcome(calibrate, **{name: value})
    assert during != before
    assert outcome(calibrate) == before
    assert calibrate.configuration == configured
    # and in the constructor it is the same
    assert outcome(Calibrator(**{**PLAIN, name: value})) == during


def test_what_the_caller_hands_over_is_not_changed(image, masters):
    given = {
        "split_channels": {"L": (slice(None), slice(None))},
        "image_area": {"xmin": 0, "xmax": 7, "ymin": 0, "ymax": 5},
        "leak_directions": [(1, 0)],
        "overscans": {"areas": None, "method": None},
        "extra_header": {"A": (1, "one")},
        "master_bias": {"L": "bias.fits"},
    }
    untouched = copy.deepcopy(given)
    calibrate = Calibrator(**PLAIN, **given)
    run(calibrate)
    run(calibrate, **given)
    assert given == untouched
    assert Calibrator.default_configuration["leak_directions"] == []


def test_masters_of_another_shape_are_refused_with_both_shapes(image):
    write_planes("small.fits", np.zeros((5, 6)))
    calibrate = Calibrator(**PLAIN)
    with pytest.raises(
        aw.ImageMismatchError, match=r"master dark small\.fits has the shape \(5, 6\).*\(5, 7\)"
    ):
        calibrate("raw.fits", dark="small.fits")
    split = {"R": BAYER["R"]}
    with pytest.raises(aw.ImageMismatchError, match=r"\(3, 4\) in the channel 'R'"):
        calibrate("raw.fits", dark={"R": "small.fits"}, split_channels=split)


def test_masters_have_the_shape_of_the_image_area_not_of_the_frame(image):
    area = {"xmin": 2, "xmax": 7, "ymin": 1, "ymax": 5}
    bias = noisy_master(np.random.default_rng(1), (4, 5), 50, 3)
    write_planes("cut.fits", *bias)
    calibrate = Calibrator(**PLAIN, image_area=area, master_bias="cut.fits")
    assert_planes_equal(run(calibrate), calibrated(image, threshold=930, area=area, bias=bias))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("bias.fits", r"the master bias is one of \{channel: file\} for the channels \['R', 'B'\]"),
        ({"R": "bias.fits"}, r"for the channels \['R'\], there is none for \['B'\]"),
    ],
)
def test_channels_without_a_master_are_named(masters, given, message):
    split = {name: BAYER[name] for name in ("R", "B")}
    with pytest.raises(aw.CalibrationError, match=message):
        Calibrator(**PLAIN, split_channels=split, master_bias=given)


def test_a_master_that_is_no_fits_file_is_refused_at_once(here):
    (here / "text.fits").write_text("hello")
    with pytest.raises(aw.BadImageError, match=r"text\.fits is not a FITS file"):
        Calibrator(**PLAIN, master_bias="text.fits")


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
@pytest.mark.parametrize("split", [False, {"V": BAYER["R"]}], ids=["single", "V"])
def test_masters_of_channels_that_a_call_does_not_have_are_refused(image, kind, split):
    planes = noisy_master(np.random.default_rng(3), SHAPE, 1, 0.1)
    files = {name: write_planes(f"{name}.fits", *planes.at(BAYER[name])) for name in BAYER}
    calibrate = Calibrator(**PLAIN, split_channels=BAYER, **{f"master_{kind}": files})
    with pytest.raises(aw.CalibrationError, match=kind):
        calibrate("raw.fits", split_channels=split)


def test_masks_of_channels_that_a_call_does_not_have_are_refused(image):
    write_planes("mask.fits", np.zeros(SHAPE), mask=CLEAR + 4)
    calibrate = Calibrator(**{**PLAIN, "calibrated_fname": "{CLRCHNL}.fits"}, masks="mask.fits")
    with pytest.raises(aw.CalibrationError, match="mask"):
        calibrate("raw.fits", split_channels=BAYER)


def test_a_master_of_the_only_channel_serves_it_under_any_name(image, masters):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits")
    expected = calibrated(image, threshold=930, bias=masters["bias"])
    assert_planes_equal(run(calibrate, split_channels={"L": slice(None)}), expected)


def test_masters_are_read_once(image, masters, here):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits")
    read = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_masters, "open_planes", read.append)
        expected = calibrated(image, threshold=930, bias=masters["bias"])
        for _ in range(2):
            assert_planes_equal(run(calibrate), expected)
    assert read == []


class TestMasks:
    def write(self, name, bit, y, x, *, first=False, shape=SHAPE):
        mask = np.zeros(shape, np.uint8)
        mask[y, x] = bit
        if first:
            fits.PrimaryHDU(mask, fits.Header({"IMAGETYP": "mask"})).writeto(name)
        else:
            write_planes(name, np.zeros(shape), np.zeros(shape), mask)
        return mask

    @pytest.fixture
    def files(self):
        return {
            "a.fits": self.write("a.fits", 1, 0, 0),
            "b.fits": self.write("b.fits", 2, 0, 0),
            "c.fits": self.write("c.fits", 68, 4, 6, first=True),
        }

    @pytest.mark.parametrize(
        "given",
        [
            ["a.fits"],
            "a.fits",
            "c.fits",
            ["a.fits", "b.fits", "c.fits"],
            {None: "b.fits"},
            {None: ["b.fits", "c.fits"]},
            ("a.fits", "b.fits"),
        ],
        ids=str,
    )
    def test_separate_masks_are_or_ed_into_every_frame(self, image, files, given):
        names = given.get(None) if isinstance(given, dict) else given
        names = [names] if isinstance(names, str) else list(names)
        expected = calibrated(image, threshold=700, masks=[files[name] for name in names])
        calibrate = Calibrator(**{**PLAIN, "saturation_threshold": 700.0}, masks=given)
        for _ in range(2):
            assert_planes_equal(run(calibrate), expected)
        held = calibrate.masks
        assert held["filenames"] == {None: names}
        assert held["image"].dtype == np.uint8
        np.testing.assert_array_equal(
            held["image"], np.bitwise_or.reduce([files[name] for name in names])
        )

    def test_saturation_in_a_mask_stays_saturation(self, image):
        self.write("m.fits", 48, 1, 1)
        found = run(Calibrator(**PLAIN, masks="m.fits"))
        assert found.mask[1, 1] == 48
        assert np.isfinite(found.image).all()

    def test_set_masters_and_calls_take_masks_too(self, image, files):
        calibrate = Calibrator(**PLAIN)
        assert run(calibrate).mask.sum() == 16
        assert run(calibrate, masks=["a.fits", "b.fits"]).mask[0, 0] == 3
        assert run(calibrate).mask.sum() == 16
        calibrate.set_masters(masks="c.fits")
        assert run(calibrate).mask[4, 6] == 68
        assert run(calibrate, masks="a.fits").mask[[0, 4], [0, 6]].tolist() == [1, 0]
        assert run(calibrate, masks=None).mask.sum() == 16
        calibrate.set_masters(bias=None)
        assert run(calibrate).mask[4, 6] == 68
        calibrate.set_masters(masks=None)
        assert run(calibrate).mask.sum() == 16

    def test_each_channel_may_have_masks_of_its_own(self, image):
        self.write("r1.fits", 1, 0, 0, shape=(3, 4))
        self.write("r2.fits", 2, 2, 3, shape=(3, 4))
        self.write("b.fits", 4, 1, 2, shape=(2, 3), first=True)
        calibrate = Calibrator(
            **{**PLAIN, "calibrated_fname": "{CLRCHNL}.fits"},
            split_channels={name: BAYER[name] for name in ("R", "B")},
            masks={"R": ["r1.fits", "r2.fits"], "B": "b.fits"},
        )
        calibrate("raw.fits")
        assert read_planes("R.fits").mask.tolist() == [[1, 0, 0, 0], [0] * 4, [0, 0, 0, 2]]
        assert read_planes("B.fits").mask.tolist() == [[0, 0, 0], [0, 0, 4]]
        assert calibrate.masks["filenames"] == {"R": ["r1.fits", "r2.fits"], "B": ["b.fits"]}

    def test_masks_that_differ_in_shape_are_refused(self, image, files):
        self.write("small.fits", 1, 0, 0, shape=(2, 2))
        with pytest.raises(
            aw.ImageMismatchError, match=r"small\.fits has the shape \(2, 2\).*a\.fits has \(5, 7\)"
        ):
            Calibrator(**PLAIN, masks=["a.fits", "small.fits"])
        with pytest.raises(
            aw.ImageMismatchError, match=r"mask .*small\.fits.* has the shape \(2, 2\)"
        ):
            Calibrator(**PLAIN, masks="small.fits")("raw.fits")

    def test_a_file_without_a_mask_is_refused(self, image):
        with pytest.raises(aw.BadImageError, match=r"raw\.fits holds no mask.*uint16"):
            Calibrator(**PLAIN, masks="raw.fits")

    def test_no_file_at_all_is_no_mask(self, image):
        with pytest.raises(ValueError, match="no mask file was named"):
            Calibrator(**PLAIN, masks=[])


def test_the_planes_of_a_calibrator_are_of_use_to_check_calib_params(image, masters):
    calibrate = Calibrator(**PLAIN, master_bias="bias.fits")
    calibrate.check_calib_params(image, {"bias": calibrate.master_bias})
    cut = Planes(*(plane[:, 1:] for plane in masters["bias"]))
    write_planes("cut.fits", *cut)
    calibrate.set_masters(bias="cut.fits")
    with pytest.raises(aw.ImageMismatchError, match=r"master bias has the shape \(5, 6\)"):
        calibrate.check_calib_params(image, {"bias": calibrate.master_bias})
