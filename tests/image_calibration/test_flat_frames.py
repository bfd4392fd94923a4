"""Flats as they come: masks, types, pointings; and their classes by all that."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.image_calibration.files import read_planes
from tests.image_calibration.flat_files import (
    FOUND_AS,
    SHAPE,
    flat,
    kinds_of,
    maker,
    outcome,
    run,
    write_flat_set,
    write_flats,
)


@pytest.fixture
def flat_set(here):
    return write_flat_set()


class TestPixelsAndHeaders:
    def test_saturated_frames_are_a_class_of_their_own(self, flat_set):
        result = run(maker(), flat_set)
        assert result["saturated"] == ["flat08.fits"]
        # no more than the limit is allowed
        share = 200 / (24 * 32)
        for limit, kind in ((share, "high"), (share * 0.999, "saturated")):
            call = {"max_saturated_fraction": limit}
            assert kinds_of(run(maker(), flat_set, stamp_select_config=call))["flat08.fits"] == kind

    @pytest.mark.parametrize("bit", [16, 32, 48])
    def test_leaked_pixels_count_as_saturated(self, here, bit):
        masks = np.zeros((12, *SHAPE), np.uint8)
        masks[4, 20:30, 20:40] = bit
        files = write_flats([flat("high", number) for number in range(12)], masks)
        assert run(maker(), files)["saturated"] == [files[4]]

    @pytest.mark.parametrize("place", [(0, 0), (13, 40), (41, 60), (47, 63)])
    def test_a_pixel_masked_in_all_frames_does_not_hide_clouds(self, place):
        kinds = ["high"] * 12 + ["cloudy"] + ["low"] * 6
        masks = np.zeros((len(kinds), *SHAPE), np.uint8)
        masks[:, place[0], place[1]] = 2
        files = write_flats([flat(kind, n) for n, kind in enumerate(kinds)], masks)
        result = run(maker(), files)
        assert kinds_of(result) == dict(zip(files, kinds, strict=True))
        assert result.success == {"high": True, "low": True}
        for kind in ("high", "low"):
            found = read_planes(f"{kind}.fits")
            assert found.mask[place] == 127
            assert np.isnan(found.image[place])
            assert np.isnan(found.image).sum() == 1

    @pytest.mark.parametrize("where", ["all", "one"])
    def test_a_pixel_that_is_not_a_number_spoils_no_other(self, where):
        kinds = ["high"] * 12 + ["cloudy"] + ["low"] * 6
        images = np.array([flat(kind, n) for n, kind in enumerate(kinds)], np.float32)
        images[slice(None) if where == "all" else 3, 20, 30] = np.nan
        masks = np.where(np.isnan(images), 1, 0).astype(np.uint8)
        files = write_flats(images, masks)
        result = run(maker(), files)
        assert kinds_of(result) == dict(zip(files, kinds, strict=True))
        found = read_planes("high.fits")
        assert np.isnan(found.image).sum() == (where == "all")
        assert (found.mask != 0).sum() == (where == "all")

    @pytest.mark.parametrize(
        ("fewest", "expected"), [(1, [0, 127]), (2, [0, 127]), (3, [127, 127])]
    )
    def test_pixels_with_too_few_values_are_bad(self, fewest, expected):
        masks = np.zeros((17, *SHAPE), np.uint8)
        masks[2:, 5, 6] = 2
        masks[1:, 7, 8] = 2
        files = write_flats([flat("high", number) for number in range(17)], masks)
        stack = {"master_stack_options": {"min_valid_values": fewest}}
        run(maker(), files, master_stack_config=stack)
        found = read_planes("high.fits")
        assert [found.mask[5, 6], found.mask[7, 8]] == expected
        assert (found.mask != 0).sum() == sum(bit == 127 for bit in expected)

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int32])
    def test_files_of_any_type_make_the_same_masters(self, here, dtype):
        kinds = ["high"] * 11 + ["low"] * 5
        images = [np.rint(flat(kind, n)) for n, kind in enumerate(kinds)]
        before = outcome(run(maker(), write_flats(images, name="same{:02d}.fits")))
        for file in here.glob("same*"):
            file.unlink()
        files = write_flats([image.astype(dtype) for image in images], name="same{:02d}.fits")
        assert outcome(run(maker(), files)) == before
        assert read_planes("high.fits").image.dtype.kind == "f"

    def test_frames_of_several_filters_are_refused_by_name(self, here):
        cards = [{"FILTER": "R" if n == 7 else "V"} for n in range(12)]
        files = write_flats([flat("high", n) for n in range(12)], cards=cards)
        with pytest.raises(aw.ImageMismatchError, match=r"flat07\.fits has FILTER 'R', .* has 'V'"):
            run(maker(), files)

    def test_frames_may_be_without_masks_and_errors(self, here):
        files = [f"flat{number:02d}.fits" for number in range(12)]
        for number, file in enumerate(files):
            fits.PrimaryHDU(flat("high", number), fits.Header({"IMAGETYP": "flat"})).writeto(file)
        result = run(maker(), files)
        assert result["high"] == files
        assert not read_planes("high.fits").mask.any()

    @pytest.mark.parametrize("missing", ["RA", "DEC"])
    @pytest.mark.parametrize("number", [1, 3])
    def test_frames_that_do_not_state_their_pointing_are_not_tested_and_noted(
        self, here, missing, number
    ):
        cards = [{missing: None} if n < number else {} for n in range(12)]
        files = write_flats([flat("high", n) for n in range(12)], cards=cards)
        result = run(maker(), files)
        assert result["high"] == files
        (note,) = result.frames.attrs["notes"]
        assert f"no pointing (RA, DEC) in {number} of 12 frames" in note

    def test_all_frames_may_be_without_pointings(self, here):
        cards = [{"RA": None, "DEC": None}] * 12
        result = run(maker(), write_flats([flat("high", n) for n in range(12)], cards=cards))
        assert len(result["high"]) == 12
        assert any("(RA, DEC) in all frames" in note for note in result.frames.attrs["notes"])
        # nobody asked
        config = {"min_pointing_separation": None}
        result = run(maker(), result["high"], master_stack_config=config)
        assert not result.frames.attrs["notes"]

    @pytest.mark.parametrize(
        "pointings",
        [
            [(5.0, 10.0), (5.0 + 140 / 15 / 3600, 10.0)],
            [(5.0, 10.0), (5.0, 10.0 + 140 / 3600)],
            [(23.9999, 10.0), (0.00001, 10.0)],
            [("05:00:00", "+10:00:00"), ("05:00:05", "+10:00:00")],
            [(0.0, 89.99), (12.0, 89.99)],
        ],
        ids=["hours", "degrees", "midnight", "text", "pole"],
    )
    def test_frames_that_point_alike_are_overlapping(self, here, pointings):
        cards = [{} for _ in range(12)]
        for number, (ra, dec) in zip((3, 7), pointings, strict=True):
            cards[number] = {"RA": ra, "DEC": dec}
        files = write_flats([flat("high", n) for n in range(12)], cards=cards)
        result = run(maker(), files)
        assert result["colocated"] == [files[3], files[7]]
        make = maker()
        isolated, colocated = make._find_colocated(files)
        assert colocated == [files[3], files[7]]
        assert isolated == [file for file in files if file not in colocated]

    def test_the_stamps_alone_give_four_classes(self, flat_set):
        high, low, medium, cloudy = maker()._classify_from_stamps(list(flat_set), None, None)
        kinds = {file: kind for file, kind in flat_set.items() if kind != "saturated"}
        # neither pointings nor whole frames are looked at
        alike = {"cloudy": "high", "colocated": "high", **FOUND_AS}
        expected = {file: alike.get(kind, kind) for file, kind in kinds.items()}
        for kind, files in (("high", high), ("low", low), ("medium", medium), ("cloudy", cloudy)):
            assert files == [file for file in kinds if expected[file] == kind]
