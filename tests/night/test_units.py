"""Units of the work on a night: any process can carry them out, twice, or die of it."""

import os
import pickle
import signal
from dataclasses import replace

import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.cli import main
from autowisp_xr.errors import BadImageError
from autowisp_xr.night import run, units
from autowisp_xr.night.units import Export
from tests.night.reducing import reduce

_WITH_TIMES = ("CHECKSUM", "HISTORY", "BIASSHA")


@pytest.fixture
def night(sky, write_night):
    return write_night(sky.bias(2), sky.objects(4))


def files(out):
    """Return planes and cards of all files, but for times and what is summed over them."""
    found = {}
    for path in (out / "calibrated" / "V_60s").iterdir():
        with fits.open(path) as hdus:
            planes = [hdu.data.tobytes() for hdu in hdus]
            cards = [
                {key: hdu.header[key] for key in hdu.header if key not in _WITH_TIMES}
                for hdu in hdus
            ]
        found[path.name] = cards, planes
    return found


@pytest.fixture
def unit(night, sky, tmp_path):
    """That of two of the frames, and the files that threads have made of all."""
    reduce(night, tmp_path / "out", camera=sky.camera)
    store = tmp_path / "out" / "night.zarr"
    return Export(
        store=str(store),
        group="calibrated/V_60s",
        identity=aw.store.stated_identity(store, "calibrated/V_60s"),
        template=str(tmp_path / "units" / "calibrated" / "V_60s" / "{frame}.fits"),
        frames=(1, 3),
    )


def test_a_unit_makes_its_files_once_and_accepts_them_then(unit, tmp_path):
    whole = files(tmp_path / "out")
    written = run(units.unit_of(units.as_line(unit)))
    made = files(tmp_path / "units")
    assert made == {name: whole[name] for name in sorted(whole)[1:3]}
    again = run(pickle.loads(pickle.dumps(unit)))
    assert again.files == ()
    assert again.found == {one["path"]: True for one in written.files}
    assert len(pickle.dumps(unit)) < 1000


def test_what_lies_in_the_place_of_a_file_is_kept_unless_it_may_be_replaced(unit):
    (first, second) = (one["path"] for one in run(unit).files)
    os.replace(second, first)
    done = run(unit)
    assert done.found == {first: False}
    assert [one["path"] for one in done.files] == [second]
    assert run(replace(unit, replaces=(first,))).found == {second: True}


def test_a_unit_of_a_set_that_is_another_by_now_is_refused(unit):
    with pytest.raises(BadImageError, match="V_60s holds something else than when this unit was"):
        run(replace(unit, identity="of others"))


def test_units_are_carried_out_from_a_file_in_any_order_and_taken_note_of(
    night, sky, tmp_path, capsys
):
    reduce(night, tmp_path / "out", camera=sky.camera)
    listed = tmp_path / "night.units"
    summary = reduce(night, tmp_path / "later", camera=sky.camera, units=listed)
    assert summary.made[-1].files == ()
    assert not (tmp_path / "later" / "calibrated").exists()
    assert summary.notes[-1].startswith(
        f"4 units write the files of 4 frames, as lines of {listed}"
    )
    for arguments in (["run", f"{listed}[4]"], ["run", str(listed), "2", "1"]):
        assert main(arguments) == 0
    # the files of those that are there are no part of what is left
    assert reduce(night, tmp_path / "later", camera=sky.camera, units=listed).exit_status == 0
    assert main(["run", str(listed)]) == 0
    assert capsys.readouterr().out.split("\n")[-2] == "unit 1: 1 file written"
    whole = reduce(night, tmp_path / "later", camera=sky.camera)
    assert len(whole.made[-1].files) == 4
    assert files(tmp_path / "later") == files(tmp_path / "out")
    # they are those of this night: another camera may replace them, and nobody else's are
    other = aw.Camera(gain=2, read_noise=3, overscan=sky.camera.overscan)
    again = reduce(night, tmp_path / "later", camera=other, overwrite=True)
    assert not any("kept" in note for note in again.made[-1].notes)


def test_what_holds_no_units_is_refused_and_not_replaced(night, tmp_path, capsys):
    (tmp_path / "mine").write_text("{}")
    assert main(["run", str(tmp_path / "mine")]) == 1
    assert "mine: this is no unit of reduce --units: {}" in capsys.readouterr().err
    with pytest.raises(FileExistsError, match="mine exists, and holds no units; choose another"):
        reduce(night, tmp_path / "out", units=tmp_path / "mine")


def test_workers_make_the_same_files_though_one_is_killed(night, sky, tmp_path):
    distributed = pytest.importorskip("distributed")
    reduce(night, tmp_path / "out", camera=sky.camera)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as few,
        distributed.Client(few, set_as_default=False) as client,
    ):
        pids = client.run(os.getpid)
        client.submit(os.kill, next(iter(pids.values())), signal.SIGKILL, retries=0)
        reduce(night, tmp_path / "again", camera=sky.camera, scheduler=few.scheduler_address)
    assert files(tmp_path / "again") == files(tmp_path / "out")
