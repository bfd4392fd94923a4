import os
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.bridge import planner
from autowisp_xr.frames.parallel_writing import Writing
from autowisp_xr.matching import Matching
from tests.night.conftest import SHAPE
from tests.night.reducing import reduce


@pytest.fixture(scope="module")
def reduced(tmp_path_factory, sky):
    """A whole night, reduced once."""
    top = tmp_path_factory.mktemp("night")
    flats = sky.flat(4), sky.flat(3, filter="R", start=11)
    darks = sky.dark(4), sky.dark(3, exposure=5, start=11)
    science = sky.objects(3), sky.objects(1, filter="R", start=11)
    for frames in (sky.bias(5), *darks, *flats, *science):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    return top, aw.reduce(top / "raw", top / "out", camera=sky.camera)


def test_every_master_and_frame_of_a_night_is_made(reduced):
    top, summary = reduced
    assert [made.what for made in summary.made] == [
        "master bias",
        "master dark_60s",
        "master dark_5s",
        "master flat_V",
        "master flat_R",
        "calibrated V_60s",
        "calibrated R_60s",
    ]
    assert summary.left_out == summary.failed == {}
    assert sorted(path.name for path in (top / "out").iterdir()) == [
        "calibrated",
        "masters",
        "night.zarr",
        "summary.txt",
    ]
    files = sorted(str(p.relative_to(top / "out")) for p in (top / "out").rglob("object*.fits"))
    assert files == [
        "calibrated/R_60s/object-0011.fits",
        "calibrated/V_60s/object-0001.fits",
        "calibrated/V_60s/object-0002.fits",
        "calibrated/V_60s/object-0003.fits",
    ]


def test_every_input_is_in_the_summary_exactly_once(reduced):
    top, summary = reduced
    named = [path for made in summary.made for path in made.inputs]
    named += [*summary.left_out, *summary.failed]
    assert sorted(named) == sorted(str(path) for path in (top / "raw").iterdir())


def test_it_gives_what_the_verbs_give(reduced, sky):
    top, _ = reduced
    raw = aw.open_fits(top / "raw", camera=sky.camera)
    raw_dark = raw.autowisp.where_type("dark")
    raw_flat = raw.autowisp.where_type("flat")
    raw_science = raw.autowisp.where_type("object")
    bias = aw.master_bias(raw.autowisp.where_type("bias"))
    darks = {
        exposure: aw.master_dark(
            raw_dark.isel(frame=np.flatnonzero(raw_dark.exposure == exposure)), bias=bias
        )
        for exposure in (5.0, 60.0)
    }
    visual = np.flatnonzero([name == "V" for name in raw_flat["filter"].values.tolist()])
    flat = aw.master_flat(raw_flat.isel(frame=visual), bias=bias, dark=darks[5.0]).high
    visual = np.flatnonzero([name == "V" for name in raw_science["filter"].values.tolist()])
    defects = aw.measure.defects(
        biases=raw.autowisp.where_type("bias"), darks=raw_dark, flats=raw_flat
    )
    expected = aw.calibrate(
        raw_science.isel(frame=visual), bias=bias, dark=darks[60.0], flat=flat, masks=defects
    )
    expected = aw.flag_cold_pixels(expected).compute()
    found = aw.open_zarr(top / "out" / "night.zarr", group="calibrated/V_60s")
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
    with fits.open(top / "out" / "calibrated" / "V_60s" / "object-0002.fits") as hdus:
        np.testing.assert_array_equal(hdus[0].data, expected["image"].values[1, 0])
        np.testing.assert_array_equal(hdus["MASK"].data, expected["mask"].values[1, 0])


def test_running_it_again_makes_nothing_anew(reduced, sky, no_stack):
    top, first = reduced
    again = aw.reduce(top / "raw", top / "out", camera=sky.camera)
    assert str(again).replace("; up to date", "") == str(first)


@pytest.fixture
def no_stack(monkeypatch):
    """The stack kernel must not be called."""
    from autowisp_xr.stack import averaging

    def forbidden(*_, **__):
        raise AssertionError("something was stacked again")

    monkeypatch.setattr(averaging, "average_through_frames", forbidden)


def test_science_without_a_dark_of_its_exposure_is_left_out_with_the_reason(
    sky, write_night, tmp_path
):
    folder = write_night(sky.bias(3), sky.dark(3), sky.objects(2, exposure=90))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert {Path(path).name for path in summary.left_out} == {
        "object-0001.fits",
        "object-0002.fits",
    }
    (reason,) = set(summary.left_out.values())
    assert reason == (
        "no dark fits (dark_60s: exposed 60 s, not 90 s, which would scale it up); a dark of "
        "another exposure can be scaled: --scale-dark any"
    )
    assert reason in (tmp_path / "out" / "summary.txt").read_text()


def test_what_was_not_applied_is_reported(sky, write_night, tmp_path):
    summary = reduce(write_night(sky.objects(1)), tmp_path / "out", camera=sky.camera)
    (made,) = summary.made
    assert made.missing == dict.fromkeys(("bias", "dark", "flat"), "there is none")
    assert "; no bias, dark, flat (there is none)\n" in str(summary)


def test_a_group_that_fails_does_not_stop_the_others(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.objects(2))
    broken = folder / "object-0002.fits"
    broken.write_bytes(broken.read_bytes()[:-5000])
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert [made.what for made in summary.made] == ["master bias", "calibrated V_60s"]
    assert "object-0002.fits" in summary.left_out[str(broken)]


def test_without_gain_science_has_no_errors_and_the_remedy_is_named(sky, write_night, tmp_path):
    camera = aw.Camera(overscan=sky.camera.overscan, image_area=sky.camera.image_area)
    folder = write_night(sky.bias(3), sky.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=camera)
    assert [made.what for made in summary.made] == ["master bias", "calibrated V_60s"]
    assert summary.failed == {}


def test_two_sizes_in_one_night_go_to_folders_of_their_own(sky, write_night, tmp_path):
    other = simulate.Night(shape=(20, 30), overscan=0, seed=6)
    write_night(sky.bias(2), folder="raw")
    for frames in (other.bias(2, start=7),):
        folder = write_night(frames, folder="raw")
    summary = reduce(folder, tmp_path / "out")
    files = sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.fits")
    )
    assert files == ["30x20/masters/bias.fits", "72x40/masters/bias.fits"]
    assert len(summary.made) == 2


def test_a_mosaic_gives_a_file_for_each_colour(write_night, tmp_path):
    sky = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    frames = (sky.bias(3, split=False), sky.objects(1, split=False))
    summary = reduce(write_night(*frames), tmp_path / "out", camera=sky.camera)
    assert [Path(path).name for path in summary.made[-1].files] == [
        f"object-0001_{channel}.fits" for channel in ("R", "G1", "G2", "B")
    ]
    back = aw.open_fits(summary.made[-1].files)
    stored = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    np.testing.assert_array_equal(back["image"].values, stored["image"].values)


def test_a_directory_that_holds_something_else_is_refused_at_once(sky, write_night, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("do not lose")
    with pytest.raises(FileExistsError, match="was not made by an earlier run"):
        reduce(write_night(sky.bias(1)), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_results_do_not_go_among_raw_frames(sky, write_night, overwrite):
    night = write_night(sky.bias(1))
    with pytest.raises(FileExistsError, match=f"-o {night}-reduced$"):
        reduce(night, night, overwrite=overwrite)
    with pytest.raises(FileExistsError, match=r"choose another directory$"):
        reduce(night, night.parent)


def test_an_empty_directory_is_an_error_that_names_it(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty"):
        reduce(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_needs_a_master_that_failed_is_left_out(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2), sky.dark(2), sky.flat(2), sky.objects(1))
    camera = aw.Camera(gain=1, read_noise=1, overscan=["[100:120,1:2]"])
    summary = reduce(folder, tmp_path / "out", camera=camera)
    assert summary.made == []
    assert {Path(path).name for path in summary.failed} == {"bias-0001.fits", "bias-0002.fits"}
    assert set(summary.left_out.values()) == {"their master bias failed"}
    assert len(summary.left_out) == 5


@pytest.mark.parametrize("checksum", [True, False])
def test_a_frame_whose_pixels_are_damaged_does_not_take_its_group_along(
    sky, tmp_path, write_night, checksum
):
    folder = write_night(sky.bias(2))
    aw.to_fits(sky.objects(4), folder / "{RAWFNAME}.fits.fz")
    broken = folder / "object-0003.fits.fz"
    damage(broken)
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, checksum=checksum)
    assert [len(made.inputs) for made in summary.made] == [2, 3]
    assert list(summary.left_out) == [str(broken)]
    assert "object-0003.fits.fz" in summary.left_out[str(broken)]
    broken.unlink()
    again = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert [len(made.inputs) for made in again.made] == [2, 3]
    assert again.failed == {}


def damage(path):
    content = bytearray(path.read_bytes())
    content[-4000:] = np.random.default_rng(1).bytes(4000)
    path.write_bytes(content)


def test_a_group_of_damaged_frames_only_is_left_out_once(sky, tmp_path):
    aw.to_fits(sky.objects(2), tmp_path / "raw" / "{RAWFNAME}.fits.fz")
    for path in (tmp_path / "raw").iterdir():
        damage(path)
    # without sums to compare, it is found when its pixels are read
    summary = reduce(tmp_path / "raw", tmp_path / "out", camera=sky.camera, checksum=False)
    assert len(summary.left_out) == 2
    assert summary.made == []
    assert summary.failed == {}


def test_a_frame_damaged_later_does_not_cost_the_results_it_had(sky, tmp_path):
    aw.to_fits(sky.objects(3), tmp_path / "raw" / "{RAWFNAME}.fits.fz")
    reduce(tmp_path / "raw", tmp_path / "out", camera=sky.camera)
    damage(tmp_path / "raw" / "object-0002.fits.fz")
    # without sums to compare, it is found when its pixels are read
    summary = reduce(tmp_path / "raw", tmp_path / "out", camera=sky.camera, checksum=False)
    assert len(summary.failed) == 2
    assert [Path(path).name for path in summary.left_out] == ["object-0002.fits.fz"]
    kept = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert kept.sizes["frame"] == 3


def test_a_second_try_with_a_camera_takes_over_a_first_without(sky, write_night, tmp_path):
    folder = write_night(sky.objects(1))
    bare = aw.Camera(image_area=sky.camera.image_area)
    errors = []
    for camera in (bare, sky.camera, bare):
        summary = reduce(folder, tmp_path / "out", camera=camera)
        errors.append(aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s"))
        errors[-1] = bool(np.isnan(errors[-1]["variance"]).all())
    # but results with errors do not give way to such without
    assert errors == [True, False, False]
    assert "another camera" in next(iter(summary.failed.values()))


def test_results_of_another_camera_are_kept_until_they_may_be_replaced(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2))
    first = reduce(folder, tmp_path / "out", camera=sky.camera)
    other = aw.Camera(gain=2, read_noise=3)
    second = reduce(folder, tmp_path / "out", camera=other)
    assert "another camera" in next(iter(second.failed.values()))
    assert (tmp_path / "out" / "summary.txt").read_text() == str(first)
    third = reduce(folder, tmp_path / "out", camera=other, overwrite=True)
    assert [made.what for made in third.made] == ["master bias"]


def test_flats_without_a_good_pixel_are_no_master(sky, write_night, tmp_path):
    dead = sky.flat(2)
    dead["image"][..., : sky.shape[1]] = 0  # the overscan is as it was
    folder = write_night(sky.bias(2), dead, sky.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert [made.what for made in summary.made] == ["master bias"]
    assert "it has no good pixel" in next(iter(summary.failed.values()))
    assert set(summary.left_out.values()) == {"their master flat_V failed"}


def test_a_flat_of_a_closed_shutter_is_left_out_by_name(sky, write_night, tmp_path):
    taken = sky.flat(3)
    taken["image"][0] = sky.bias(1)["image"][0]
    summary = reduce(
        write_night(sky.bias(3), taken, sky.objects(1)), tmp_path / "out", camera=sky.camera
    )
    flat = next(made for made in summary.made if made.kind == "flat")
    assert len(flat.inputs) == 2
    assert summary.failed == {}
    ((path, reason),) = summary.left_out.items()
    assert Path(path).name == "flat-0001.fits"
    assert reason.startswith("it has no light: its mean is ")
    assert "the flat flat-0001 takes no part" in str(summary)


@pytest.mark.parametrize("name", ["Müller 3.fits", "100%.fits", "a{b}c.fits", "[1].fits"])
def test_odd_names_of_files_and_directories_are_names_like_others(name, sky, write_night, tmp_path):
    folder = write_night(sky.objects(1), folder="in 100% ü")
    with fits.open(folder / "object-0001.fits") as hdus:
        hdus[0].header.remove("RAWFNAME", ignore_missing=True)
        hdus.writeto(folder / name)
    (folder / "object-0001.fits").unlink()
    (tmp_path / name).mkdir()
    summary = reduce(folder, tmp_path / name / "{FILTER}", camera=sky.camera)
    assert summary.failed == {}
    (file,) = summary.made[0].files
    assert Path(file).parent == tmp_path / name / "{FILTER}" / "calibrated" / "V_60s"
    assert Path(file).exists()


def test_two_files_of_one_name_are_two_frames(sky, write_night, tmp_path):
    folder = write_night(sky.objects(1))
    shutil.copy(folder / "object-0001.fits", folder / "other.fits")
    with fits.open(folder / "other.fits", mode="update") as hdus:
        hdus[0].data[3, 4] += 1
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert len(set(summary.made[0].files)) == 2


def test_a_link_that_leads_nowhere_has_its_reason(sky, write_night, tmp_path):
    folder = write_night(sky.bias(1))
    (folder / "gone.fits").symlink_to(tmp_path / "nowhere.fits")
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert "gone.fits" in summary.left_out[str(folder / "gone.fits")]


def test_a_file_is_no_night(sky, write_night, tmp_path):
    folder = write_night(sky.bias(1))
    with pytest.raises(NotADirectoryError, match=r"bias-0001\.fits is no directory"):
        reduce(folder / "bias-0001.fits", tmp_path / "out")


def test_flats_are_chosen_when_asked_and_the_others_named_with_their_reason(
    sky, write_night, tmp_path
):
    levels = [20_000.0] * 6 + [1_000.0]
    flats = sky.flat(7, level=levels, pointings=[(10.0 + i, 0.0) for i in range(7)])
    night = write_night(sky.bias(4), flats)
    select = aw.FlatSelection(
        min_high_frames=4, cloud_check_smoother=None, large_scale_smoother=None
    )
    summary = reduce(night, tmp_path / "out", camera=sky.camera, select=select)
    assert list(map(len, (made.inputs for made in summary.made))) == [4, 6]
    ((path, reason),) = summary.left_out.items()
    assert "flat-0007" in path
    assert re.fullmatch(r"low: mean \d+\.?\d* ADU below 3000", reason)
    few = aw.FlatSelection(min_high_frames=7)
    failed = reduce(night, tmp_path / "few", camera=sky.camera, select=few).failed
    assert len(failed) == 7
    assert all("6 of 7 frames are high, at least 7 are needed" in why for why in failed.values())
    apart = aw.FlatSelection(together=False)
    with pytest.raises(ValueError, match="channels of a flat together"):
        reduce(night, tmp_path / "apart", camera=sky.camera, select=apart)


@given(
    st.lists(
        st.sampled_from(["bias", "dark 60", "dark 5", "flat V", "flat R", "V 60", "V 5", "junk"])
        | st.sampled_from(["untyped", "truncated", "other size", "calibrated"]),
        min_size=1,
        max_size=7,
    ),
    st.sampled_from([False, "down", "any"]),
)
@settings(max_examples=8, deadline=None)
def test_every_input_is_in_the_summary_exactly_once_whatever_there_is(kinds, scale_dark):
    sky = simulate.Night(shape=(8, 12), seed=3, overscan=0)
    makers = {
        "bias": lambda n: sky.bias(1, start=n),
        "dark 60": lambda n: sky.dark(1, start=n),
        "dark 5": lambda n: sky.dark(1, exposure=5, start=n),
        "flat V": lambda n: sky.flat(1, start=n),
        "flat R": lambda n: sky.flat(1, filter="R", start=n),
        "V 60": lambda n: sky.objects(1, start=n),
        "V 5": lambda n: sky.objects(1, exposure=5, start=n),
        "untyped": lambda n: sky.objects(1, start=n),
        "truncated": lambda n: sky.objects(1, start=n),
        "other size": lambda n: simulate.Night(shape=(8, 14), overscan=0).bias(1, start=n),
        "calibrated": lambda n: sky.objects(1, start=n).autowisp.calibrate(camera=sky.camera),
    }
    with TemporaryDirectory() as top:
        for number, kind in enumerate(kinds, 1):
            path = Path(top) / "raw" / f"{number}.fits"
            path.parent.mkdir(exist_ok=True)
            if kind == "junk":
                path.write_text("no FITS")
                continue
            aw.to_fits(makers[kind](number), path)
            if kind == "untyped":
                with fits.open(path, mode="update") as hdus:
                    hdus[0].header["IMAGETYP"] = "focus"
            if kind == "truncated":
                path.write_bytes(path.read_bytes()[:-2000])
        matching = aw.Matching(scale_dark=scale_dark)
        summary = reduce(f"{top}/raw", f"{top}/out", camera=sky.camera, matching=matching)
        named = [path for made in summary.made for path in made.inputs]
        named += [*summary.left_out, *summary.failed]
        assert sorted(named) == sorted(str(path) for path in Path(top, "raw").iterdir())
        table = summary.table()
        assert sorted(table["path"].values.tolist()) == sorted(named)
        described = zip(
            table["fate"].values, table["reason"].values, table["product"].values, strict=True
        )
        assert all(bool(reason) != bool(product) for _, reason, product in described)


def test_longer_darks_are_scaled_down_and_the_price_is_reported(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.dark(3), sky.objects(2, exposure=30))
    no = aw.Matching(scale_dark=False)
    alone = reduce(folder, tmp_path / "alone", camera=sky.camera, matching=no)
    assert {reason.partition(";")[0] for reason in alone.left_out.values()} == {
        "no dark fits (dark_60s: exposed 60 s, not 30 s)"
    }
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    science = summary.made[-1]
    assert science.what == "calibrated V_30s"
    stated = "the dark dark_60s of 60 s is scaled by 0.5 to frames of 30 s, which adds "
    assert any(note.startswith(stated) for note in science.notes)
    masters = (
        aw.open_zarr(tmp_path / "out" / "night.zarr", group=f"masters/{name}")
        for name in ("bias", "dark_60s")
    )
    raw = aw.open_fits(folder, camera=sky.camera).autowisp.where_type("object")
    expected = raw.autowisp.calibrate(
        **dict(zip(("bias", "dark"), masters, strict=True)), scale_dark="down"
    )
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_30s")
    np.testing.assert_array_equal(made["image"].values, expected["image"].values)
    np.testing.assert_array_equal(made["variance"].values, expected["variance"].values)


def test_flats_that_no_dark_fits_give_how_much_dark_current_they_hold(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.dark(3, exposure=20), sky.flat(3, exposure=300.0))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    (flat,) = (made for made in summary.made if made.what.startswith("master flat"))
    (described,) = (
        note for note in flat.notes if note.startswith("the flats of 300 s contain about")
    )
    dark = aw.open_zarr(tmp_path / "out" / "night.zarr", group="masters/dark_20s")
    expected = 15 * float(np.median(dark["image"].values[dark["mask"].values == 0]))
    assert float(described.split()[7]) == pytest.approx(expected, rel=0.01)
    assert "% of their level, by the dark dark_20s of 20 s" in described


def test_the_price_of_scaling_up_is_in_the_variance(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.dark(3, exposure=5), sky.objects(1))
    for scale_dark, made in ((False, 0), ("down", 0), ("any", 1)):
        summary = reduce(
            folder,
            tmp_path / str(scale_dark),
            camera=sky.camera,
            matching=aw.Matching(scale_dark=scale_dark),
        )
        assert sum(one.what.startswith("calibrated") for one in summary.made) == made
    store = tmp_path / "any" / "night.zarr"
    dark = aw.open_zarr(store, group="masters/dark_5s")
    science = aw.open_zarr(store, group="calibrated/V_60s")
    own = dark["variance"] - dark["shared_variance"]
    assert float((science["variance"].isel(frame=0) / (144 * own)).min()) > 1


def test_science_frames_choose_their_darks_by_temperature(sky, write_night, tmp_path):
    from dataclasses import replace

    cold = replace(sky, temperature=-20.0)
    sets = [
        part
        for one, start in ((sky, 1), (cold, 51))
        for part in (
            one.bias(2, start=start),
            one.dark(2, start=start),
            one.objects(1, start=start),
        )
    ]
    summary = reduce(write_night(*sets), tmp_path / "out", camera=sky.camera)
    assert summary.left_out == summary.failed == {}
    chosen = {made.what: dict(made.masters) for made in summary.made}
    assert chosen["calibrated V_60s_-20C"] == {"bias": "bias_-20C", "dark": "dark_60s_-20C"}
    assert chosen["calibrated V_60s_-10C"] == {"bias": "bias_-10C", "dark": "dark_60s_-10C"}
    assert chosen["master dark_60s_-20C"] == {"bias": "bias_-20C"}
    why = {made.what: made.why_not for made in summary.made}["calibrated V_60s_-10C"]
    assert why["dark_60s_-20C"] == "at -20.0 C, not -10.0 C"


def test_frames_in_folders_are_found_and_results_among_them_are_not(sky, tmp_path):
    aw.to_fits(sky.bias(2), tmp_path / "bias" / "{RAWFNAME}.fits")
    aw.to_fits(sky.objects(1), tmp_path / "M 31" / "lights" / "{RAWFNAME}.fits")
    out = tmp_path / "reduced"
    first = reduce(tmp_path, out, camera=sky.camera)
    assert [len(made.inputs) for made in first.made] == [2, 1]
    again = str(reduce(tmp_path, out, camera=sky.camera))
    assert again.replace("; up to date", "") == str(first)


def test_a_second_run_leaves_all_files_as_they_are(reduced, sky):
    top, _ = reduced
    files = list((top / "out").rglob("*.fits"))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}
    assert len(before) == 10
    summary = aw.reduce(top / "raw", top / "out", camera=sky.camera)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files} == before
    assert summary.failed == {}


@pytest.mark.parametrize("limit", ["1GB", "100kB"])
def test_without_checks_the_same_pixels_are_made_and_nothing_is_looked_at(
    reduced, sky, tmp_path, monkeypatch, limit
):
    """Files of lights are written in the pass that stores them then: frames, or rows of large ones.

    Of these, some rows are in memory, with those beside them that cold pixels are looked for in.
    """
    # as those of a frame that is not small
    monkeypatch.setattr(planner, "CHUNK_BYTES", 4 * 2 * SHAPE[1])
    monkeypatch.setattr(planner, "SHARD_BYTES", 4 * 4 * SHAPE[1])
    write, by_rows = Writing.in_step, []

    def noted(self, files, rows):
        by_rows.extend(files)
        return write(self, files, rows)

    monkeypatch.setattr(Writing, "in_step", noted)
    top, _ = reduced
    others = re.compile("CHECKSUM|DATASUM|HISTORY|DOUBT|.*SHA")
    raw, out = top / "raw", tmp_path / "out"
    with dask.config.set(num_workers=1):
        summary = aw.reduce(raw, out, camera=sky.camera, checks=False, memory_limit=limit)
    assert bool(by_rows) == (limit != "1GB")
    assert "no checks (--checks off)" in str(summary)
    assert "DOUBT" not in str(summary)
    for path in (top / "out").rglob("*.fits"):
        with fits.open(path) as looked_at, fits.open(out / path.relative_to(top / "out")) as found:
            for one, other in zip(looked_at, found, strict=True):
                assert one.data.tobytes() == other.data.tobytes()
                cards = [
                    [card.image for card in hdu.header.cards if not others.match(card.keyword)]
                    for hdu in (one, other)
                ]
                assert cards[0] == cards[1]
            assert "sha256" not in "".join(found[0].header["HISTORY"])
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")}
    aw.reduce(raw, out, camera=sky.camera, checks=False)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")}


def test_a_file_that_was_lost_or_changed_is_written_again(sky, write_night, tmp_path):
    folder = write_night(sky.objects(2))
    (made,) = reduce(folder, tmp_path / "out", camera=sky.camera).made
    first, second = map(Path, made.files)
    content = first.read_bytes()
    first.write_bytes(b"")
    second.unlink()
    reduce(folder, tmp_path / "out", camera=sky.camera)
    with fits.open(first) as hdus:
        assert len(hdus) == 3
    assert len(first.read_bytes()) == len(content)
    assert second.exists()


def test_a_run_that_only_measured_the_camera_is_taken_up(sky, write_night, tmp_path):
    folder = write_night(sky.objects(1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "camera.toml").write_text("gain = 1.0\n")
    assert len(reduce(folder, tmp_path / "out", camera=sky.camera).made) == 1


def test_a_result_that_is_kept_is_not_replaced_for_a_damaged_frame(sky, tmp_path):
    """The selection reads pixels before the store can report that it holds another result."""
    aw.to_fits(sky.bias(2), tmp_path / "raw" / "{RAWFNAME}.fits")
    flats = sky.flat(6, pointings=[(10.0 + i, 0.0) for i in range(6)])
    aw.to_fits(flats, tmp_path / "raw" / "{RAWFNAME}.fits.fz")
    select = aw.FlatSelection(
        min_high_frames=3, cloud_check_smoother=None, large_scale_smoother=None
    )
    given = {"camera": sky.camera, "select": select}
    reduce(tmp_path / "raw", tmp_path / "out", **given)
    damage(tmp_path / "raw" / "flat-0002.fits.fz")
    summary = reduce(tmp_path / "raw", tmp_path / "out", **given)
    assert len(summary.failed) == 5
    assert all("is kept" in reason for reason in summary.failed.values())
    kept = aw.open_zarr(tmp_path / "out" / "night.zarr", group="masters/flat_V")
    assert int(kept["count"].max()) == 6
    assert len(reduce(tmp_path / "raw", tmp_path / "out", **given, overwrite=True).made) == 2


def test_darks_of_another_gain_setting_are_no_reason_to_go_without(sky, write_night, tmp_path):
    from dataclasses import replace

    low, high = replace(sky, gain_setting=0.0), replace(sky, gain_setting=100.0)
    folder = write_night(low.bias(2), low.dark(2), high.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    (reason,) = summary.left_out.values()
    assert "of the gain setting 0 (GAIN), not 100" in reason
    ignoring = aw.Matching(allow_mismatch="gain")
    made = reduce(folder, tmp_path / "any", camera=sky.camera, matching=ignoring).made
    assert sorted(made[-1].masters) == ["bias", "dark"]


def test_frames_of_one_set_of_which_some_need_a_scaled_dark(sky, write_night, tmp_path):
    folder = write_night(
        sky.bias(2),
        sky.dark(2, exposure=60.9),
        sky.objects(1, exposure=60.5),
        sky.objects(1, start=2),
    )
    down = aw.Matching(scale_dark="down")
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, matching=down)
    assert summary.failed == summary.left_out == {}


def test_results_that_cannot_be_made_are_refused_before_any_work(sky, write_night, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="no directory can be made for the results"):
        reduce(write_night(sky.bias(1)), tmp_path / "file" / "out")


def test_masters_of_one_frame_without_known_noise_serve_with_a_warning(sky, write_night, tmp_path):
    """Their errors are NaN, and with them those of all that they correct."""
    camera = aw.Camera(overscan=sky.camera.overscan, image_area=sky.camera.image_area)
    summary = reduce(write_night(sky.bias(2), sky.dark(1)), tmp_path / "out", camera=camera)
    assert [made.what for made in summary.made] == ["master bias", "master dark_60s"]
    assert any("they take more than one frame" in note for note in summary.made[1].notes)


def test_one_bias_of_unknown_noise_does_not_spoil_what_it_corrects(sky, write_night, tmp_path):
    camera = aw.Camera(overscan=sky.camera.overscan, image_area=sky.camera.image_area)
    folder = write_night(sky.bias(1), sky.dark(2), sky.flat(2), sky.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=camera)
    assert summary.failed == summary.left_out == {}
    science = aw.open_fits(summary.made[-1].files)
    assert np.isfinite(science["image"]).all()
    assert np.isnan(science["variance"]).all()
    assert not (science["mask"] & aw.Flag.FAULT).any()


def test_a_name_that_is_no_text_is_left_out_and_costs_nothing_else(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2))
    odd = folder / "b\udcff.fits"
    shutil.copy(folder / "bias-0001.fits", odd)
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert list(summary.left_out) == [str(odd)]
    assert r"b\udcff.fits" in (tmp_path / "out" / "summary.txt").read_text()


def test_a_camera_under_two_names_is_reported_with_the_remedy(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2), sky.objects(1))
    for path in folder.iterdir():
        fits.setval(path, "INSTRUME", value="Cam" if "bias" in path.name else "Cam Pro")
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    remedy = "none fits; if it is one camera under two names, --allow-mismatch camera"
    assert summary.made[-1].missing["bias"] == remedy
    matching = Matching(allow_mismatch="camera")
    allowed = reduce(folder, tmp_path / "b", camera=sky.camera, matching=matching)
    assert "bias" not in allowed.made[-1].missing


def test_a_level_that_nobody_knows_is_warned_of(sky, write_night, tmp_path):
    folder = write_night(sky.flat(2), sky.objects(1))
    camera = aw.Camera(gain=1, read_noise=5, image_area=sky.camera.image_area)
    summary = reduce(folder, tmp_path / "out", camera=camera)
    assert all(any("WARNING" in note for note in made.notes) for made in summary.made)
    known = reduce(folder, tmp_path / "known", camera=sky.camera)
    assert not any("WARNING" in note for made in known.made for note in made.notes)


def test_a_run_that_may_not_replace_results_leaves_their_summary(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2), sky.dark(2), sky.objects(1, exposure=30))
    reduce(folder, tmp_path / "out", camera=sky.camera)
    text = (tmp_path / "out" / "summary.txt").read_text()
    other = aw.Camera(gain=2, read_noise=3, overscan=sky.camera.overscan)
    second = reduce(folder, tmp_path / "out", camera=other, matching=aw.Matching(scale_dark="any"))
    assert second.failed
    assert (tmp_path / "out" / "summary.txt").read_text() == text


def test_a_master_of_frames_of_a_rule_is_one_of_their_type(sky, write_night, tmp_path):
    folder = write_night(sky.flat(2))
    for path in folder.iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["IMAGETYP"] = "Light Frame"
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, types={"flat-*": "flat"})
    (path,) = summary.made[0].files
    assert fits.getheader(path)["IMAGETYP"] == "Master Flat"
    assert aw.open_fits(path)["image_type"].values.tolist() == ["flat"]


def test_a_copy_of_an_exposure_counts_once_and_is_named(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2))
    first, second = sorted(folder.iterdir())
    shutil.copy(first, folder / f"copy-of-{first.name}")
    summary = reduce(folder, tmp_path / "out")
    assert summary.made[0].inputs == (str(first), str(second))
    ((path, reason),) = summary.left_out.items()
    assert path == str(folder / f"copy-of-{first.name}")
    assert reason.startswith(f"a copy of {first.name}, which counts once")
    assert reason in aw.open_night(folder)["reason"].values.tolist()


def test_a_second_run_on_the_same_results_is_refused_at_once(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2))
    (tmp_path / "link").symlink_to(tmp_path / "out")
    refused = []

    def once(line):
        for out in (tmp_path / "out", tmp_path / "link"):
            with pytest.raises(
                aw.InUseError, match=rf"process {os.getpid()} on .*, since 2"
            ) as described:
                reduce(folder, out, report=refused.append)
            assert str(out) in str(described.value)

    summary = reduce(folder, tmp_path / "out", report=once)
    assert [made.what for made in summary.made] == ["master bias"]
    assert refused == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "masters",
        "night.zarr",
        "summary.txt",
    ]


def test_what_a_killed_run_has_claimed_and_not_begun_is_no_foreign_directory(
    sky, write_night, tmp_path
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".autowisp-xr.lock").write_text("{}")
    assert len(reduce(write_night(sky.bias(2)), tmp_path / "out").made) == 1
