"""Master flats from files: what is made of how many frames, and always the same."""

import json
import pickle

import dask
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

import autowisp_xr as aw
from autowisp_xr.image_calibration import MasterFlatMaker
from tests.image_calibration.files import header_of, read_planes
from tests.image_calibration.flat_files import (
    CLASSES,
    SHAPE,
    STACK,
    expected_kinds,
    flat,
    kinds_of,
    maker,
    options,
    outcome,
    response,
    run,
    write_flat_set,
    write_flats,
)


@pytest.fixture
def flat_set(here):
    return write_flat_set()


def slow_master(files, reference_files, given):
    """Image, error and number of values by the formulas of the documentation, one line each."""
    stacks = [given["master_stack_config"][f"{n}_stack_options"] for n in ("large_scale", "master")]

    def average(images, stack):
        return aw.iterative_rejection_average(
            np.array(images), stack["outlier_threshold"], max_iter=stack["max_iter"]
        )

    def masked(image, mask):
        return np.where(mask & 127, np.nan, image)

    pixels = {name: read_planes(name) for name in {*files, *reference_files}}
    reference = average(
        [masked(pixels[name].image, pixels[name].mask) for name in reference_files], stacks[0]
    )[0]
    scaled = []
    for name in files:
        image, _, mask = pixels[name]
        corrected = image * given["large_scale_smoother"].smooth(reference / image)
        clouds = given["cloud_check_smoother"].smooth(corrected / reference - 1)
        if np.abs(clouds).max() <= given["master_stack_config"]["large_scale_deviation_threshold"]:
            scaled.append(masked(corrected / corrected.mean(), mask))
    return average(scaled, stacks[1])


class TestWhatIsMade:
    def test_frames_are_sorted_into_classes_in_their_order(self, flat_set):
        result = run(maker(), flat_set)
        assert result.success == {"high": True, "low": True}
        assert tuple(result.classes) == CLASSES
        assert kinds_of(result) == expected_kinds(flat_set)
        for files in result.classes.values():
            assert files == sorted(files)

    @pytest.mark.parametrize("kind", ["high", "low"])
    def test_values_errors_and_masks_are_those_of_the_formulas(self, flat_set, kind):
        files = [file for file in flat_set if flat_set[file] == kind]
        high = [file for file in flat_set if flat_set[file] in ("high", "cloudy")]
        run(maker(), flat_set)
        found = read_planes(f"{kind}.fits")
        values, stdev, number = slow_master(files, high, options())
        np.testing.assert_allclose(found.image, values, rtol=1e-12)
        np.testing.assert_allclose(found.error, stdev, rtol=1e-7)
        np.testing.assert_array_equal(found.mask, np.where(number < 3, 127, 0))
        assert found.mask.dtype == np.uint8

    def test_masters_are_the_response_of_pixels_within_their_errors(self, flat_set):
        run(maker(), flat_set)
        small = response() / median_filter(response(), 9)
        inner = np.s_[6:-6, 6:-6]
        for kind in ("high", "low"):
            found = read_planes(f"{kind}.fits")
            ratio = found.image / median_filter(found.image, 9)
            pulls = ((ratio - small) / found.error)[inner]
            # errors are those of a mean; the average is a median of few, and the filter adds some
            assert 0.8 < np.median(np.abs(pulls)) / 0.6745 < 2
            assert np.corrcoef(ratio[inner].ravel(), small[inner].ravel())[0, 1] > 0.7

    def test_both_masters_have_the_large_scale_shape_of_the_high_frames(self, here):
        y = np.linspace(0.7, 1.3, SHAPE[0])[:, None]
        kinds = ["high"] * 11 + ["low"] * 6
        # light falls on the low ones from above, and on the high ones from below
        images = [flat(kind, n) * (y if kind == "low" else 2 - y) for n, kind in enumerate(kinds)]
        limits = {"max_low_mean": 4e3, "cloudy_frame_threshold": None}
        # thirty percent of slope make more of a difference than a good night
        config = {"large_scale_deviation_threshold": None}
        make = maker(stamp_select_config=limits, master_stack_config=config)
        result = run(make, write_flats(images))
        assert {kind: len(files) for kind, files in result.items() if files} == {
            "high": 11,
            "low": 6,
        }
        ratio = read_planes("low.fits").image / read_planes("high.fits").image
        third = SHAPE[0] // 3
        assert ratio[:third].mean() == pytest.approx(ratio[-third:].mean(), rel=0.03)
        raw = images[12] / images[0]
        assert raw[:third].mean() < 0.7 * raw[-third:].mean()

    def test_the_result_is_a_pair_and_a_dictionary(self, flat_set):
        result = run(maker(), flat_set)
        success, classes = result
        assert (result.success, result.classes) == (success, classes) == tuple(result)
        assert len(result) == 2
        assert result[0] is success
        assert result["saturated"] == classes["saturated"] == ["flat08.fits"]
        assert dict(result.items()) == classes
        assert [*result.keys()] == [*CLASSES]
        assert [*result.values()] == [*classes.values()]
        assert "low" in result
        assert "dome" not in result
        assert result.get("dome", []) == []
        with pytest.raises(KeyError):
            result["dome"]
        assert json.loads(json.dumps(result)) == [success, classes]
        again = pickle.loads(pickle.dumps(result))
        assert (again.success, again["high"]) == (success, classes["high"])

    def test_the_table_states_why(self, flat_set):
        frames = run(maker(), flat_set).frames
        reasons = dict(zip(flat_set, frames["reason"].values.tolist(), strict=True))
        for file, kind in flat_set.items():
            word = {
                "colocated": "arcsec from flat",
                "saturated": "of its stamp is saturated, more than 0.01",
                "noisy": "lies",
                "cloudy": "structure of",
                "medium": "between 3000 and 6000",
                "low": "below 3000",
                "high": "above 6000",
            }[kind]
            assert word in reasons[file], reasons[file]

    def test_the_header_states_how_it_was_made(self, flat_set):
        config = {"master_stack_options": {**STACK, "add_averaged_keywords": ["JD-OBS"]}}
        result = run(maker(master_stack_config=config), flat_set)
        for kind in ("high", "low"):
            header = header_of(f"{kind}.fits")
            files = result[kind]
            cards = {
                **{"IMAGETYP": "masterflat", "CLRCHNL": "R", "CAMSN": "A7", "EXPTIME": 4.0},
                **{"NUMFCOMB": len(files), "OUTLTHRS": "(2.0, -2.1)", "AVRGFUNC": "nanmedian"},
                **{"MINAVGPX": 3, "MAXREJIT": 2, "XCLUDMSK": "BAD", "DEC": 20.0},
                **{f"ORIGF{number:03d}": file for number, file in enumerate(files)},
            }
            assert {key: header.get(key) for key in cards} == cards
            assert "RA" not in header
            assert f"ORIGF{len(files):03d}" not in header
            # the rejection average of the numbers of these frames
            numbers = [2460370.9 + int(file[4:6]) / 1000 for file in files]
            averaged = aw.iterative_rejection_average(np.array(numbers), (2.0, -2.1), max_iter=2)[0]
            assert header["JD-OBS"] == pytest.approx(averaged, abs=1e-8)

    def test_frames_are_only_read_and_nothing_else_is_written(self, flat_set, here):
        before = {path.name: path.read_bytes() for path in here.iterdir()}
        run(maker(), flat_set)
        after = {path.name: path.read_bytes() for path in here.iterdir()}
        assert {name: after.pop(name) for name in before} == before
        assert sorted(after) == ["high.fits", "low.fits"]

    def test_the_errors_of_frames_do_not_matter(self, flat_set):
        before = outcome(run(maker(), flat_set))
        for file in flat_set:
            with fits.open(file, mode="update") as hdus:
                hdus[1].data[:] = 77
        assert outcome(run(maker(), flat_set)) == before


class TestHowMany:
    @pytest.mark.parametrize(("number", "made"), [(9, False), (10, True), (11, True)])
    def test_as_many_high_frames_as_asked_for_are_enough(self, here, number, made):
        result = run(maker(), write_flat_set(["high"] * number + ["low"] * 6))
        # without a reference there is no low master, either
        assert result.success == {"high": made, "low": made}
        assert (here / "high.fits").exists() == (here / "low.fits").exists() == made
        assert len(result["high"]) == number
        assert len(result["low"]) == 6

    @pytest.mark.parametrize(("number", "made"), [(4, False), (5, True)])
    def test_as_many_low_frames_as_asked_for_are_enough(self, here, number, made):
        result = run(maker(), write_flat_set(["high"] * 11 + ["low"] * number))
        assert result.success == {"high": True, "low": made}
        assert (here / "low.fits").exists() == made
        assert len(result["low"]) == number

    def test_clouds_found_late_may_leave_too_few(self, here):
        flat_set = write_flat_set(["high"] * 9 + ["cloudy"] * 2 + ["low"] * 6)
        result = run(maker(), flat_set)
        assert kinds_of(result) == flat_set
        # the reference was made of eleven, which is enough for the low master
        assert result.success == {"high": False, "low": True}
        assert not (here / "high.fits").exists()

    def test_no_frame_at_all_makes_nothing(self, here):
        result = run(maker(), [])
        assert result == ({"high": False, "low": False}, {kind: [] for kind in CLASSES})
        assert not list(here.iterdir())

    def test_one_frame_can_be_both_reference_and_master(self, here):
        (file,) = write_flats([flat("high", 1)])
        stack = {"min_valid_values": 1, "max_iter": 0}
        stacks = {"large_scale_stack_options": stack, "master_stack_options": {**STACK, **stack}}
        config = {"min_high_combine": 1, "min_low_combine": 1, **stacks}
        result = run(maker(master_stack_config=config), [file])
        assert result.success == {"high": True, "low": False}
        assert result["high"] == [file]
        # a fit of one frame shows nothing of clouds
        assert any("too few frames" in note for note in result.frames.attrs["notes"])
        found = read_planes("high.fits")
        image = read_planes(file).image.astype(np.float64)
        np.testing.assert_allclose(found.image, image / image.mean(), rtol=1e-9)
        # of a single value there is no error
        assert (found.mask == 127).all()
        assert np.isnan(found.error).all()

    def test_one_frame_is_too_few_by_default(self):
        result = MasterFlatMaker()(write_flats([flat("high", 1)]), "high.fits", "low.fits")
        assert result.success == {"high": False, "low": False}

    def test_frames_that_are_masked_everywhere_make_nothing(self):
        images = [flat("high", number) for number in range(12)]
        files = write_flats(images, np.full((12, *SHAPE), 16, np.uint8))
        result = run(maker(), files)
        assert result["saturated"] == files
        assert result.success == {"high": False, "low": False}

    def test_frames_that_are_faulty_everywhere_make_a_master_without_a_value(self):
        images = [flat("high", number) for number in range(12)]
        files = write_flats(images, np.full((12, *SHAPE), 2, np.uint8))
        result = run(maker(), files)
        # as in the original, flagged pixels take part in all but the stacks
        assert kinds_of(result).keys() == {*files}
        if result.success["high"]:
            found = read_planes("high.fits")
            assert np.isnan(found.image).all()
            assert (found.mask == 127).all()
        else:
            assert not result["high"]

    def test_frames_without_a_number_make_nothing(self):
        files = write_flats([np.full(SHAPE, np.nan, np.float32)] * 12)
        result = run(maker(), files)
        assert result.success == {"high": False, "low": False}
        assert result["high"] == result["low"] == []

    def test_a_cloudy_night_has_cloudy_frames_only(self, flat_set, here):
        result = run(maker(), flat_set, stamp_select_config={"cloudy_night_threshold": 1.0})
        assert result.success == {"high": False, "low": False}
        assert {*kinds_of(result).values()} == {"cloudy", "colocated", "saturated"}
        assert not (here / "high.fits").exists()


class TestSameBits:
    def test_a_second_run_gives_the_same(self, flat_set):
        make = maker()
        first = outcome(run(make, flat_set))
        assert outcome(run(make, flat_set)) == first
        assert outcome(run(maker(), flat_set)) == first

    @pytest.mark.parametrize(
        "how",
        [
            {"scheduler": "synchronous"},
            {"scheduler": "threads", "num_workers": 1},
            {"scheduler": "threads", "num_workers": 5},
            {"array.chunk-size": "8kiB"},
        ],
        ids=str,
    )
    def test_threads_and_chunks_change_nothing(self, flat_set, how):
        first = outcome(run(maker(), flat_set))
        with dask.config.set(how):
            assert outcome(run(maker(), flat_set)) == first

    def test_what_was_made_before_does_not_matter(self, flat_set, here):
        first = outcome(run(maker(), flat_set))
        other = write_flat_set(["high"] * 11 + ["low"] * 6, seed=3, name="other{:02d}.fits")
        make = maker()
        run(make, other)
        assert outcome(run(make, flat_set)) == first


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(17)), seed=st.integers(0, 30))
def test_the_order_of_frames_changes_neither_classes_nor_masters(tmp_path_factory, order, seed):
    folder = tmp_path_factory.mktemp("order")
    kinds = ["high"] * 10 + ["cloudy", "noisy", "medium"] + ["low"] * 4
    files = list(write_flat_set(kinds, seed=seed, name=str(folder / "flat{:02d}.fits")))
    config = {"min_low_combine": 4, "min_high_combine": 9}
    stack = {"outlier_threshold": 1.9}
    results = []
    for number, names in enumerate((files, [files[n] for n in order])):
        masters = [folder / f"{kind}{number}.fits" for kind in ("high", "low")]
        result = maker(master_stack_config=config)(
            names, *masters, master_stack_config={"master_stack_options": stack}
        )
        results.append((result, [read_planes(m) for m in masters if m.exists()]))
    (first, before), (second, after) = results
    assert kinds_of(first) == kinds_of(second)
    assert first.success == second.success
    assert first.success["high"]
    for ours, theirs in zip(before, after, strict=True):
        np.testing.assert_allclose(ours.image, theirs.image, rtol=1e-10)
        np.testing.assert_array_equal(ours.mask, theirs.mask)


@settings(max_examples=8, deadline=None)
@given(factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]), seed=st.integers(0, 30))
def test_the_unit_of_the_pixels_does_not_change_masters(tmp_path_factory, factor, seed):
    folder = tmp_path_factory.mktemp("unit")
    kinds = ["high"] * 11 + ["cloudy"] + ["low"] * 5
    found = []
    for unit in (1.0, factor):
        images = [unit * flat(kind, 50 * seed + n) for n, kind in enumerate(kinds)]
        files = write_flats(images, name=str(folder / f"{unit}-{{:02d}}.fits"))
        limits = {"min_high_mean": 6e3 * unit, "max_low_mean": 3e3 * unit}
        make = maker(stamp_select_config={**limits, "cloudy_night_threshold": None})
        high, low = folder / f"high{unit}.fits", folder / f"low{unit}.fits"
        result = make(files, high, low)
        assert result.success == {"high": True, "low": True}
        found.append(([kinds_of(result)[file] for file in files], read_planes(high)))
    (before, ours), (after, theirs) = found
    assert before == after
    np.testing.assert_allclose(ours.image, theirs.image, rtol=1e-9)
