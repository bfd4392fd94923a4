"""Masters: values, errors, masks and headers; when there are none; what calls may override."""

import copy
import functools
import json

import dask
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr.image_calibration import MasterMaker, stacked_master
from tests.image_calibration.files import header_of, read_planes, write_planes

SHAPE = (3, 4)
CARDS = {"IMAGETYP": "dark", "EXPTIME": 30.0, "CAMSN": "A7"}


def write_frames(images, masks=None, cards=CARDS, name="f{}.fits"):
    """A file for each image, with errors that must not matter."""
    files = []
    for number, image in enumerate(images):
        mask = np.zeros(image.shape, np.uint8) if masks is None else masks[number]
        own = cards[number] if isinstance(cards, list) else cards
        error = np.full(image.shape, 1.0 + number)
        header = fits.Header({**own, "FNUM": number})
        files.append(write_planes(name.format(number), image, error, mask, header))
    return files


@pytest.fixture
def cube():
    values = np.random.default_rng(9).normal(100, 5, (12, *SHAPE))
    values[3, 1, 2] = values[7, 0, 0] = 400.0
    values[5, 2, 3] = -200.0
    return values


@pytest.fixture
def files(cube):
    return write_frames(cube)


def maker(**options):
    return MasterMaker(
        **{"compress": None, "min_valid_frames": 2, "outlier_threshold": 2.5, **options}
    )


def test_a_master_has_not_the_gain_and_read_noise_of_one_frame(cube):
    noise = {"GAIN": 1.5, "EGAIN": 1.5, "RDNOISE": 6.0, "EFFNCOMB": 1.0, "SATURATE": 59000.0}
    assert maker()(write_frames(cube, cards=CARDS | noise), "master.fits") == (True, [])
    header = header_of("master.fits")
    assert not {"EGAIN", "RDNOISE", "EFFNCOMB"} & set(header)
    kept = {"GAIN": 1.5, "EGAINRAW": 1.5, "SATURATE": 59000.0}
    assert {name: header[name] for name in kept} == kept


@pytest.mark.parametrize("average", ["median", "mean", np.nanmedian, np.nanmean, "nanmean"])
@pytest.mark.parametrize("threshold", [2.5, (2, -3), (-2, 4), [2.7]], ids=str)
@pytest.mark.parametrize("max_iter", [0, 1, 2, np.inf])
def test_values_errors_and_mask_are_those_of_the_rejection_average(
    cube, files, average, threshold, max_iter
):
    make = maker(average_func=average, outlier_threshold=threshold, max_iter=max_iter)
    assert make(files, "master.fits") == (True, [])
    found = read_planes("master.fits")
    values, stdev, count = aw.iterative_rejection_average(
        cube, threshold, average_func=average, max_iter=max_iter
    )
    np.testing.assert_array_equal(found.image, values)
    np.testing.assert_array_equal(found.error, stdev)
    np.testing.assert_array_equal(found.mask, np.where(count < 5, 127, 0))
    assert found.mask.dtype == np.uint8
    if max_iter:
        assert (count < 12).any()


def test_the_average_is_that_of_the_survivors_also_where_rejection_is_stopped():
    files = write_frames(np.array([1.0, 2, 3, 4, 100]).reshape(5, 1, 1))
    assert maker(average_func="mean", outlier_threshold=1.5, max_iter=1)(files, "m.fits")[0]
    found = read_planes("m.fits")
    assert found.image.item() == 2.5
    np.testing.assert_allclose(found.error, 0.6455, atol=5e-5)
    # four values are fewer than five
    assert found.mask.item() == 127


@pytest.mark.parametrize(
    "quantile",
    [0.7, "quantile:0.7", "percentile:70", functools.partial(np.nanquantile, q=0.7)],
    ids=["number", "quantile", "percentile", "partial"],
)
def test_a_quantile_is_an_average_too(cube, files, quantile):
    make = maker(average_func=quantile, outlier_threshold=1e3, max_iter=0)
    assert make(files, "master.fits") == (True, [])
    np.testing.assert_allclose(read_planes("master.fits").image, np.quantile(cube, 0.7, axis=0))
    assert header_of("master.fits")["AVRGFUNC"] == "nanquantile(0.7)"


def test_stack_returns_planes_header_and_what_was_left_out(cube, files, here):
    make = maker(exclude_mask=("BAD",))
    before = sorted(here.iterdir())
    values, stdev, mask, header, discarded = make.stack(files, **make.stacking_options)
    expected = aw.iterative_rejection_average(cube, 2.5)
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(stdev, expected[1])
    np.testing.assert_array_equal(mask, np.where(expected[2] < 5, 127, 0))
    assert (values.dtype, stdev.dtype, mask.dtype) == (np.float64, np.float64, np.uint8)
    assert isinstance(header, fits.Header)
    assert header["IMAGETYP"] == "masterdark"
    assert discarded == []
    assert sorted(here.iterdir()) == before
    few = {**make.stacking_options, "min_valid_frames": 13}
    assert make.stack(files, **few) == (None, None, None, None, [])


def test_a_scheduler_that_was_chosen_does_the_work(files):
    used = []

    def chosen(graph, keys, **options):
        used.append(keys)
        return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=chosen):
        assert maker()(files, "chosen.fits") == (True, [])
    assert len(used) == 1
    assert maker()(files, "threads.fits") == (True, [])
    np.testing.assert_array_equal(*(read_planes(f"{n}.fits").image for n in ("chosen", "threads")))


def test_stack_takes_its_options_by_name_and_all_of_them(files):
    make = maker()
    with pytest.raises(TypeError, match="outlier_threshold"):
        make.stack(files)


class TestTooFewFrames:
    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_fewer_frames_than_asked_for_make_no_master(self, files, here, number):
        assert maker(min_valid_frames=3)(files[:number], "CAL/m.fits") == (False, [])
        assert not (here / "CAL").exists()

    def test_the_frames_are_not_even_read(self):
        assert maker(min_valid_frames=3)(["nowhere.fits"] * 2, "m.fits") == (False, [])

    def test_as_many_as_asked_for_are_enough(self, files):
        assert maker(min_valid_frames=3, outlier_threshold=1.5)(files[:3], "m.fits") == (True, [])

    def test_a_single_name_in_place_of_a_list_is_refused(self, files):
        with pytest.raises(TypeError, match="list"):
            maker(min_valid_frames=30)(files[0], "m.fits")

    def test_no_frame_at_all_makes_no_master(self):
        assert maker(min_valid_frames=0)([], "m.fits") == (False, [])


class TestMasks:
    def test_flagged_pixels_are_left_out(self, cube):
        masks = np.zeros(cube.shape, np.uint8)
        masks[:4, 0, 1] = [1, 2, 64, 32]
        files = write_frames(cube, masks)
        maker(outlier_threshold=50.0, max_iter=0)(files, "m.fits")
        found = read_planes("m.fits")
        assert found.image[0, 1] == np.median(cube[4:, 0, 1])
        assert found.image[0, 0] == np.median(cube[:, 0, 0])
        assert not found.mask.any()

    @pytest.mark.parametrize(
        ("exclude", "kept"),
        [
            (("SATURATED",), [0, 1, 3]),
            (["HOT", "COSMIC"], [0, 2]),
            ((), [0, 1, 2, 3]),
            ("FAULT", [0, 1, 2, 3]),
            (("OVERSATURATED", "LEAKED", "COSMIC"), [0, 1]),
            (48 | 4, [0, 1]),
        ],
        ids=str,
    )
    def test_only_the_flags_named_exclude(self, exclude, kept):
        values = np.array([1.0, 2.0, 4.0, 8.0])
        masks = np.array([0, 2, 16, 4], np.uint8).reshape(4, 1, 1)
        files = write_frames(values.reshape(4, 1, 1), masks)
        make = maker(exclude_mask=exclude, average_func="mean", max_iter=0, min_valid_values=1)
        make(files, "m.fits")
        found = read_planes("m.fits")
        assert found.image.item() == values[kept].mean()
        assert found.mask.item() == 0
        if isinstance(exclude, int):
            exclude = ("COSMIC", "SATURATED")
        names = exclude if isinstance(exclude, str) else ",".join(exclude)
        assert header_of("m.fits")["XCLUDMSK"] == names

    def test_a_flag_that_is_none_is_refused(self, files):
        with pytest.raises(ValueError, match="SATURATD"):
            maker(exclude_mask=("SATURATD",))(files, "m.fits")

    @pytest.mark.parametrize("fewest", [1, 2, 3, 4])
    def test_pixels_with_too_few_values_are_bad_and_all_others_good(self, fewest):
        values = np.arange(12.0).reshape(4, 1, 3)
        masks = np.zeros(values.shape, np.uint8)
        masks[2:, 0, 1] = masks[:3, 0, 2] = 2
        make = maker(min_valid_values=fewest, max_iter=0, average_func="mean")
        assert make(write_frames(values, masks), "m.fits") == (True, [])
        found = read_planes("m.fits")
        assert found.mask.tolist() == [[127 if n < max(fewest, 2) else 0 for n in (4, 2, 1)]]
        assert found.image.tolist() == [[4.5, 2.5, 11.0]]
        assert np.isnan(found.error).tolist() == [[False, False, True]]

    @pytest.mark.parametrize("compress", [None, 16], ids=["plain", "compressed"])
    def test_a_pixel_that_is_masked_everywhere_is_nan_and_bad(self, cube, compress):
        masks = np.zeros(cube.shape, np.uint8)
        masks[:, 1, 1] = 2
        assert maker(compress=compress)(write_frames(cube, masks), "m.fits") == (True, [])
        found = read_planes("m.fits")
        assert np.isnan(found.image).sum() == np.isnan(found.error).sum() == 1
        assert np.isnan(found.image[1, 1])
        assert found.mask[1, 1] == 127
        ds = aw.open_fits("m.fits")
        assert int(ds["mask"].values[..., 1, 1].item()) == 127

    def test_nan_pixels_are_left_out_without_a_flag(self, cube):
        cube[2, 1, 1] = np.nan
        maker(max_iter=0)(write_frames(cube), "m.fits")
        assert read_planes("m.fits").image[1, 1] == np.nanmedian(cube[:, 1, 1])

    def test_frames_without_masks_are_clear_among_frames_with_masks(self, cube):
        files = write_frames(cube[:6], np.full((6, *SHAPE), 2, np.uint8))
        for number, image in enumerate(cube[6:], 6):
            files.append(write_planes(f"f{number}.fits", image, cards=CARDS))
        maker(max_iter=0)(files, "m.fits")
        np.testing.assert_array_equal(read_planes("m.fits").image, np.median(cube[6:], axis=0))

    def test_frames_may_all_be_without_masks_and_errors(self, cube):
        files = [write_planes(f"f{n}.fits", image, cards=CARDS) for n, image in enumerate(cube)]
        assert maker(max_iter=0)(files, "m.fits") == (True, [])
        np.testing.assert_array_equal(read_planes("m.fits").image, np.median(cube, axis=0))

    def test_raw_integers_are_averaged_in_double_precision(self):
        values = np.array([1, 2, 65535], np.uint16).reshape(3, 1, 1)
        files = [write_planes(f"f{n}.fits", image, cards=CARDS) for n, image in enumerate(values)]
        maker(average_func="mean", max_iter=0)(files, "m.fits")
        assert read_planes("m.fits").image.item() == 65538 / 3


class TestHeader:
    def test_it_holds_what_all_frames_share_and_how_it_was_made(self, cube):
        cards = [{**CARDS, "SEEING": number} for number in range(12)]
        files = write_frames(cube, cards=cards)
        maker(outlier_threshold=(3, -2.5), max_iter=4, min_valid_values=3)(files, "m.fits")
        header = header_of("m.fits")
        expected = {
            "IMAGETYP": "masterdark",
            "EXPTIME": 30.0,
            "CAMSN": "A7",
            "NUMFCOMB": 12,
            "OUTLTHRS": "(3.0, -2.5)",
            "AVRGFUNC": "nanmedian",
            "MINAVGPX": 3,
            "MAXREJIT": 4,
            "XCLUDMSK": "BAD",
            **{f"ORIGF{number:03d}": f"f{number}.fits" for number in range(12)},
        }
        assert {key: header.get(key) for key in expected} == expected
        assert "SEEING" not in header
        assert "FNUM" not in header
        kept = [k for k in header if k.startswith(("ORIGF", "NUMF", "OUTL", "AVRG", "MIN", "MAX"))]
        assert kept == [
            "NUMFCOMB",
            *(f"ORIGF{number:03d}" for number in range(12)),
            *("OUTLTHRS", "AVRGFUNC", "MINAVGPX", "MAXREJIT"),
        ]
        with fits.open("m.fits") as hdus:
            assert [hdu.header["IMAGETYP"] for hdu in hdus[1:]] == ["error", "mask"]

    def test_without_a_limit_of_rejections_it_is_inf(self, files):
        maker()(files, "m.fits")
        assert header_of("m.fits")["MAXREJIT"] == "inf"
        assert header_of("m.fits")["OUTLTHRS"] == "2.5"

    def test_cards_are_merged_by_value_with_the_comments_of_the_first(self):
        headers = []
        for number in range(3):
            header = fits.Header(CARDS)
            header["SAME"] = (1 if number else 1.0, f"comment {number}")
            header["OTHER"] = number
            if number != 1:
                header["ABSENT"] = 5
            header.add_comment("of all")
            header.add_history("of all" if number < 2 else "of the last")
            header.append(fits.Card("", "a blank one"), end=True)
            headers.append(header)
        for number, header in enumerate(headers):
            write_planes(f"f{number}.fits", np.ones((1, 1)) * number, cards=header)
        maker(max_iter=0)([f"f{number}.fits" for number in range(3)], "m.fits")
        header = header_of("m.fits")
        assert (header["SAME"], header.comments["SAME"]) == (1, "comment 0")
        assert "OTHER" not in header
        assert "ABSENT" not in header
        assert list(header["COMMENT"]) == ["of all"]
        # but for the record of what was done
        assert not [line for line in header["HISTORY"] if "of " in line and "AWXR" not in line]
        assert "" not in header

    def test_custom_cards_go_on_top_and_appear_once(self, files):
        custom = {"OBSERVER": "me", "EXPTIME": 11, "CAMSN": ("B1", "swapped"), "IMAGETYP": "mine"}
        untouched = copy.deepcopy(custom)
        maker()(files, "m.fits", custom_header=custom)
        header = header_of("m.fits")
        found = {key: header[key] for key in custom}
        assert found == {"OBSERVER": "me", "EXPTIME": 11, "CAMSN": "B1", "IMAGETYP": "mine"}
        assert header.comments["CAMSN"] == "swapped"
        assert all(header.count(key) == 1 for key in custom)
        assert custom == untouched
        header = maker().stack(files, custom_header=custom, **maker().stacking_options)[3]
        assert {key: header[key] for key in custom} == found

    def test_keywords_are_averaged_like_pixels(self):
        values = np.zeros((6, 1, 1)) + np.arange(6.0).reshape(6, 1, 1)
        dates = [1.0, 2.0, 3.0, 4.0, 5.0, 900.0]
        cards = [{**CARDS, "JD-OBS": 2460000.0 + date, "N": n} for n, date in enumerate(dates)]
        files = write_frames(values, cards=cards)
        make = maker(
            add_averaged_keywords=("JD-OBS", "N"), outlier_threshold=2.0, average_func=np.nanmean
        )
        make(files, "m.fits")
        header = header_of("m.fits")
        assert header["JD-OBS"] == 2460003.0
        assert header["N"] == 2.5

    def test_a_keyword_that_all_frames_share_keeps_its_value(self, files):
        maker(add_averaged_keywords=["EXPTIME"])(files, "m.fits")
        header = header_of("m.fits")
        assert header["EXPTIME"] == 30.0
        assert header.count("EXPTIME") == 1

    @pytest.mark.parametrize("keyword", ["NOTHERE", "OBJECT"])
    def test_a_keyword_that_is_no_number_is_refused(self, cube, keyword, here):
        files = write_frames(cube, cards=[{**CARDS, "OBJECT": f"M{n}"} for n in range(12)])
        with pytest.raises(aw.HeaderError, match=keyword):
            maker(add_averaged_keywords=[keyword])(files, "m.fits")
        assert not (here / "m.fits").exists()

    def test_more_than_a_thousand_frames_have_a_card_each(self):
        files = []
        for number in range(1003):
            header = fits.Header(CARDS)
            name = f"f{number}.fits"
            fits.PrimaryHDU(np.full((1, 1), float(number)), header).writeto(name)
            files.append(name)
        make = maker(min_valid_frames=1000)
        assert make(files[:1000], "k.fits") == (True, [])
        assert header_of("k.fits")["ORIGF999"] == "f999.fits"
        assert make(files, "m.fits") == (True, [])
        header = header_of("m.fits")
        assert header["NUMFCOMB"] == 1003
        assert [header[f"ORIG{n:04d}"] for n in (0, 999, 1002)] == [
            *("f0.fits", "f999.fits", "f1002.fits")
        ]
        assert not [key for key in header if len(key) > 8]
        assert read_planes("m.fits").image.item() == 501.0

    def test_history_names_the_frames_with_their_sha_256(self, files):
        maker()(files, "m.fits")
        records = aw.open_fits("m.fits").autowisp.history()
        (opened,) = (step for step in records if step["verb"] == "open_planes")
        assert [file["path"] for file in opened["inputs"]] == files
        assert all(len(file["sha256"]) == 64 for file in opened["inputs"])
        assert records[-1]["verb"] in ("stack", "MasterMaker")
        assert json.dumps(records)

    def test_long_and_foreign_names_of_frames_fit_into_cards(self, cube, here):
        folder = here / ("long" * 20)
        folder.mkdir()
        files = write_frames(cube, name=str(folder / "März{}.fits"))
        maker()(files, "m.fits")
        assert header_of("m.fits")["ORIGF003"] == files[3].replace("ä", "_")


class TestMismatches:
    def test_frames_of_two_types_are_refused_naming_both(self, cube, here):
        cards = [{**CARDS, "IMAGETYP": "zero" if n == 4 else "dark"} for n in range(12)]
        files = write_frames(cube, cards=cards)
        with pytest.raises(
            aw.ImageMismatchError, match=r"f4\.fits has IMAGETYP 'zero', f0\.fits has 'dark'"
        ):
            maker()(files, "m.fits")
        assert not (here / "m.fits").exists()

    def test_a_frame_without_a_type_is_of_another_type(self, cube):
        cards = [{k: v for k, v in CARDS.items() if n or k != "IMAGETYP"} for n in range(12)]
        with pytest.raises(aw.ImageMismatchError, match=r"f1\.fits has IMAGETYP 'dark'.*None"):
            maker()(write_frames(cube, cards=cards), "m.fits")

    def test_no_frame_may_have_a_type(self, cube):
        files = [write_planes(f"f{n}.fits", im, cards={"A": 1}) for n, im in enumerate(cube)]
        assert maker()(files, "m.fits") == (True, [])
        assert header_of("m.fits")["IMAGETYP"] == "master"

    def test_frames_of_two_shapes_are_refused_naming_both(self, files):
        files.append(write_planes("odd.fits", np.ones((4, 3)), cards=CARDS))
        with pytest.raises(
            aw.ImageMismatchError,
            match=r"(?s)rows x columns.* 3 x 4: .*f0\.fits.* 4 x 3: .*odd\.fits",
        ):
            maker()(files, "m.fits")

    def test_a_file_that_is_not_there_is_named(self, files):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.fits"):
            maker()([*files, "nowhere.fits"], "m.fits")

    @pytest.mark.parametrize(
        "options",
        [
            {"outlier_threshold": 0},
            {"outlier_threshold": (1, 2)},
            {"outlier_threshold": (1, -2, 3)},
            {"outlier_threshold": np.nan},
            {"average_func": "mode"},
            pytest.param({"average_func": np.std}, id="the function std"),
            {"max_iter": -1},
            {"average_func": 1.5},
        ],
        ids=str,
    )
    def test_options_that_cannot_be_are_refused_by_constructor_and_call(self, files, options, here):
        with pytest.raises(ValueError, match=r"threshold|average|max_iter"):
            maker(**options)
        with pytest.raises(ValueError, match=r"threshold|average|max_iter"):
            maker()(files, "m.fits", **options)
        assert not (here / "m.fits").exists()


class TestOutput:
    def test_templates_are_filled_from_the_header_of_the_master(self, files, here):
        make = maker()
        assert make(files, "MASTERS/{IMAGETYP}_{CAMSN}.fits", custom_header={"X": 1}) == (True, [])
        assert [path.name for path in (here / "MASTERS").iterdir()] == ["masterdark_A7.fits"]
        make(files, "{X:02d}.fits", custom_header={"X": 1})
        assert (here / "01.fits").exists()

    def test_a_keyword_that_frames_do_not_share_is_not_in_a_name(self, files, here):
        with pytest.raises(aw.HeaderError, match="asks for 'FNUM'"):
            maker()(files, "{FNUM}.fits")

    def test_an_existing_file_is_refused_before_anything_is_stacked(self, files, here, monkeypatch):
        (here / "m.fits").write_text("mine")

        def refuse(*_, **__):
            raise AssertionError("frames were stacked for nothing")

        with monkeypatch.context() as patch:
            patch.setattr(stacked_master, "computed", refuse)
            patch.setattr(stacked_master, "write_products", refuse)
            with pytest.raises(FileExistsError, match=r"'m\.fits' exists already.*overwrite=True"):
                maker()(files, "m.fits")
        assert (here / "m.fits").read_text() == "mine"
        assert maker()(files, "m.fits", allow_overwrite=True) == (True, [])
        assert read_planes("m.fits").image.shape == SHAPE

    def test_an_existing_file_is_refused_before_the_hook_sees_a_frame(self, files, here):
        (here / "m.fits").write_text("mine")
        make = maker()
        seen = []
        make.prepare_for_stacking = seen.append
        with pytest.raises(FileExistsError):
            make(files, "m.fits")
        assert seen == []

    def test_compression_of_a_call_goes_before_that_of_the_constructor(self, files):
        def is_compressed(name):
            with fits.open(name, disable_image_compression=True) as hdus:
                return "ZIMAGE" in hdus[-1].header

        make = MasterMaker(min_valid_frames=2, outlier_threshold=2.5)
        make(files, "a.fits")
        make(files, "b.fits", compress=None)
        make(files, "c.fits", compress=False)
        make(files, "d.fits")
        maker()(files, "e.fits")
        maker()(files, "f.fits", compress=True)
        assert {n: is_compressed(f"{n}.fits") for n in "abcdef"} == {
            **{"a": True, "b": False, "c": False, "d": True, "e": False, "f": True}
        }
        np.testing.assert_array_equal(read_planes("a.fits").image, read_planes("f.fits").image)

    def test_frames_are_only_read(self, files, here):
        before = {name: (here / name).read_bytes() for name in files}
        maker()(files, "m.fits")
        assert {name: (here / name).read_bytes() for name in files} == before

    def test_a_generator_of_frames_will_do(self, files, cube):
        assert maker()((name for name in files), "m.fits") == (True, [])
        assert header_of("m.fits")["NUMFCOMB"] == 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outlier_threshold", 1.5),
        ("average_func", np.nanmean),
        ("min_valid_values", 12),
        ("max_iter", 0),
        ("exclude_mask", ()),
        ("add_averaged_keywords", ("FNUM",)),
        ("min_valid_frames", 13),
    ],
)
def test_an_option_of_a_call_holds_for_that_call(cube, name, value):
    masks = np.zeros(cube.shape, np.uint8)
    masks[0, 0, :2] = 2
    files = write_frames(cube, masks)
    make = maker()
    options = copy.copy(make.stacking_options)

    def outcome(make, **call):
        done = make(files, "m.fits", allow_overwrite=True, **call)
        if done == (False, []):
            return done
        cards = header_of("m.fits").cards
        kept = [str(c) for c in cards if c.keyword not in ("HISTORY", "CHECKSUM", "DATASUM")]
        return [plane.tobytes() for plane in read_planes("m.fits")], kept

    before = outcome(make)
    during = outcome(make, **{name: value})
    assert during != before
    assert outcome(make) == before
    assert make.stacking_options == options
    assert outcome(maker(**{name: value})) == during


def test_an_option_that_is_none_is_refused_with_those_near(files):
    with pytest.raises(TypeError, match=r"'max_iterations' is no stacking option.*max_iter"):
        maker()(files, "m.fits", max_iterations=3)
    with pytest.raises(TypeError, match="max_iterations"):
        MasterMaker(max_iterations=3)


@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(range(7)),
    average=st.sampled_from(["median", "mean"]),
    threshold=st.sampled_from([1.5, (2.0, -1.2), 5.0]),
    seed=st.integers(0, 50),
)
@pytest.mark.filterwarnings("ignore:no value among 7")
def test_the_order_of_frames_does_not_change_a_master(
    tmp_path_factory, order, average, threshold, seed
):
    folder = tmp_path_factory.mktemp("order")
    rng = np.random.default_rng(seed)
    cube = rng.integers(0, 50, (7, 2, 3)) + rng.normal(0, 1e-3, (7, 2, 3))
    masks = rng.choice([0, 0, 0, 2], (7, 2, 3)).astype(np.uint8)
    files = write_frames(cube, masks, name=str(folder / "f{}.fits"))
    make = maker(average_func=average, outlier_threshold=threshold, min_valid_values=3)
    first = make.stack(files, **make.stacking_options)
    second = make.stack([files[n] for n in order], **make.stacking_options)
    for ours, theirs in zip(first[:3], second[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
