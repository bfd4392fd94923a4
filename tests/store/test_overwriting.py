"""A group that is replaced: from what depends on it, by runs that are killed, by two at once."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
import zarr

import autowisp_xr as aw
from autowisp_xr import provenance, schema
from autowisp_xr.errors import BadImageError, InUseError
from autowisp_xr.filesystem.locking import locked
from autowisp_xr.store import swap
from autowisp_xr.testing import assert_frames_equal

FRAMES = 6
TEXT = np.dtypes.StringDType()


def frames(level=1000.0, n=FRAMES, **more):
    """Frames of 5 by 7, all different."""
    rng = np.random.default_rng(int(level))
    shape = (n, 1, 5, 7)
    planes = {
        "image": (schema.DIMS, rng.normal(level, 9, shape).astype("f4")),
        "variance": (schema.DIMS, rng.uniform(1, 2, shape).astype("f4")),
        "mask": (schema.DIMS, rng.integers(0, 9, shape).astype("u1")),
        **{name: (schema.DIMS[1:], rng.uniform(1, 2, shape[1:]).astype("f4")) for name in more},
    }
    names = {"frame": [f"f{i}" for i in range(n)], "channel": [schema.MONO]}
    coords = {name: np.array(labels, TEXT) for name, labels in names.items()}
    return provenance.record(schema.with_attributes(xr.Dataset(planes, coords), "adu"), "made")


DEPENDING = {
    "a choice of its frames": lambda ds: ds.isel(frame=slice(2, 5)),
    "its frames in another order": lambda ds: ds.isel(frame=[4, 0, 2]),
    "a crop": lambda ds: ds.isel(y=slice(1, 4), x=[0, 3]),
    "a graph over it": lambda ds: ds.chunk(frame=2).isel(frame=slice(None, None, -1)),
    "a stack": lambda ds: aw.stack(ds),
    "all of it": lambda ds: ds,
    "frames less others": lambda ds: ds.assign(
        image=(ds["image"].chunk() - ds["image"].chunk()[0]).assign_attrs(ds["image"].attrs)
    ),
}


@pytest.mark.parametrize("group", [None, "a/b"])
@pytest.mark.parametrize("made", DEPENDING)
def test_a_group_is_replaced_by_what_is_made_of_it(made, group, tmp_path):
    path = tmp_path / "n.zarr"
    stored = aw.to_zarr(frames(), path, group=group)
    expected = DEPENDING[made](frames()).compute()
    back = aw.to_zarr(DEPENDING[made](stored), path, group=group, overwrite=True)
    assert_frames_equal(back, expected)
    assert_frames_equal(aw.open_zarr(path, group=group), expected)
    assert not swap.leftovers(path / (group or ""))


def test_a_night_is_calibrated_into_the_place_of_its_raw_frames(tmp_path):
    sky = aw.simulate.Night(shape=(20, 24), seed=7, overscan=8)
    raw = aw.to_zarr(sky.objects(2), tmp_path / "n.zarr", group="g")
    back = aw.to_zarr(aw.calibrate(raw), tmp_path / "n.zarr", group="g", overwrite=True)
    assert_frames_equal(back, aw.calibrate(sky.objects(2)))


@pytest.mark.parametrize("name", ["~/n.zarr", "n.zarr", "link.zarr", "way/n.zarr", "way/../n.zarr"])
def test_a_store_is_the_same_by_every_name(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "way").symlink_to(tmp_path)
    (tmp_path / "link.zarr").symlink_to(tmp_path / "n.zarr")
    aw.to_zarr(frames(), tmp_path / "n.zarr", group="g")
    stored = aw.open_zarr(name, group="g")
    aw.to_zarr(stored.isel(frame=[1]), name, group="g", overwrite=True)
    assert_frames_equal(aw.open_zarr(tmp_path / "n.zarr", group="g"), frames().isel(frame=[1]))
    assert sorted(os.listdir(tmp_path)) == ["link.zarr", "n.zarr", "way"]
    assert aw.store.groups_of(name) == ["g"]


def test_what_was_opened_before_does_not_give_pixels_of_what_is_there_now(tmp_path):
    path = tmp_path / "n.zarr"
    before = aw.to_zarr(frames(), path, group="g")
    after = aw.to_zarr(frames(2000), path, group="g", overwrite=True)
    for lazy in (before, before.chunk(), before.isel(frame=[1])):
        with pytest.raises(BadImageError, match="replaced, moved or removed since it was opened"):
            lazy.compute()
    assert_frames_equal(after, frames(2000))
    path.rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(BadImageError, match="moved"):
        after.compute()


def test_what_is_made_of_another_content_of_a_group_is_something_else(tmp_path):
    def made():
        return provenance.fingerprint(aw.stack(aw.open_zarr(tmp_path / "n.zarr")))

    aw.to_zarr(frames(), tmp_path / "n.zarr")
    first = made()
    assert made() == first
    aw.to_zarr(frames(2000), tmp_path / "n.zarr", overwrite=True)
    assert made() != first


def test_pixels_that_were_read_are_not_kept(tmp_path):
    stored = aw.to_zarr(frames(), tmp_path / "n.zarr")
    np.testing.assert_array_equal(stored["image"].values, frames()["image"].values)
    assert not stored["image"].variable._in_memory


def test_planes_that_the_new_one_lacks_are_gone_and_groups_below_are_not(tmp_path):
    path = tmp_path / "n.zarr"
    aw.to_zarr(frames(shared_variance=1), path, group="g")
    aw.to_zarr(frames(3000), path, group="g/below")
    back = aw.to_zarr(frames(2000), path, group="g", overwrite=True)
    assert_frames_equal(back, frames(2000))
    assert sorted(zarr.open_group(path, path="g").array_keys()) == sorted(frames().variables)
    assert_frames_equal(aw.open_zarr(path, group="g/below"), frames(3000))
    assert aw.store.groups_of(path) == ["g", "g/below"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_of_somebody_else_makes_room_when_it_may_be_replaced(zarr_format, tmp_path):
    foreign = xr.Dataset({"image": ("x", [1, 2]), "other": ("x", [3, 4])})
    foreign.to_zarr(tmp_path / "n.zarr", consolidated=False, zarr_format=zarr_format)
    back = aw.to_zarr(frames(), tmp_path / "n.zarr", overwrite=True)
    assert_frames_equal(back, frames())


@pytest.mark.parametrize("group", ["_next", "g/_ready", "_state/g"])
def test_names_that_writing_needs_are_no_names_of_groups(group, tmp_path):
    with pytest.raises(ValueError, match="is used while others are written"):
        aw.to_zarr(frames(), tmp_path / "n.zarr", group=group)


# ----------------------------------------------------------------------- errors and kills


def failing(ds, after):
    """The same frames, of which all but the first few cannot be computed; and what was computed."""
    seen = []

    def count(block):
        if len(seen) >= after:
            raise RuntimeError("out of luck")
        seen.append(1)
        return block

    image = (
        ds["image"]
        .chunk(frame=1)
        .data.map_blocks(count, name="counted", dtype="f4", meta=np.empty((0,) * 4, "f4"))
    )
    return ds.assign(image=ds["image"].copy(data=image)), seen


@pytest.fixture
def failed(tmp_path, monkeypatch):
    """A store whose overwriting failed after four frames, and what it was to have."""
    import dask

    path = tmp_path / "n.zarr"
    aw.to_zarr(frames(), path, group="g")
    new = frames(2000)
    with dask.config.set(scheduler="sync"), pytest.raises(RuntimeError, match="out of luck"):
        aw.to_zarr(failing(new, 4)[0], path, group="g", overwrite=True)
    return path, new


def test_an_overwriting_that_fails_leaves_what_was_there(failed):
    path, _ = failed
    assert_frames_equal(aw.open_zarr(path, group="g"), frames())
    assert aw.store.groups_of(path) == ["g"]


def test_an_overwriting_that_failed_is_taken_up_where_it_stopped(failed):
    path, new = failed
    lazy, seen = failing(new, 99)
    assert_frames_equal(aw.to_zarr(lazy, path, group="g", overwrite=True), new)
    assert len(seen) == FRAMES - 4
    assert not swap.leftovers(path / "g")


@pytest.mark.parametrize("overwrite", [False, True])
def test_another_call_clears_what_a_failed_one_left(failed, overwrite):
    path, _ = failed
    other = frames(3000) if overwrite else frames()
    assert_frames_equal(aw.to_zarr(other, path, group="g", overwrite=overwrite), other)
    assert not swap.leftovers(path / "g")


def test_a_refused_call_leaves_it_to_be_taken_up(failed):
    path, new = failed
    with pytest.raises(FileExistsError, match="holds something else"):
        aw.to_zarr(failing(new, 0)[0], path, group="g")
    lazy, seen = failing(new, 99)
    aw.to_zarr(lazy, path, group="g", overwrite=True)
    assert len(seen) == FRAMES - 4


class Killed(BaseException):
    pass


STEPS = 1 + 6 + 1 + 5 + 1 + 1
"""The decision, arrays that go, the sign that all have, arrays that come, attributes, removal."""


def stopping(after, monkeypatch):
    """Let a swap go so many steps, and end there; a list that has a mark for each step."""
    gone = []

    def step(function):
        def call(*arguments, **options):
            if len(gone) == after:
                raise Killed
            if gone or function is os.rename:
                gone.append(1)
            return function(*arguments, **options)

        return call

    moving = {name: step(getattr(os, name)) for name in ("rename", "replace")}
    monkeypatch.setattr(swap, "os", SimpleNamespace(**(vars(os) | moving)))
    removing = {"rmtree": step(shutil.rmtree)}
    monkeypatch.setattr(swap, "shutil", SimpleNamespace(**removing))
    return gone


@pytest.mark.parametrize("after", range(STEPS + 1))
def test_a_swap_that_is_killed_at_any_step_ends_as_one_or_the_other(after, tmp_path, monkeypatch):
    path = tmp_path / "n.zarr"
    aw.to_zarr(frames(shared_variance=1), path, group="g")
    with monkeypatch.context() as patch:
        gone = stopping(after, patch)
        if after < STEPS:
            with pytest.raises(Killed):
                aw.to_zarr(frames(2000), path, group="g", overwrite=True)
        else:
            aw.to_zarr(frames(2000), path, group="g", overwrite=True)
    assert len(gone) == after
    found = aw.open_zarr(path, group="g").compute()
    assert_frames_equal(found, frames(2000) if after else frames(shared_variance=1))
    assert_frames_equal(aw.to_zarr(frames(2000), path, group="g", overwrite=True), frames(2000))
    assert not swap.leftovers(path / "g")
    assert set(os.listdir(path / "g")) == {"zarr.json", *frames().variables}


KILL = """
    import os, signal, sys
    import dask, numpy as np
    import autowisp_xr as aw

    path, after = sys.argv[1], int(sys.argv[2])
    stored = aw.open_zarr(path, group="g")
    count = 0

    def die(block):
        global count
        count += 1
        if count > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return block + 1

    image = stored["image"].chunk(frame=1).data.map_blocks(
        die, name="plus one", dtype="f4", meta=np.empty((0,) * 4, "f4")
    )
    dask.config.set(scheduler="sync")
    new = stored.assign(image=stored["image"].copy(data=image))
    back = aw.to_zarr(new, path, group="g", overwrite=True)
    print(count)
"""


def test_what_a_killed_run_was_to_replace_is_whole_and_the_next_run_takes_up(tmp_path):
    path = tmp_path / "n.zarr"
    aw.to_zarr(frames(), path, group="g")

    def run(after):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(KILL), path, str(after)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).resolve().parents[2],
        )

    assert run(2).returncode == -9
    assert_frames_equal(aw.open_zarr(path, group="g"), frames())
    done = run(99)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == FRAMES - 2
    back = aw.open_zarr(path, group="g")
    np.testing.assert_array_equal(back["image"].values, frames()["image"].values + 1)
    assert sorted(os.listdir(tmp_path)) == ["n.zarr"]


# --------------------------------------------------------------------------- two at once


def test_a_group_that_is_being_written_is_refused_and_others_are_not(tmp_path):
    path = tmp_path / "n.zarr"
    aw.to_zarr(frames(), path, group="g")
    with locked(str(tmp_path / ".n.zarr~g.lock"), "n.zarr/g"):
        with pytest.raises(InUseError, match=rf"n\.zarr/g .* process {os.getpid()} on"):
            aw.to_zarr(frames(2000), path, group="g", overwrite=True)
        # what is whole is read, and not written
        assert_frames_equal(aw.to_zarr(frames(), path, group="g"), frames())
        aw.to_zarr(frames(2000), path, group="h")
    aw.to_zarr(frames(2000), path, group="g", overwrite=True)


TWO = """
    import sys, time
    import autowisp_xr as aw

    sky = aw.simulate.Night(shape=(20, 24), seed=1, overscan=8)
    ds = aw.calibrate(sky.objects(3).chunk(frame=1), camera=sky.camera)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(6):
        try:
            back = aw.to_zarr(ds, f"{sys.argv[1]}/{number}.zarr", group="g")
            print(sorted(back.coords) == sorted(ds.coords))
        except aw.InUseError:
            print(True)
"""


def test_two_processes_that_write_the_same_give_one_whole_result(tmp_path):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(TWO), tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    described = [process.communicate()[0].split() for process in running]
    assert described == [["True"] * 6] * 2
    whole = {aw.open_zarr(tmp_path / f"{n}.zarr", group="g").sizes["frame"] for n in range(6)}
    assert whole == {3}
