"""``reduce`` replaces what it has written, as it has written it, and nothing else."""

import os
import shutil

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.night.record import Record
from tests.night.reducing import reduce


@pytest.fixture
def night(sky, write_night):
    return write_night(sky.bias(2), sky.objects(3))


@pytest.fixture
def out(night, sky, tmp_path):
    """Results of a run."""
    reduce(night, tmp_path / "out", camera=sky.camera)
    return tmp_path / "out"


@pytest.fixture
def other(sky):
    """Another camera, with which everything comes out otherwise."""
    return aw.Camera(gain=2, read_noise=3, overscan=sky.camera.overscan)


def products(out):
    # threads of a run that was ended may still be at a file
    return sorted((out / "calibrated" / "V_60s").glob("*.fits"))


def solve(path):
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["CRVAL1"] = 83.8


def state(*paths):
    return [(path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_a_user_has_in_the_folder_is_kept_and_named_with_the_remedy(
    overwrite, night, sky, tmp_path
):
    out = tmp_path / "project"
    (out / "masters").mkdir(parents=True)
    mine = {"camera.toml": b"gain = 2.0\n", "summary.txt": b"my notes", "masters/bias.fits": b""}
    fits.PrimaryHDU(np.ones((40, 48), "f4")).writeto(out / "masters" / "bias.fits")
    mine["masters/bias.fits"] = (out / "masters" / "bias.fits").read_bytes()
    for name, content in mine.items():
        (out / name).write_bytes(content)
    summary = reduce(night, out, camera=sky.camera, overwrite=overwrite)
    assert {name: (out / name).read_bytes() for name in mine} == mine
    (bias, science) = summary.made
    assert bias.files == ()
    assert bias.notes[0] == (
        f"kept, and not written: {out}/masters/bias.fits: reduce has not written it; to have it "
        "written, move it away and run again"
    )
    assert any(f"{out}/summary.txt: reduce has not written it" in note for note in summary.notes)
    assert len(science.files) == 3
    # the master is there nevertheless, and used
    assert aw.open_zarr(out / "night.zarr", group="masters/bias").sizes["x"] > 48
    (out / "masters" / "bias.fits").unlink()
    again = reduce(night, out, camera=sky.camera)
    assert again.made[0].files == (f"{out}/masters/bias.fits",)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_product_that_was_worked_on_is_kept_and_a_missing_one_written(overwrite, out, night, sky):
    first, second, third = products(out)
    solve(first)
    solved, untouched = first.read_bytes(), state(third)
    second.unlink()
    summary = reduce(night, out, camera=sky.camera, overwrite=overwrite)
    assert first.read_bytes() == solved
    assert second.exists()
    assert state(third) == untouched
    science = summary.made[-1]
    assert science.notes[-1].startswith(f"kept, and not written: {first}: it was changed since")
    assert science.files == (str(first), str(second), str(third))


def test_results_of_another_run_are_replaced_but_for_what_was_worked_on(out, night, other):
    first, second, _ = products(out)
    solve(first)
    solved, before = first.read_bytes(), second.read_bytes()
    summary = reduce(night, out, camera=other, overwrite=True)
    assert first.read_bytes() == solved
    assert second.read_bytes() != before
    assert str(first) in summary.made[-1].notes[-1]
    assert str(first) not in summary.made[-1].files


def test_files_with_other_times_are_reported_by_their_bytes(out, night, other):
    for path in (*products(out), out / "summary.txt"):
        os.utime(path, (1e9, 1e9))
    summary = reduce(night, out, camera=other, overwrite=True)
    assert not any("kept" in note for made in summary.made for note in made.notes)
    assert not any("kept" in note for note in summary.notes)
    assert (out / "summary.txt").read_text() == str(summary)


@pytest.mark.parametrize("way", ["moved", "linked", "copied"])
def test_an_output_by_another_name_is_still_itself(way, out, night, sky, other, monkeypatch):
    from autowisp_xr.stack import averaging

    there = out.with_name("there")
    {"moved": shutil.move, "linked": lambda a, b: b.symlink_to(a), "copied": shutil.copytree}[way](
        out, there
    )
    before = state(*products(there))
    with monkeypatch.context() as patch:
        patch.setattr(averaging, "average_through_frames", None)
        summary = reduce(night, there, camera=sky.camera)
    assert len(summary.made) == 2
    assert state(*products(there)) == before
    replaced = reduce(night, there, camera=other, overwrite=True)
    assert [len(made.files) for made in replaced.made] == [1, 3]
    assert state(*products(there)) != before


def test_files_of_a_run_that_was_killed_are_its_own(night, sky, other, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    out, add = tmp_path / "out", Record.add
    for module in ("night.record", "frames.atomic_write"):
        monkeypatch.setattr(f"autowisp_xr.{module}._PAUSE", 0)

    def die(record, entries):
        # before it can note what has its name already
        if "object-0002" in entries[0]["path"]:
            monkeypatch.setattr(Record, "save", lambda record: None)
            raise Killed
        add(record, entries)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "add", die)
        with pytest.raises(Killed):
            reduce(night, out, camera=sky.camera)
    monkeypatch.undo()
    first, second = products(out)[:2]
    before = first.read_bytes(), second.read_bytes()
    summary = reduce(night, out, camera=other, overwrite=True)
    assert first.read_bytes() != before[0]
    assert second.read_bytes() != before[1]
    assert {str(first), str(second)} <= set(summary.made[-1].files)


def test_files_that_the_record_lacks_and_that_are_this_result_are_left(out, night, sky):
    shutil.rmtree(out / "night.zarr" / "products")
    before = state(*products(out))
    summary = reduce(night, out, camera=sky.camera)
    assert state(*products(out)) == before
    assert [len(made.files) for made in summary.made] == [1, 3]
    assert not any("kept" in note for made in summary.made for note in made.notes)


def write_own(store):
    mine = aw.open_zarr(store, group="masters/bias").compute()
    mine["image"] = (mine["image"] + 1).assign_attrs(mine["image"].attrs)
    aw.to_zarr(mine, store, group="masters/bias", overwrite=True)


def add_array(store):
    added = xr.Dataset({"my_map": (("y", "x"), np.ones((40, 56)))})
    added.to_zarr(store, group="masters/bias", mode="a", consolidated=False)


@pytest.mark.parametrize("change", [write_own, add_array])
def test_a_group_that_was_worked_on_is_kept(change, out, night, other):
    change(out / "night.zarr")
    before = xr.open_zarr(out / "night.zarr", group="masters/bias", consolidated=False).compute()
    summary = reduce(night, out, camera=other, overwrite=True)
    reasons = set(summary.failed.values())
    assert any("was not written by reduce, or was changed since, and is kept" in r for r in reasons)
    after = xr.open_zarr(out / "night.zarr", group="masters/bias", consolidated=False).compute()
    xr.testing.assert_identical(after, before)


def test_masters_that_are_read_are_not_replaced_though_they_lie_in_the_output(
    out, night, other, sky
):
    bias = out / "masters" / "bias.fits"
    before = bias.read_bytes()
    summary = reduce(night, out, camera=other, overwrite=True, masters=out / "masters")
    assert bias.read_bytes() == before
    assert summary.made[0].notes[-1].startswith(f"kept, and not written: {bias}: this run reads it")
    assert summary.failed == {}


def test_a_place_that_holds_no_store_is_no_place_for_one(night, sky, tmp_path):
    (tmp_path / "out" / "night.zarr").mkdir(parents=True)
    (tmp_path / "out" / "night.zarr" / "thesis.tex").write_text("do not lose")
    with pytest.raises(FileExistsError, match=r"night\.zarr exists and is no Zarr store"):
        reduce(night, tmp_path / "out", camera=sky.camera)
    assert os.listdir(tmp_path / "out" / "night.zarr") == ["thesis.tex"]


def hard_link(out):
    (out.parent / "mine").mkdir()
    os.link(products(out)[0], out.parent / "mine" / "a.fits")
    return out.parent / "mine" / "a.fits"


def link_to_mine(out):
    mine = out.parent / "mine.fits"
    shutil.move(products(out)[0], mine)
    solve(mine)
    products_folder = out / "calibrated" / "V_60s"
    (products_folder / "object-0001.fits").symlink_to(mine)
    return mine


def upper_case(out):
    mine = out / "masters" / "BIAS.fits"
    fits.PrimaryHDU(np.ones((40, 48), "f4")).writeto(mine)
    return mine


def own_camera(out):
    mine = out / "camera.toml"
    mine.write_text("gain = 2.0\n")
    return mine


def folder_in_the_place_of_a_file(out):
    first = products(out)[0]
    first.unlink()
    first.mkdir()
    (first / "notes").write_text("mine")
    return first / "notes"


@pytest.mark.parametrize(
    "of_user",
    [hard_link, link_to_mine, upper_case, own_camera, folder_in_the_place_of_a_file],
)
def test_what_a_user_has_made_of_results_is_not_touched(of_user, out, night, other):
    mine = of_user(out)
    before = mine.read_bytes()
    summary = reduce(night, out, camera=other, overwrite=True, prune=True)
    assert mine.read_bytes() == before
    assert (out / "masters" / "bias.fits").exists()
    assert len(summary.made[-1].files) >= 2
