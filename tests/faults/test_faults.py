"""A share of what ``python -m tests.faults`` does."""

import errno

import dask.config
import pytest

import autowisp_xr as aw
from autowisp_xr.filesystem.full_disks import writing_to
from tests.faults import changes, disks, kills, pairs
from tests.faults.jobs import reduced, write_night


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_night(tmp_path_factory.mktemp("night"))


@pytest.fixture
def fresh(raw, tmp_path):
    """Copies of the raw files, and where their results go."""
    (tmp_path / "raw").mkdir()
    for path in raw.iterdir():
        (tmp_path / "raw" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "raw", tmp_path / "out"


@pytest.mark.parametrize(("job", "share"), [("reduce", 0.7), ("to_zarr", 0.5), ("to_fits", 0.5)])
def test_a_full_disk_is_stated_and_with_more_room_all_is_as_if_nothing_had_been(
    job, share, raw, tmp_path
):
    try:
        taken, whole = disks.whole_of(job, raw, tmp_path / "disk")
    except PermissionError as error:
        pytest.skip(str(error))
    assert disks.filled(job, raw, tmp_path / "disk", int(share * taken), whole) == []


def test_what_a_disk_refuses_names_file_room_and_remedy(tmp_path):
    with pytest.raises(aw.NotWrittenError, match="read-only") as caught, writing_to(tmp_path / "x"):
        raise OSError(errno.EROFS, "Read-only file system")
    assert caught.value.errno == errno.EROFS
    assert f"MB are free in {tmp_path}); make room or choose another" in str(caught.value)
    # what is no fault of the disk stays what it is
    with pytest.raises(FileNotFoundError), writing_to(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "No such file")


@pytest.mark.parametrize(
    ("name", "how", "step"),
    [
        ("bias-0001.fits", "removed", 4),
        ("object-0001.fits", "removed", 7),
        ("object-0001.fits", "cut off", 7),
    ],
)
def test_a_file_that_is_lost_during_a_run_costs_no_other_frame(name, how, step, fresh):
    raw, out = fresh
    lines = []

    def report(line):
        lines.append(line)
        if len(lines) == step:
            changes.OF_INPUT[how](raw / name)

    summary = reduced(raw, out, report=report)
    assert summary.failed == {}
    assert list(summary.left_out) == [str(raw / name)]
    assert "since it was opened" in summary.left_out[str(raw / name)]
    kind = "master bias" if "bias" in name else "calibrated V_60s"
    (made,) = [made for made in summary.made if made.what == kind]
    assert str(raw / name) not in made.inputs
    assert len(made.inputs) == (2 if "bias" in name else 3)


def test_a_store_that_was_hardly_begun_is_begun_anew(fresh):
    raw, out = fresh
    # as left by a run that was killed, or had no room, before its first word
    (out / "night.zarr" / "manifest").mkdir(parents=True)
    (out / "night.zarr" / "zarr.1f.partial").touch()
    (out / ".autowisp-xr.lock").touch()
    (out / "night.zarr" / "products").mkdir()
    assert reduced(raw, out, overwrite=True).exit_status == 0


def test_a_clock_that_goes_back_changes_nothing(raw, tmp_path):
    found = list(changes.clocks(tmp_path, seed=1, number=1))
    assert [wrong for _, wrong in found] == [[], []]


def test_files_of_a_job_that_was_ended_are_whole_and_the_next_one_writes_the_rest(tmp_path):
    given = {"seed": 2, "number": 1, "jobs": ["to_fits"], "ways": ["SIGTERM"]}
    assert [wrong for _, wrong in kills.kills(tmp_path, **given)] == [[]]


@pytest.mark.parametrize("job", ["to_zarr", "to_fits"])
def test_two_threads_that_write_the_same_leave_it_whole_and_dask_as_it_was(job, raw, tmp_path):
    out = tmp_path / job
    before = dict(dask.config.config)
    for number in range(3):
        errors = pairs.in_threads(job, raw, out / str(number), 0.0)
        assert len(errors) < 2
        assert all(kind in pairs.REFUSALS for kind, _ in errors)
    assert dask.config.config == before
    whole = kills.products(out / "0")
    assert kills.products(out / "1") == kills.products(out / "2") == whole
    assert len(whole) > 3
