"""A night that grew, shrank or changed: what depends on it is made again, and nothing else."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import Camera, simulate
from autowisp_xr.night.defect_masks import DefectMasks
from autowisp_xr.night.known_cameras import settled
from autowisp_xr.night.measured_camera import KnownCamera
from autowisp_xr.night.product_writing import Writer
from autowisp_xr.night.record import Record
from autowisp_xr.store import growing
from tests.night.reducing import reduce

LIGHTS = "calibrated/V_60s"
LIGHT = [f"object-000{i}" for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def pool(sky, tmp_path_factory):
    """Raw files of all frames that there may be; the last light is of a later session."""
    folder = tmp_path_factory.mktemp("pool")
    for frames in (sky.bias(2), sky.dark(3), sky.objects(3), sky.objects(1, start=4)):
        aw.to_fits(frames, folder / "{RAWFNAME}.fits")
    return folder


def add(pool, *names):
    os.makedirs("raw", exist_ok=True)
    for name in names:
        shutil.copy2(pool / f"{name}.fits", "raw")


@pytest.fixture(scope="module")
def first(pool, sky, tmp_path_factory):
    """A night of two biases, two darks and three lights, and its results."""
    top = tmp_path_factory.mktemp("first")
    (top / "night").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top / "night")
        add(pool, *(f"{kind}-000{i}" for kind in ("bias", "dark") for i in (1, 2)), *LIGHT)
        reduce("raw", "out", camera=sky.camera)
    shutil.copytree(top / "night", top / "kept")
    return top


@pytest.fixture
def again(first, sky, monkeypatch):
    """A function that reduces the night again, and gives its summary and what it wrote."""
    shutil.rmtree(first / "night")
    shutil.copytree(first / "kept", first / "night")
    monkeypatch.chdir(first / "night")

    def run(out="out", **options):
        before = files(out)
        summary = reduce("raw", out, **{"camera": sky.camera} | options)
        after = files(out)
        return summary, {name for name in before | after if before.get(name) != after.get(name)}

    return run


def files(out):
    found = {}
    for folder, _, names in os.walk(out):
        paths = [os.path.join(folder, name) for name in names if name.endswith(".fits")]
        found |= {os.path.relpath(path, out): os.stat(path).st_ino for path in paths}
    return found


def planes_of(frame):
    """Inode of the stored image of a frame."""
    names = aw.open_zarr("out/night.zarr", group=LIGHTS)["frame"].values.tolist()
    folder = f"out/night.zarr/{LIGHTS}/image/c/{names.index(frame)}"
    return [
        os.stat(os.path.join(at, name)).st_ino for at, _, all in os.walk(folder) for name in all
    ]


def assert_as_if_new(again, **options):
    """Compare with the results of a first run, to the bit."""
    again("fresh", **options)
    assert files("out").keys() == files("fresh").keys()
    for name in files("out"):
        with fits.open(f"out/{name}") as ours, fits.open(f"fresh/{name}") as theirs:
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one.data, other.data)
    for group in ("masters/dark_60s", LIGHTS):
        ours, theirs = (
            aw.open_zarr(f"{out}/night.zarr", group=group).drop_attrs() for out in ("out", "fresh")
        )
        xr.testing.assert_identical(ours.compute(), theirs.compute())


def test_each_run_makes_what_is_new_and_what_depends_on_it_and_the_last_nothing(again, pool):
    stored = planes_of("object-0003")
    # before the others
    shutil.copy2(pool / "object-0004.fits", "raw/a.fits")
    summary, written = again()
    assert written == {f"{LIGHTS}/object-0004.fits"}
    assert (summary.exit_status, summary.failed, summary.leftovers) == (0, {}, ())
    assert [made.again for made in summary.made] == ["", "", "1 frame more (a.fits), 3 frames kept"]
    assert "made again: 1 frame more (a.fits), 3 frames kept" in str(summary)
    assert planes_of("object-0003") == stored

    add(pool, "dark-0003")
    summary, written = again()
    lights = {f"{LIGHTS}/object-000{i}.fits" for i in (1, 2, 3, 4)}
    assert written == {"masters/dark_60s.fits", *lights}
    assert summary.failed == {}
    of_dark, of_lights = "1 frame more (dark-0003.fits)", "another dark, none kept"
    assert [made.again for made in summary.made] == ["", of_dark, of_lights]
    assert_as_if_new(again)

    summary, written = again()
    assert (written, summary.failed) == (set(), {})
    assert {made.again for made in summary.made} == {""}


def test_a_light_that_changed_is_made_again_alone_where_nothing_can_be_linked_too(
    again, monkeypatch
):
    def link(*_):
        raise OSError("no links here")

    pixels = {"out": "pixels", "store": "pixels"}
    again(**pixels)
    monkeypatch.setattr(growing, "os", SimpleNamespace(link=link))
    with fits.open("raw/object-0002.fits", mode="update") as hdus:
        hdus[0].data[5, 7] += 1
    summary, written = again(**pixels)
    assert summary.failed == {}
    assert written == {f"{LIGHTS}/object-0002.fits"}
    assert summary.made[-1].again == "1 frame changed (object-0002.fits), 2 frames kept"


def test_results_of_lights_that_are_gone_are_listed_and_removed_on_request(again):
    for name in ("object-0002", "object-0003"):
        os.remove(f"raw/{name}.fits")
    gone, worked_on = (f"out/{LIGHTS}/object-000{i}.fits" for i in (2, 3))
    shutil.copy(gone, f"out/{LIGHTS}/mine.fits")
    fits.setval(worked_on, "CRVAL1", value=83.8)
    summary, written = again()
    assert (written, summary.leftovers) == (set(), (gone,))
    assert "prune=True (--prune) removes those" in str(summary)
    assert aw.open_zarr("out/night.zarr", group=LIGHTS).sizes["frame"] == 1
    summary, written = again(prune=True)
    assert written == {f"{LIGHTS}/object-0002.fits"}
    assert "removed, because their frames are gone" in str(summary)
    assert again(prune=True)[0].leftovers == ()


@pytest.mark.parametrize("prune", [False, True])
def test_a_result_of_a_light_that_is_gone_is_kept_and_named_if_it_was_worked_on(again, prune):
    os.remove(f"raw/{LIGHT[2]}.fits")
    fits.setval(f"out/{LIGHTS}/{LIGHT[2]}.fits", "CRVAL1", value=83.8)
    summary, written = again(prune=prune)
    assert written == set()
    assert f"somebody has changed them since: 1 ({LIGHT[2]}.fits)" in str(summary)
    assert summary.leftovers == ()


def test_a_set_of_which_all_frames_are_gone_goes_with_its_group(again):
    for name in LIGHT:
        os.remove(f"raw/{name}.fits")
    summary, written = again(prune=True)
    assert written == {f"{LIGHTS}/{name}.fits" for name in LIGHT}
    assert summary.leftovers[-1] == LIGHTS
    assert not os.path.exists(f"out/{LIGHTS}")
    assert not os.path.exists(f"out/night.zarr/{LIGHTS}")


def test_what_a_later_version_has_stored_is_named_as_that_and_replaced_on_request(again, pool):
    place = Path("out/night.zarr", LIGHTS, "zarr.json")
    group = json.loads(place.read_text())
    group["attributes"]["schema_version"] = 999
    place.write_text(json.dumps(group))
    add(pool, "object-0004")
    summary, written = again()
    assert written == set()
    assert "schema_version is 999" in next(iter(summary.failed.values()))
    assert again(overwrite=True)[0].failed == {}


@pytest.mark.usefixtures("again")
def test_a_night_in_a_folder_that_was_moved_is_the_same_night(pool, sky):
    place = f"out/{LIGHTS}/{LIGHT[0]}.fits"
    pixels = fits.getdata(place)
    add(pool, "object-0004")
    os.rename("raw", "elsewhere")
    summary = reduce("elsewhere", "out", camera=sky.camera)
    listed = ", ".join(f"{name}.fits" for name in LIGHT)
    assert f"made again: 3 frames moved ({listed}), 1 frame more (object-0004.fits)" in str(summary)
    np.testing.assert_array_equal(fits.getdata(place), pixels)
    # of a copy, nobody knows which is meant
    shutil.copytree("elsewhere", "copied")
    assert len(reduce("copied", "out", camera=sky.camera).failed) > 0


def test_another_night_and_other_options_need_to_be_allowed(again):
    other = Camera(gain=2, read_noise=3)
    assert "overwrite it" in next(iter(again(camera=other)[0].failed.values()))
    for name in LIGHT:
        os.rename(f"raw/{name}.fits", f"raw/other-{name}.fits")
    summary, written = again()
    assert len(summary.failed) == 3
    assert written == set()


def doubted(out):
    """Names of the files whose headers doubt the sky of their frames."""
    folder = f"{out}/{LIGHTS}"
    headers = {name: fits.getheader(f"{folder}/{name}") for name in sorted(os.listdir(folder))}
    return [
        name
        for name, header in headers.items()
        if "DOUBT: the sky of" in str(header.get("COMMENT"))
    ]


def test_files_bear_the_doubts_of_the_last_run_that_looked(sky, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for frames in (sky.bias(2), sky.objects(1), sky.objects(1, start=2, sky=200)):
        aw.to_fits(frames, "raw/{RAWFNAME}.fits")
    reduce("raw", "out", camera=sky.camera)
    assert doubted("out") == ["object-0002.fits"]
    aw.to_fits(sky.objects(2, start=3, sky=200), "raw/{RAWFNAME}.fits")
    summary = reduce("raw", "out", camera=sky.camera)
    assert any("the sky of 1 of 4 frames (object-0001)" in note for note in summary.made[-1].notes)
    assert doubted("out") == ["object-0001.fits"]
    before = files("out")
    reduce("raw", "out", camera=sky.camera, checks=False)
    assert files("out") == before


# ---------------------------------------------------------------------- the camera


@pytest.mark.parametrize(("gain", "stays"), [(1.52, True), (1.56, False)])
def test_a_measured_gain_stays_as_long_as_it_holds(gain, stays):
    earlier = Camera(gain=1.5, read_noise=6.0)
    now = KnownCamera(
        Camera(gain=gain, read_noise=6.1), errors={"gain": [0.01], "read_noise": [0.1]}
    )
    found, why = settled(now, earlier)
    assert found.camera == (earlier if stays else now.camera)
    assert bool(why) != stays
    off = (gain - 1.5) / 0.01
    assert f"gain {gain:.4g} e/ADU, 1.5 before ({off:.1f} sigma)" in found.notes[-1]


def test_a_gain_without_an_uncertainty_or_another_camera_is_what_it_is_now():
    earlier = Camera(gain=1.5, read_noise=6.0)
    for camera in (Camera(gain=1.51, read_noise=6.0), Camera(gain=1.5, read_noise=6, name="b")):
        assert settled(KnownCamera(camera), earlier)[0].camera == camera
    assert settled(KnownCamera(earlier), earlier) == (KnownCamera(earlier), "")


@pytest.mark.parametrize(
    ("stated", "since"),
    [(None, "others"), (None, "same"), (Camera(gain=1.7), "changed")],
)
def test_a_camera_renews_results_of_changed_frames_only_and_not_by_what_the_user_states(
    stated, since
):
    now = KnownCamera(Camera(gain=1.7, read_noise=6.0), errors={"gain": [0.01]})
    earlier = Camera(gain=1.5, read_noise=6.0)
    assert settled(now, earlier, stated, since) == (now, "")
    assert settled(now, earlier, Camera(), "changed")[1]


def test_another_gain_or_another_night_replaces_nothing_unasked(sky, write_night, tmp_path):
    other = simulate.Night(shape=sky.shape, seed=6, gain=1.8, full_well=30_000, overscan=16)
    areas = {"overscan": sky.camera.overscan, "image_area": sky.camera.image_area}
    first, second = (
        write_night(one.bias(4), one.flat(4), folder=name)
        for name, one in (("first", sky), ("second", other))
    )
    out = tmp_path / "out"
    assert reduce(first, out, camera=Camera(**areas)).failed == {}
    left, text = files(out), (out / "camera.toml").read_text()
    for night, stated in ((first, {"gain": 0.7}), (second, {})):
        summary = reduce(night, out, camera=Camera(**areas, **stated))
        assert "overwrite it" in next(iter(summary.failed.values()))
        assert (summary.made, summary.exit_status) == ([], 1)
        assert not any("is not what the earlier" in note for note in summary.notes)
    assert (files(out), (out / "camera.toml").read_text()) == (left, text)
    again = reduce(first, out, camera=Camera(**areas))
    assert [made.there for made in again.made] == [True, True]
    assert "; up to date" in str(again)


def test_a_run_that_is_ended_while_a_measured_camera_renews_results_is_taken_up(
    sky, write_night, tmp_path, monkeypatch
):
    other = simulate.Night(shape=sky.shape, seed=5, gain=0.4, full_well=30_000, overscan=16)
    unknown = Camera(overscan=sky.camera.overscan, image_area=sky.camera.image_area)
    folder = write_night(sky.bias(4), sky.flat(4), sky.objects(1))
    assert reduce(folder, tmp_path / "out", camera=unknown).failed == {}
    write_night(other.flat(6, start=11))

    def end(self, product, recipe):
        if not product.is_master:
            raise KeyboardInterrupt
        return attempt(self, product, recipe)

    attempt = Writer.attempt
    monkeypatch.setattr(Writer, "attempt", end)
    with pytest.raises(KeyboardInterrupt):
        reduce(folder, tmp_path / "out", camera=unknown)
    monkeypatch.setattr(Writer, "attempt", attempt)
    summary = reduce(folder, tmp_path / "out", camera=unknown)
    assert summary.failed == {}
    assert [made.what.split(" ")[0] for made in summary.made if made.again] == ["calibrated"]
    # from then on another camera is a choice of the user again
    record = Record(tmp_path / "out", tmp_path / "out" / "night.zarr")
    assert record.renewals == {}


def test_results_that_could_not_be_made_again_are_no_leftovers(
    sky, write_night, tmp_path, monkeypatch
):
    folder, out = write_night(sky.bias(3), sky.dark(3), sky.objects(1)), tmp_path / "out"
    reduce(folder, out, camera=sky.camera, defects=None)

    def fail(*_):
        raise aw.BadImageError("a dark cannot be read")

    monkeypatch.setattr(DefectMasks, "_measured", fail)
    summary = reduce(folder, out, camera=sky.camera, defects=None, prune=True)
    assert any("a dark cannot be read" in note for note in summary.notes)
    assert summary.leftovers == ()
    assert (out / "masters" / "defects.fits").exists()


def test_one_flat_more_does_not_change_the_camera_that_was_measured(sky, write_night, tmp_path):
    unknown = Camera(overscan=sky.camera.overscan, image_area=sky.camera.image_area)
    folder = write_night(sky.bias(4), sky.flat(4), sky.objects(1))
    shutil.move(folder / "flat-0004.fits", tmp_path)
    reduce(folder, tmp_path / "out", camera=unknown)
    text = (tmp_path / "out" / "camera.toml").read_text()
    shutil.move(tmp_path / "flat-0004.fits", folder)
    summary = reduce(folder, tmp_path / "out", camera=unknown)
    assert (tmp_path / "out" / "camera.toml").read_text() == text
    assert any("still holds and is used" in note for note in summary.notes)
    assert [made.again.split(" (")[0] for made in summary.made] == [
        "",
        "1 frame more",
        "another flat, none kept",
    ]
