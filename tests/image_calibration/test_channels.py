"""Colour channels, image areas, and HDUs, in every form that the documentation has."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator
from tests.image_calibration.files import (
    BAYER,
    header_of,
    noisy_master,
    read_planes,
    write_planes,
    write_raw,
)
from tests.image_calibration.slow import assert_planes_equal, calibrated

SHAPE = (7, 9)
PLAIN = {"saturation_threshold": 930.0, "compress_calibrated": None}


@pytest.fixture
def image():
    values = np.random.default_rng(3).integers(100, 900, SHAPE).astype(np.uint16)
    values[2, 4] = values[5, 5] = 1000
    return values


@pytest.fixture
def raw(image):
    return write_raw("raw.fits", image)


def by_channel(kind, whole, channels=BAYER):
    """Files of a master, one a channel, made of one over the whole area."""
    names = {}
    for name, place in channels.items():
        names[name] = write_planes(f"{kind}_{name}.fits", *whole.at(place))
    return names


@pytest.mark.parametrize(
    "split",
    [False, None, {None: slice(None)}, {None: (slice(None), slice(None))}],
    ids=["False", "None", "{None: slice}", "{None: two slices}"],
)
def test_a_single_channel_has_no_name_in_the_header(image, raw, split):
    Calibrator(**PLAIN, split_channels=split)(raw, calibrated="out.fits")
    assert_planes_equal(read_planes("out.fits"), calibrated(image, threshold=930))
    header = header_of("out.fits")
    assert "CLRCHNL" not in header
    places = [header[f"CHNL{axis}"] for axis in ("XOFF", "XSTP", "YOFF", "YSTP")]
    assert places == [0, 1, 0, 1]


@pytest.mark.parametrize("place", [slice(None), (slice(0, None, 1), slice(None))])
def test_a_single_channel_may_have_a_name(image, raw, place):
    Calibrator(**PLAIN, split_channels={"L": place})(raw, calibrated="{RAWFNAME}_{CLRCHNL}.fits")
    assert_planes_equal(read_planes("raw_L.fits"), calibrated(image, threshold=930))
    assert header_of("raw_L.fits")["CLRCHNL"] == "L"


def test_planes_of_an_odd_sized_mosaic_keep_their_unequal_sizes(image, raw):
    Calibrator(**PLAIN, split_channels=BAYER)(raw, calibrated="{CLRCHNL}.fits")
    whole = calibrated(image, threshold=930)
    shapes = {}
    for name, place in BAYER.items():
        found = read_planes(f"{name}.fits")
        assert_planes_equal(found, whole.at(place))
        shapes[name] = found.image.shape
        header = header_of(f"{name}.fits")
        assert (header["CHNLYOFF"], header["CHNLXOFF"]) == (place[0].start, place[1].start)
        assert (header["CHNLYSTP"], header["CHNLXSTP"]) == (2, 2)
    assert shapes == {"R": (4, 5), "G1": (4, 4), "G2": (3, 5), "B": (3, 4)}


@pytest.mark.parametrize("xmin", [0, 1, 2, 3])
@pytest.mark.parametrize("ymin", [0, 1])
def test_an_area_that_starts_anywhere_swaps_no_colours(xmin, ymin):
    image = np.empty(SHAPE)
    for level, place in zip((100.0, 200.0, 300.0, 400.0), BAYER.values(), strict=True):
        image[place] = level
    write_raw("raw.fits", image)
    area = {"xmin": xmin, "xmax": 8, "ymin": ymin, "ymax": 6}
    Calibrator(**PLAIN, split_channels=BAYER, image_area=area)(
        "raw.fits", calibrated="{CLRCHNL}.fits"
    )
    trimmed = image[ymin:6, xmin:8]
    for level, name in zip((100.0, 200.0, 300.0, 400.0), BAYER, strict=True):
        found, header = read_planes(f"{name}.fits").image, header_of(f"{name}.fits")
        assert np.unique(found).tolist() == [level]
        # the header gives the place of the channel in the area
        y, x = header["CHNLYOFF"], header["CHNLXOFF"]
        np.testing.assert_array_equal(found, trimmed[y::2, x::2])
        assert (y, x) == ((BAYER[name][0].start - ymin) % 2, (BAYER[name][1].start - xmin) % 2)
        assert header["IMAGAREA"] == f"{xmin} < x < 8, {ymin} < y < 6"


def test_masters_of_the_channels_of_an_odd_area_go_to_their_own_pixels(image, raw):
    area = {"xmin": 1, "xmax": 8, "ymin": 1, "ymax": 6}
    inside = {
        "R": (slice(1, None, 2), slice(1, None, 2)),
        "G1": (slice(1, None, 2), slice(0, None, 2)),
        "G2": (slice(0, None, 2), slice(1, None, 2)),
        "B": (slice(0, None, 2), slice(0, None, 2)),
    }
    rng = np.random.default_rng(4)
    whole = {
        "bias": noisy_master(rng, (5, 7), 50, 3),
        "dark": noisy_master(rng, (5, 7), 20, 2),
        "flat": noisy_master(rng, (5, 7), 1, 0.2),
    }
    calibrate = Calibrator(
        **PLAIN,
        split_channels=BAYER,
        image_area=area,
        leak_directions=[(1, 0), (0, 1)],
        **{f"master_{kind}": by_channel(kind, planes, inside) for kind, planes in whole.items()},
    )
    calibrate(raw, calibrated="{CLRCHNL}.fits")
    expected = calibrated(image, threshold=930, area=area, leaks=[(1, 0), (0, 1)], **whole)
    for name, place in inside.items():
        assert_planes_equal(read_planes(f"{name}.fits"), expected.at(place))
    for kind, planes in whole.items():
        held = getattr(calibrate, f"master_{kind}")
        assert set(held["filenames"]) == set(BAYER)
        np.testing.assert_array_equal(held["correction"], planes.image)
        np.testing.assert_allclose(held["variance"], planes.error**2, rtol=1e-15)
        np.testing.assert_array_equal(held["mask"], planes.mask)


@pytest.mark.parametrize("listed", [["R"], ["B", "G1"], ["G2", "R", "B"]], ids="+".join)
@pytest.mark.parametrize("of_all", [True, False], ids=["masters of all", "masters of these"])
def test_a_subset_of_channels_is_calibrated_as_among_all(here, image, raw, listed, of_all):
    whole = noisy_master(np.random.default_rng(5), SHAPE, 50, 3)
    files = by_channel("dark", whole)
    masters = files if of_all else {name: files[name] for name in listed}
    calibrate = Calibrator(
        **PLAIN,
        split_channels={name: BAYER[name] for name in listed},
        master_dark=masters,
        calibrated_fname="CAL/{CLRCHNL}.fits",
    )
    calibrate(raw)
    expected = calibrated(image, threshold=930, dark=whole)
    for name in listed:
        assert_planes_equal(read_planes(f"CAL/{name}.fits"), expected.at(BAYER[name]))
    assert {path.name for path in (here / "CAL").iterdir()} == {f"{name}.fits" for name in listed}


def test_files_are_written_in_the_order_of_the_channels(raw, monkeypatch):
    from autowisp_xr.image_calibration import outputs

    order = []
    monkeypatch.setattr(
        outputs, "write_products", lambda given, *_, **__: order.extend(p.path for p in given)
    )
    split = {name: BAYER[name] for name in ("B", "R", "G2")}
    Calibrator(**PLAIN, split_channels=split)(raw, calibrated="{CLRCHNL}.fits")
    assert order == ["B.fits", "R.fits", "G2.fits"]


class TestHdus:
    @pytest.fixture
    def parts(self, image):
        """A file with an HDU for each channel, in another order than the channels."""
        order = ["B", "R", "G1", "G2"]
        hdus = fits.HDUList([fits.PrimaryHDU(header=fits.Header({"ORIGIN": "primary"}))])
        for name in order:
            cards = {"HDUCHAN": name, "EXPTIME": 30.0, f"ONLY{name}": True}
            hdus.append(fits.ImageHDU(image[BAYER[name]], fits.Header(cards)))
        hdus.writeto("parts.fits")
        return {name: 1 + order.index(name) for name in BAYER}

    def test_each_channel_may_have_an_hdu_of_its_own(self, image, parts):
        area = {"xmin": 1, "xmax": 9, "ymin": 0, "ymax": 7}
        Calibrator(
            **PLAIN, split_channels=BAYER, raw_hdu=parts, leak_directions=[(1, 0)], image_area=area
        )("parts.fits", calibrated="{CLRCHNL}.fits")
        expected = calibrated(image, threshold=930, leaks=[(1, 0)], area=area)
        for name, (rows, columns) in BAYER.items():
            place = (rows, slice((columns.start - 1) % 2, None, 2))
            assert_planes_equal(read_planes(f"{name}.fits"), expected.at(place))

    def test_a_channel_has_the_header_of_its_own_hdu_over_that_of_the_first_image(self, parts):
        Calibrator(**PLAIN, split_channels=BAYER, raw_hdu=parts)(
            "parts.fits", calibrated="{CLRCHNL}.fits"
        )
        for name in BAYER:
            header = header_of(f"{name}.fits")
            assert header["HDUCHAN"] == name
            others = [key for key in header if key.startswith("ONLY")]
            # the first image is that of B
            assert others == (["ONLYB"] if name == "B" else ["ONLYB", f"ONLY{name}"])
            assert "ORIGIN" not in header

    @pytest.mark.parametrize("listed", [["R"], ["G1"], ["G2", "B"]], ids="+".join)
    @pytest.mark.parametrize("of_all", [True, False], ids=["HDUs of all", "HDUs of these"])
    def test_some_of_the_hdus_will_do(self, image, parts, listed, of_all):
        dark = noisy_master(np.random.default_rng(6), SHAPE, 20, 2)
        Calibrator(
            **PLAIN,
            split_channels={name: BAYER[name] for name in listed},
            raw_hdu=parts if of_all else {name: parts[name] for name in listed},
            master_dark=by_channel("dark", dark),
        )("parts.fits", calibrated="{CLRCHNL}.fits")
        expected = calibrated(image, threshold=930, dark=dark)
        for name in listed:
            assert_planes_equal(read_planes(f"{name}.fits"), expected.at(BAYER[name]))

    @pytest.mark.parametrize("listed", [["R"], ["G1"], ["G2"]], ids="+".join)
    def test_some_of_the_hdus_know_the_area_of_all(self, image, listed):
        even = image[:6, :8]
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(even[place]) for place in BAYER.values())]
        fits.HDUList(hdus).writeto("even.fits")
        Calibrator(
            **PLAIN,
            split_channels={name: BAYER[name] for name in listed},
            raw_hdu={name: 1 + number for number, name in enumerate(BAYER)},
            image_area={"xmin": 0, "xmax": 8, "ymin": 0, "ymax": 6},
        )("even.fits", calibrated="{CLRCHNL}.fits")
        for name in listed:
            np.testing.assert_array_equal(read_planes(f"{name}.fits").image, even[BAYER[name]])

    def test_one_number_is_the_hdu_of_the_staggered_frame(self, image):
        hdus = [fits.PrimaryHDU(np.zeros((2, 2)), fits.Header({"WHO": "first", "A": 1}))]
        hdus += [fits.ImageHDU(image, fits.Header({"WHO": "second"}))]
        fits.HDUList(hdus).writeto("two.fits")
        calibrate = Calibrator(**PLAIN, calibrated_fname="{WHO}.fits")
        calibrate("two.fits", raw_hdu=1)
        assert_planes_equal(read_planes("second.fits"), calibrated(image, threshold=930))
        assert header_of("second.fits")["A"] == 1
        calibrate("two.fits", raw_hdu=0)
        assert read_planes("first.fits").image.shape == (2, 2)
        calibrate("two.fits", allow_overwrite=True)
        assert read_planes("first.fits").image.shape == (2, 2)

    @pytest.mark.parametrize("raw_hdu", [None, 1])
    def test_an_empty_primary_hdu_is_passed_over(self, image, raw_hdu):
        hdus = [fits.PrimaryHDU(header=fits.Header({"LOST": 1})), fits.ImageHDU(image)]
        fits.HDUList(hdus).writeto("empty.fits")
        Calibrator(**PLAIN, raw_hdu=raw_hdu)("empty.fits", calibrated="out.fits")
        assert_planes_equal(read_planes("out.fits"), calibrated(image, threshold=930))
        assert "LOST" not in header_of("out.fits")

    @pytest.mark.parametrize("raw_hdu", [None, 1])
    def test_compressed_frames_are_read(self, image, raw_hdu):
        write_raw("night.fits.fz", image, {"OBJECT": "M31"})
        Calibrator(**PLAIN, raw_hdu=raw_hdu)("night.fits.fz", calibrated="{RAWFNAME}_cal.fits")
        assert_planes_equal(read_planes("night_cal.fits"), calibrated(image, threshold=930))
        assert header_of("night_cal.fits")["OBJECT"] == "M31"

    def test_an_hdu_that_is_not_there_is_refused(self, raw):
        with pytest.raises(aw.BadImageError, match=r"raw\.fits has no HDU 3; it has 1"):
            Calibrator(**PLAIN, raw_hdu=3)(raw, calibrated="out.fits")

    def test_a_channel_without_an_hdu_is_refused(self, parts):
        calibrate = Calibrator(**PLAIN, split_channels=BAYER, raw_hdu={"R": 1})
        with pytest.raises(aw.CalibrationError, match=r"no HDU for \['G1', 'G2', 'B'\]"):
            calibrate("parts.fits", calibrated="{CLRCHNL}.fits")

    def test_hdus_that_do_not_fit_between_each_other_are_refused(self, parts):
        odd = {**parts, "R": parts["B"]}
        calibrate = Calibrator(**PLAIN, split_channels=BAYER, raw_hdu=odd)
        with pytest.raises(
            aw.CalibrationError, match=r"the HDU of channel '.*', of .* does not fit"
        ):
            calibrate("parts.fits", calibrated="{CLRCHNL}.fits")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("RGGB", "split_channels is False, or"),
        (True, "split_channels is False, or"),
        ({}, "split_channels is False, or"),
        ({"R": (slice(None),)}, "the channel 'R' is a pair of slices"),
        ({"R": (0, 1)}, "the channel 'R' is a pair of slices"),
        ({"R": 3}, "the channel 'R' is a pair of slices"),
    ],
    ids=str,
)
def test_what_is_no_pair_of_slices_is_refused_by_the_constructor(split, message):
    with pytest.raises(aw.CalibrationError, match=message):
        Calibrator(**PLAIN, split_channels=split)


@pytest.mark.parametrize(
    "part", [slice(0, 4, 2), slice(-1, None, 2), slice(None, None, -1), slice(0, -1)]
)
def test_a_channel_that_does_not_reach_the_end_of_the_frame_is_refused(raw, part):
    calibrate = Calibrator(**PLAIN, split_channels={"R": (slice(None), part)})
    with pytest.raises(aw.CalibrationError, match="every n-th pixel from a first one to the end"):
        calibrate(raw, calibrated="out.fits")


def test_a_channel_without_pixels_in_the_area_is_refused(raw):
    area = {"xmin": 0, "xmax": 1, "ymin": 0, "ymax": 7}
    calibrate = Calibrator(**PLAIN, split_channels=BAYER, image_area=area)
    with pytest.raises(aw.CalibrationError, match=r"'G1'.*has no pixel in the image area"):
        calibrate(raw, calibrated="{CLRCHNL}.fits")


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(2, 6),
    width=st.integers(2, 7),
    corner=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    order=st.permutations(list(BAYER)),
    seed=st.integers(0, 99),
)
def test_calibrating_channels_one_by_one_or_together_is_the_same(
    tmp_path_factory, height, width, corner, order, seed
):
    folder = tmp_path_factory.mktemp("channels")
    y, x = corner
    rng = np.random.default_rng(seed)
    area = {"xmin": x, "xmax": x + width, "ymin": y, "ymax": y + height}
    raw = write_raw(folder / "raw.fits", rng.integers(0, 1000, (y + height, x + width + 1)))
    calibrate = Calibrator(**PLAIN, image_area=area, gain=1.3, read_noise_electrons=4.0)
    calibrate(
        raw,
        split_channels={name: BAYER[name] for name in order},
        calibrated=folder / "{CLRCHNL}_together.fits",
    )
    for name, place in BAYER.items():
        calibrate(raw, split_channels={name: place}, calibrated=folder / f"{name}_alone.fits")
        together, alone = (
            read_planes(folder / f"{name}_{how}.fits") for how in ("together", "alone")
        )
        for ours, theirs in zip(together, alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)
