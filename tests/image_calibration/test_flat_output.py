"""The files and headers of master flats, and the hook that flats pass on their way."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.image_calibration import MasterFlatMaker
from tests.image_calibration.files import header_of, read_planes
from tests.image_calibration.flat_files import (
    SHAPE,
    STACK,
    expected_kinds,
    is_compressed,
    kinds_of,
    maker,
    run,
    write_flat_set,
)


@pytest.fixture
def flat_set(here):
    return write_flat_set()


class TestOutput:
    @pytest.mark.parametrize(
        ("in_object", "in_call_config", "in_call", "compressed"),
        [
            ({}, {}, {}, True),
            ({"compress": None}, {}, {}, False),
            ({"compress": 16}, {}, {}, True),
            ({"compress": None}, {"compress": 8}, {}, True),
            ({"compress": 16}, {"compress": None}, {}, False),
            ({"compress": 16}, {"compress": 8}, {"compress": None}, False),
            ({"compress": None}, {"compress": None}, {"compress": True}, True),
            ({"compress": True}, {}, {"compress": False}, False),
        ],
        ids=str,
    )
    def test_compression_is_that_of_the_call_its_options_or_the_object(
        self, flat_set, in_object, in_call_config, in_call, compressed
    ):
        stack = {name: value for name, value in STACK.items() if name != "compress"}
        config = {"master_stack_options": {**stack, **in_object}}
        result = run(
            maker(master_stack_config=config),
            flat_set,
            master_stack_config={"master_stack_options": in_call_config},
            **in_call,
        )
        assert result.success == {"high": True, "low": True}
        assert is_compressed("high.fits") == is_compressed("low.fits") == compressed

    def test_the_level_of_compression_is_that_of_the_call(self, flat_set):
        run(maker(), flat_set)
        exact = read_planes("high.fits").image
        off = {}
        for level in (1, 16, True, 200):
            run(maker(), flat_set, compress=level)
            off[str(level)] = np.abs(read_planes("high.fits").image - exact).max()
        assert off["1"] > 5 * off["16"] > 25 * off["200"] > 0
        assert off["True"] == off["16"]

    @pytest.mark.parametrize(
        ("in_object", "in_call_config", "in_call", "allowed"),
        [
            ({}, {}, {}, False),
            ({"allow_overwrite": True}, {}, {}, True),
            ({"allow_overwrite": True}, {"allow_overwrite": False}, {}, False),
            ({"allow_overwrite": False}, {"allow_overwrite": True}, {}, True),
            ({"allow_overwrite": True}, {}, {"allow_overwrite": False}, False),
            ({}, {"allow_overwrite": False}, {"allow_overwrite": True}, True),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("existing", ["high", "low"])
    def test_overwriting_is_up_to_the_call_its_options_or_the_object(
        self, flat_set, here, in_object, in_call_config, in_call, allowed, existing
    ):
        (here / f"{existing}.fits").write_text("mine")
        make = maker(master_stack_config={"master_stack_options": {**STACK, **in_object}})
        call = {"master_stack_config": {"master_stack_options": in_call_config}, **in_call}
        if allowed:
            make(list(flat_set), "high.fits", "low.fits", **call)
            assert read_planes(f"{existing}.fits").image.shape == SHAPE
            return
        with pytest.raises(FileExistsError, match=rf"'{existing}\.fits' exists already"):
            make(list(flat_set), "high.fits", "low.fits", **call)
        assert (here / f"{existing}.fits").read_text() == "mine"
        assert len(list(here.iterdir())) == len(flat_set) + 1

    @pytest.mark.parametrize("existing", ["high", "low"])
    def test_existing_files_are_refused_before_anything_is_read(self, here, existing):
        (here / f"{existing}.fits").write_text("mine")
        with pytest.raises(FileExistsError, match=existing):
            maker()(["nowhere.fits"], "high.fits", "low.fits")

    def test_a_file_that_is_only_possible_is_refused_too(self, flat_set, here):
        # though no low master is made in the end
        (here / "low.fits").write_text("mine")
        high = [file for file in flat_set if flat_set[file] == "high"]
        with pytest.raises(FileExistsError, match="low"):
            maker()(high, "high.fits", "low.fits")
        assert not (here / "high.fits").exists()

    @pytest.mark.parametrize("low", ["flat.fits", "./flat.fits", "CAL/../flat.fits"])
    def test_one_name_for_both_is_refused(self, flat_set, low):
        with pytest.raises(ValueError, match=r"the high and the low master would both be"):
            maker()(list(flat_set), "flat.fits", low)

    @pytest.mark.parametrize("output", ["high", "low"])
    def test_no_input_is_ever_replaced(self, flat_set, here, output):
        names = {"high": "high.fits", "low": "low.fits", output: "flat03.fits"}
        templates = {
            f"{kind}_master_fname": "flat{NUMBER:02d}.fits" if kind == output else name
            for kind, name in names.items()
        }
        before = (here / "flat03.fits").read_bytes()
        with pytest.raises(FileExistsError, match="one of the files that are read"):
            maker()(list(flat_set), names["high"], names["low"], allow_overwrite=True)
        with pytest.raises(FileExistsError, match="one of the files that are read"):
            maker()(list(flat_set), **templates, allow_overwrite=True, custom_header={"NUMBER": 3})
        assert (here / "flat03.fits").read_bytes() == before

    def test_names_are_filled_from_the_header_of_the_master(self, flat_set, here):
        result = maker()(
            list(flat_set),
            "MASTERS/{IMAGETYP}_{CLRCHNL}.fits",
            "MASTERS/low_{CAMSN}_{NUMFCOMB}.fits",
        )
        assert result.success == {"high": True, "low": True}
        found = sorted(path.name for path in (here / "MASTERS").iterdir())
        assert found == ["low_A7_6.fits", "masterflat_R.fits"]

    def test_paths_and_generators_will_do(self, flat_set, here):
        result = maker()((here / file for file in flat_set), here / "high.fits", here / "low.fits")
        assert result.success == {"high": True, "low": True}
        assert result["low"] == [str(here / file) for file in flat_set if flat_set[file] == "low"]

    def test_a_custom_header_goes_to_both_masters_before_all_else(self, flat_set):
        custom = {"OBSERVER": ("me", "who it was"), "CAMSN": "B8", "AVRGFUNC": "by hand"}
        run(maker(), flat_set, custom_header=custom)
        for kind in ("high", "low"):
            header = header_of(f"{kind}.fits")
            assert (header["OBSERVER"], header["CAMSN"]) == ("me", "B8")
            assert header["AVRGFUNC"] == "by hand"
            assert header.comments["OBSERVER"] == "who it was"
            assert header.count("CAMSN") == 1
        assert custom["OBSERVER"] == ("me", "who it was")

    @pytest.mark.parametrize("compress", [None, 16, True])
    def test_compressed_masters_are_read_by_astropy_and_fitsio(self, flat_set, compress):
        fitsio = pytest.importorskip("fitsio")
        make = maker()
        make(list(flat_set), "high.fits.fz", "low.fits.fz", compress=compress)
        exact = maker()
        exact(list(flat_set), "high.fits", "low.fits", compress=None)
        for kind in ("high", "low"):
            name = f"{kind}.fits.fz"
            assert is_compressed(name)
            ours, plain = read_planes(name), read_planes(f"{kind}.fits")
            np.testing.assert_array_equal(ours.mask, plain.mask)
            step = 0 if compress is None else plain.image.std() / 8
            np.testing.assert_allclose(ours.image, plain.image, rtol=0, atol=step)
            with fitsio.FITS(name) as hdus:
                full = [hdu.read() for hdu in hdus if hdu.has_data()]
            for theirs, plane in zip(full, ours, strict=True):
                np.testing.assert_array_equal(theirs, plane)
            opened = aw.open_fits(name)
            np.testing.assert_array_equal(opened["mask"].values[0, 0], plain.mask)

    def test_the_history_names_frames_and_steps(self, flat_set):
        run(maker(), flat_set)
        records = aw.open_fits("high.fits").autowisp.history()
        (opened,) = (step for step in records if step["verb"] == "open_planes")
        # those that were left out were read, and are no part of it
        paths = [file["path"] for file in opened["inputs"]]
        assert paths == [path for path in flat_set if path in paths]
        assert len(paths) == len(records[-1]["frames"]) < len(flat_set)
        assert all(len(file["sha256"]) == 64 for file in opened["inputs"])
        assert records[-1]["verb"] == "stack"
        assert "normalise" in [step["verb"] for step in records]


class TestHook:
    def test_frames_for_which_it_returns_none_are_cloudy(self, flat_set, here):
        class Choosy(MasterFlatMaker):
            def prepare_for_stacking(self, image):
                prepared = super().prepare_for_stacking(image)
                return None if abs(image.mean() - bad) < 1e-9 else prepared

        bad = read_planes("flat02.fits").image.mean(dtype=np.float64)
        result = run(maker(Choosy), flat_set)
        assert kinds_of(result) == {**expected_kinds(flat_set), "flat02.fits": "cloudy"}
        header = header_of("high.fits")
        assert header["NUMFCOMB"] == 12
        assert "flat02.fits" not in list(header.values())
        reasons = dict(zip(flat_set, result.frames["reason"].values.tolist(), strict=True))
        assert "prepare_for_stacking" in reasons["flat02.fits"]

    def test_an_image_that_it_changes_is_stacked_so(self, flat_set):
        class Doubled(MasterFlatMaker):
            def prepare_for_stacking(self, image):
                prepared = super().prepare_for_stacking(image)
                return None if prepared is None else 2 * prepared

        plain, doubled = run(maker(), flat_set), None
        before = {kind: read_planes(f"{kind}.fits") for kind in ("high", "low")}
        doubled = run(maker(Doubled), flat_set)
        assert doubled == plain
        for kind, planes in before.items():
            found = read_planes(f"{kind}.fits")
            np.testing.assert_allclose(found.image, 2 * planes.image, rtol=1e-12)
            np.testing.assert_allclose(found.error, 2 * planes.error, rtol=1e-7)
            np.testing.assert_array_equal(found.mask, planes.mask)

    def test_a_hook_that_only_calls_ours_changes_nothing(self, flat_set):
        class Same(MasterFlatMaker):
            def prepare_for_stacking(self, image):
                return super().prepare_for_stacking(image)

        plain = run(maker(), flat_set)
        before = {kind: read_planes(f"{kind}.fits") for kind in ("high", "low")}
        assert run(maker(Same), flat_set) == plain
        for kind, planes in before.items():
            found = read_planes(f"{kind}.fits")
            np.testing.assert_allclose(found.image, planes.image, rtol=1e-13)
            np.testing.assert_allclose(found.error, planes.error, rtol=1e-9)

    def test_an_object_may_have_a_hook_of_its_own(self, flat_set):
        make = maker()
        make.prepare_for_stacking = lambda image: image / np.median(image)
        result = run(make, flat_set)
        # it does not look for clouds
        assert kinds_of(result) == expected_kinds(flat_set, cloudy="high")
        images = [read_planes(file) for file in result["high"]]
        scaled = [np.where(p.mask, np.nan, p.image / np.median(p.image)) for p in images]
        values = aw.iterative_rejection_average(np.array(scaled), (2.0, -2.1), max_iter=2)[0]
        np.testing.assert_allclose(read_planes("high.fits").image, values, rtol=1e-6)

    def test_it_may_leave_out_all(self, flat_set, here):
        class Never(MasterFlatMaker):
            def prepare_for_stacking(self, image):
                return None

        result = run(maker(Never), flat_set)
        assert result.success == {"high": False, "low": False}
        assert result["high"] == result["low"] == []
        assert not (here / "high.fits").exists()

    @pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f4", "<u2", ">i4"])
    def test_it_takes_images_of_any_type_and_leaves_them_as_they_are(self, flat_set, dtype):
        make = maker()
        result = run(make, flat_set)
        image = np.rint(read_planes(result["high"][0]).image).astype(dtype)
        image.flags.writeable = False
        before = image.tobytes()
        found = make.prepare_for_stacking(image)
        expected = make.prepare_for_stacking(image.astype(np.float64))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.dtype == np.float64
        assert found.mean() == pytest.approx(1)
        assert image.tobytes() == before
        # every second pixel of an array of twice the size
        strided = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)[::2, ::2]
        np.testing.assert_array_equal(make.prepare_for_stacking(strided), found)
