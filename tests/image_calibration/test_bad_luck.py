"""What users and disks do to the classes, and what may not come of it."""

import os
import threading
from typing import ClassVar

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.frames import atomic_write
from autowisp_xr.image_calibration import Calibrator, MasterMaker, overscan_methods

SHAPE = (20, 24)
STRIP = {"xmin": 0, "xmax": 4, "ymin": 0, "ymax": 20}
BAYER = {
    "R": (slice(0, None, 2), slice(0, None, 2)),
    "B": (slice(1, None, 2), slice(1, None, 2)),
}


@pytest.fixture
def raw(here):
    header = fits.Header({"IMAGETYP": "zero"})
    fits.PrimaryHDU(np.full(SHAPE, 1000, np.uint16), header).writeto("raw.fits")
    return "raw.fits"


def calibrated(raw, **given):
    options = {"compress_calibrated": None, "calibrated_fname": "out.fits", **given}
    Calibrator(**options)(raw, allow_overwrite=True)
    return fits.getdata("out.fits")


def test_a_header_as_extra_header_leaves_the_pixels_alone(raw):
    stored = fits.getheader(raw)
    assert "BZERO" in stored
    stored["OBSERVER"] = "me"
    assert (calibrated(raw, extra_header=stored) == 1000).all()
    assert fits.getheader("out.fits")["OBSERVER"] == "me"


@pytest.mark.parametrize("card", [{"BZERO": 32768}, {"NAXIS1": 3}, {"simple": False}])
def test_a_card_about_the_bytes_of_the_file_is_refused(raw, card):
    with pytest.raises(aw.HeaderError, match="states how pixels are stored"):
        calibrated(raw, extra_header=card)


def test_what_a_hook_masks_is_left_out(here):
    for number, level in enumerate((100.0, 101.0, 102.0, 900.0)):
        fits.PrimaryHDU(np.full((3, 4), level)).writeto(f"f{number}.fits")

    class Masking(MasterMaker):
        def prepare_for_stacking(self, image):
            return np.ma.masked_greater(image, 500)

    maker = Masking(min_valid_frames=2, min_valid_values=3, compress=None, outlier_threshold=1.5)
    assert maker([f"f{i}.fits" for i in range(4)], "m.fits") == (True, [])
    with fits.open("m.fits") as hdus:
        assert (hdus[0].data == 101).all()
        assert not hdus[2].data.any()


class Method(overscan_methods.Base):
    """Whatever a function of the raw image gives."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *, raw_image, **_):
        return self.function(raw_image)


def test_a_method_of_ones_own_sees_floats(raw):
    kinds = []
    method = Method(lambda image: kinds.append(image.dtype) or {"correction": 0, "variance": 0})
    calibrated(raw, overscans={"areas": [STRIP], "method": method})
    assert kinds == [np.float64]


def test_a_level_that_a_method_masks_is_no_level(raw):
    level = np.ma.masked_all(SHAPE)
    method = Method(lambda image: {"correction": level, "variance": 0})
    assert np.isnan(calibrated(raw, overscans={"areas": [STRIP], "method": method})).all()


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf])
def test_a_variance_that_is_none_is_refused(raw, variance):
    method = Method(lambda image: {"correction": 1.0, "variance": variance})
    with pytest.raises(aw.CalibrationError, match="variance that is negative or not finite"):
        calibrated(raw, overscans={"areas": [STRIP], "method": method})


@pytest.mark.parametrize("method", ["median", 3])
def test_what_is_no_method_is_refused(raw, method):
    with pytest.raises(aw.CalibrationError, match="an object such as overscan_methods"):
        calibrated(raw, overscans={"areas": [STRIP], "method": method})


def test_a_method_need_not_document_itself(raw):
    plain = lambda *, raw_image, **_: {"correction": 7.0, "variance": 0.0}  # noqa: E731
    assert (calibrated(raw, overscans={"areas": [STRIP], "method": plain}) == 993).all()


@pytest.mark.parametrize(("stop", "rows"), [(None, 6), (12, 6), (16, 6), (20, 6), (13, None)])
def test_a_slice_ends_with_the_frame_or_the_area(raw, stop, rows):
    area = {"xmin": 0, "xmax": 24, "ymin": 4, "ymax": 16}
    split = {"R": (slice(0, stop, 2), slice(0, None, 2))}
    if rows is None:
        with pytest.raises(aw.CalibrationError, match="to the end of the frame"):
            calibrated(raw, image_area=area, split_channels=split)
    else:
        assert calibrated(raw, image_area=area, split_channels=split).shape == (rows, 12)


def test_channels_that_share_pixels_cannot_have_masters_of_their_own(raw):
    fits.PrimaryHDU(np.full(SHAPE, 10.0)).writeto("l.fits")
    fits.PrimaryHDU(np.full((10, 12), 500.0)).writeto("r.fits")
    split = {"L": slice(None), "R": BAYER["R"]}
    with pytest.raises(aw.CalibrationError, match="shares pixels with another"):
        calibrated(
            raw,
            split_channels=split,
            master_bias={"L": "l.fits", "R": "r.fits"},
            calibrated_fname="{CLRCHNL}.fits",
        )


def test_what_is_no_ordinary_file_is_never_replaced(raw, here):
    os.mkfifo("out.fits")
    with pytest.raises(FileExistsError, match="no ordinary file"):
        calibrated(raw)
    assert not os.path.isfile("out.fits")


def test_a_link_is_followed(raw, here):
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "real.fits").write_text("old")
    os.symlink("elsewhere/real.fits", "out.fits")
    calibrated(raw)
    assert os.path.islink("out.fits")
    assert (fits.getdata("elsewhere/real.fits") == 1000).all()


def test_a_name_as_long_as_names_may_be_can_be_written(raw):
    name = "n" * 250 + ".fits"
    Calibrator(compress_calibrated=None)(raw, calibrated=name)
    assert (fits.getdata(name) == 1000).all()


def test_the_hash_is_that_of_the_master_that_was_read(raw, here):
    fits.PrimaryHDU(np.full(SHAPE, 20.0)).writeto("b.fits")
    calibrator = Calibrator(master_bias="b.fits", compress_calibrated=None)
    calibrator(raw, calibrated="one.fits")
    (here / "b.fits").unlink()
    calibrator(raw, calibrated="two.fits")
    one, two = (fits.getheader(f"{name}.fits")["MBIASSHA"] for name in ("one", "two"))
    assert one == two
    assert (fits.getdata("two.fits") == 980).all()


def test_all_channels_of_a_frame_are_written_or_none(raw, here, monkeypatch):
    write, seen = atomic_write._write, []

    def fails_at_the_second(hdus, temporary, path):
        seen.append(path)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        write(hdus, temporary, path)

    calibrator = Calibrator(split_channels=BAYER, calibrated_fname="CAL/{CLRCHNL}.fits")
    with monkeypatch.context() as patch:
        patch.setattr(atomic_write, "_write", fails_at_the_second)
        with pytest.raises(OSError, match="No space"):
            calibrator(raw)
    assert list((here / "CAL").iterdir()) == []
    calibrator(raw)
    assert sorted(path.name for path in (here / "CAL").iterdir()) == ["B.fits", "R.fits"]


def test_defaults_are_not_shared_and_may_be_those_of_a_subclass(raw):
    one = Calibrator()
    one.configuration["leak_directions"].append((1, 0))
    one.configuration["overscans"]["areas"] = [STRIP]
    assert Calibrator().configuration["leak_directions"] == []
    assert Calibrator().configuration["overscans"]["areas"] is None

    class Mine(Calibrator):
        default_configuration: ClassVar = {"gain": 2.5}

    assert Mine().configuration["gain"] == 2.5
    assert Mine().configuration["bias_level_adu"] == 0


def test_each_thread_documents_its_own_overscan(raw):
    header = fits.Header()
    method = overscan_methods.Median(min_pixels=1)
    method(raw_image=np.ones((4, 4)), overscans=[{"xmin": 0, "xmax": 1, "ymin": 0, "ymax": 4}])
    other = threading.Thread(
        target=method,
        kwargs={
            "raw_image": np.ones((4, 4)),
            "overscans": [{"xmin": 0, "xmax": 4, "ymin": 0, "ymax": 4}],
        },
    )
    other.start()
    other.join()
    method.document_in_fits_header(header)
    assert header["OVSCNPIX"] == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"read_noise_electrons": None}, "read_noise_electrons is a number, not None"),
        ({"gain": {"R": 2}}, "gain is a number"),
        ({"raw_hdu": "0"}, "raw_hdu is None, the number of an HDU"),
        (
            {"compress_calibrated": "16"},
            "compress_calibrated: compress is None, True or",
        ),
        ({"diagnostic_quantiles": [0.5, 1.5]}, "go from 0 to 1, 1.5 does not"),
        ({"fnum": "nan"}, "fnum, 'nan', gives nan"),
        ({"exposure_seconds": "NOPE"}, "exposure_seconds: the expression 'NOPE' needs NOPE"),
        ({"split_channels": {5: slice(None)}}, "name of a channel is a text or None, not 5"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(raw, here, given, message):
    with pytest.raises((aw.CalibrationError, aw.HeaderError), match=message):
        calibrated(raw, **given)
    assert not (here / "out.fits").exists()


def test_quantiles_may_be_an_array_or_one_number(raw):
    calibrator = Calibrator(compress_calibrated=None)
    found = calibrator(raw, calibrated="1.fits", diagnostic_quantiles=np.array([0.5, 1.0]))
    assert found == {None: [("pixel_q5", 1000.0), ("pixel_q1_0", 1000.0)]}
    assert calibrator(raw, calibrated="2.fits", diagnostic_quantiles=0.25) == {
        None: [("pixel_q25", 1000.0)]
    }


def test_a_master_named_for_another_channel_is_refused(raw):
    fits.PrimaryHDU(np.full((10, 12), 500.0)).writeto("r.fits")
    with pytest.raises(aw.CalibrationError, match=r"there is none for \['B'\]"):
        calibrated(raw, split_channels={"B": BAYER["B"]}, master_bias={"R": "r.fits"})


def test_a_pixel_whose_error_is_not_known_is_flagged(raw):
    hdus = [fits.PrimaryHDU(np.full(SHAPE, 1.0)), fits.ImageHDU(np.full(SHAPE, 1.0))]
    hdus[1].header["IMAGETYP"] = "error"
    hdus[1].data[3, 5] = np.nan
    fits.HDUList(hdus).writeto("b.fits")
    calibrated(raw, master_bias="b.fits")
    with fits.open("out.fits") as found:
        assert (found[0].data == 999).all()
        assert np.argwhere(np.isnan(found[1].data)).tolist() == [[3, 5]]
        assert np.argwhere(found[2].data == 1).tolist() == [[3, 5]]


def test_channels_whose_headers_give_different_gains_are_refused(here):
    planes = [fits.ImageHDU(np.ones((10, 12), np.uint16)) for _ in range(2)]
    for plane, gain in zip(planes, (1.0, 3.0), strict=True):
        plane.header["GAIN"] = gain
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto("two.fits")
    given = {"raw_hdu": {"R": 1, "B": 2}, "split_channels": BAYER, "gain": None}
    with pytest.raises(aw.CalibrationError, match=r"give gain as {'R': 1.0, 'B': 3.0}"):
        calibrated("two.fits", **given, calibrated_fname="{CLRCHNL}.fits")


def test_an_image_before_the_one_that_was_chosen_may_be_of_any_kind(here):
    first = fits.PrimaryHDU(np.zeros((2, 3, 4)), fits.Header({"OBSERVER": "me"}))
    fits.HDUList([first, fits.ImageHDU(np.full(SHAPE, 7.0))]).writeto("cube.fits")
    assert (calibrated("cube.fits", raw_hdu=1) == 7).all()
    assert fits.getheader("out.fits")["OBSERVER"] == "me"


def test_a_card_of_the_frames_never_chooses_the_directory_of_a_master(here):
    for number in range(3):
        header = fits.Header({"PROJHOME": str(here / "evil")})
        fits.PrimaryHDU(np.full((3, 4), 1.0 + number), header).writeto(f"f{number}.fits")
    maker = MasterMaker(min_valid_frames=2, min_valid_values=2, outlier_threshold=1)
    assert maker([f"f{i}.fits" for i in range(3)], "{PROJHOME}.fits") == (True, [])
    assert not (here / "evil").exists()
    assert len(list(here.glob("*evil.fits"))) == 1


def test_the_history_of_a_master_knows_its_hook(here):
    for number in range(3):
        fits.PrimaryHDU(np.full((3, 4), 1.0 + number)).writeto(f"f{number}.fits")

    class Halved(MasterMaker):
        def prepare_for_stacking(self, image):
            return image / 2

    identities = []
    for maker, name in ((MasterMaker, "plain.fits"), (Halved, "halved.fits")):
        make = maker(min_valid_frames=2, min_valid_values=2, outlier_threshold=1, compress=None)
        assert make([f"f{i}.fits" for i in range(3)], name) == (True, [])
        history = aw.open_fits(name).autowisp.history()
        identities.append(history[-1]["id"])
    assert identities[0] != identities[1]
    assert [step["verb"] for step in history] == ["open_planes", "prepare_for_stacking", "stack"]
    assert "Halved.prepare_for_stacking" in history[1]["options"]["by"]


def test_a_master_of_masters_is_a_master(here):
    for number in range(3):
        header = fits.Header({"IMAGETYP": "masterdark"})
        fits.PrimaryHDU(np.full((3, 4), 1.0 + number), header).writeto(f"f{number}.fits")
    maker = MasterMaker(min_valid_frames=2, min_valid_values=2, outlier_threshold=1, compress=None)
    maker([f"f{i}.fits" for i in range(3)], "m.fits")
    assert fits.getheader("m.fits")["IMAGETYP"] == "masterdark"


def test_the_level_of_compression_is_checked_before_anything_is_stacked(here):
    with pytest.raises(ValueError, match="compress is None, True or a positive number, not -3"):
        MasterMaker(compress=-3)
    with pytest.raises(ValueError, match="compress"):
        MasterMaker()(["nowhere.fits"] * 20, "m.fits", compress=-3)


def test_what_is_read_is_never_replaced(raw, here):
    fits.PrimaryHDU(np.full(SHAPE, 1.0)).writeto("b.fits")
    os.symlink("raw.fits", "link.fits")
    for name in ("raw.fits", "link.fits", "b.fits"):
        with pytest.raises(FileExistsError, match="one of the files that are read"):
            calibrated(raw, master_bias="b.fits", calibrated_fname=name)
    assert fits.getheader("raw.fits")["BITPIX"] == 16
    frames = aw.open_fits("raw.fits")
    with pytest.raises(FileExistsError, match="one of the files that are read"):
        frames.autowisp.to_fits("{RAWFNAME}.fits", overwrite=True)
    maker = MasterMaker(min_valid_frames=1, min_valid_values=1)
    with pytest.raises(FileExistsError, match="one of the files that are read"):
        maker(["raw.fits"], "raw.fits", allow_overwrite=True)


def test_two_names_of_one_file_are_seen_through(raw, here):
    (here / "x.fits").write_text("old")
    for channel in BAYER:
        os.symlink("x.fits", f"{channel}.fits")
    with pytest.raises(aw.CalibrationError, match="would all be"):
        calibrated(raw, split_channels=BAYER, calibrated_fname="{CLRCHNL}.fits")


def test_names_that_were_given_are_taken_back_when_one_fails(raw, here, monkeypatch):
    link, seen = os.link, []

    def fails_at_the_second(source, target):
        seen.append(target)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        link(source, target)

    replace = os.replace
    monkeypatch.setattr(os, "link", fails_at_the_second)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    calibrator = Calibrator(split_channels=BAYER, calibrated_fname="CAL/{CLRCHNL}.fits")
    with pytest.raises(OSError, match=r"CAL/B.fits' could not be renamed into place: No space"):
        calibrator(raw)
    assert list((here / "CAL").iterdir()) == []
    monkeypatch.setattr(os, "replace", replace)


def test_a_file_that_comes_to_exist_meanwhile_is_kept(raw, here, monkeypatch):
    write = atomic_write._write

    def and_another_does_too(hdus, temporary, path):
        write(hdus, temporary, path)
        (here / "out.fits").write_text("of another process")

    monkeypatch.setattr(atomic_write, "_write", and_another_does_too)
    with pytest.raises(
        FileExistsError, match="was created by another process while it was being written"
    ):
        Calibrator()(raw, calibrated="out.fits")
    assert (here / "out.fits").read_text() == "of another process"
    assert sorted(path.name for path in here.iterdir()) == ["out.fits", "raw.fits"]
