"""The benchmarks run from end to end, and their table states what was measured."""

import contextlib
import io
import json
import os
import sys
import time
import warnings
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import cli
from tests.benchmarks import (
    _common,
    _frames,
    _machine,
    _ours,
    _peers,
    calibrate,
    flats,
    kernels,
    matching,
    memory,
    night,
    reading,
    scanning,
    smoothing,
    stack,
    startup,
)
from tests.benchmarks._common import Floor, Job, ProcessError, Result, Run

ALL = (
    calibrate,
    flats,
    kernels,
    matching,
    memory,
    night,
    reading,
    scanning,
    smoothing,
    stack,
    startup,
)
FEW = ["--rounds", "1", "--no-peers"]


def python(code):
    return [sys.executable, "-c", code]


class Here:
    """A worker that does in this process what another would do, which spends its time on imports.

    That processes are started, asked and measured is tested by the other tests, and by the
    benchmark of the start itself.
    """

    def __init__(self, command, **how):
        jobs = _ours.JOBS if _common._OURS in command else _peers.JOBS
        self.work = jobs[command[-1]]

    def ask(self, request):
        with warnings.catch_warnings(action="ignore"):
            answer = _peers._done(self.work, dict(request))
        return answer["seconds"], answer["described"]

    def close(self):
        return 1.0


def measured_here(command, **how):
    """As ``measured``, of a job or a command line."""
    start = time.perf_counter()
    if _common.COMMAND_LINE in command:
        words = command[command.index(_common.COMMAND_LINE) + 1 :]
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(words) == 0
        described = ""
    else:
        described = _common._REPORTED + Here(command[:-1]).ask(json.loads(command[-1]))[1]
    return Run(time.perf_counter() - start, 1.0, described)


@pytest.mark.parametrize("module", ALL, ids=[each.__name__ for each in ALL])
def test_each_states_how_it_is_run(module):
    name = module.__name__.rpartition(".")[2]
    assert f"python -m tests.benchmarks.{name}" in module.__doc__
    assert callable(module.main)


def test_the_cost_of_matching_is_compared_with_frames_as_they_are(capsys):
    matching.main(["--frames", "3", "--rows", "5", "--width", "8", "--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 * 2 * 5
    assert [line.split()[-1] for line in lines[::5]] == ["1.00"] * 8


@pytest.mark.parametrize(
    ("module", "options", "lines"),
    [
        (
            kernels,
            [
                "--rows",
                "6",
                "--width",
                "20",
                "--frames",
                "12",
                "--averages",
                "median",
                "--dtypes",
                "uint16",
            ],
            {"ours": 1, "ours, 2 threads": 1, "stack": 1, "function": 1},
        ),
        (
            stack,
            ["--size", "40", "--frames", "12"],
            {"ours, running": 2, "ours, library": 2, "ours, command": 2},
        ),
        (
            reading,
            ["--size", "70", "--frames", "2"],
            {"ours": 3, "ours, bands": 3, "ours, 2 threads": 3, "bytes of the files": 3},
        ),
        (
            calibrate,
            ["--size", "40", "--frames", "2"],
            {"ours, running": 1, "ours, command": 1, "tofile, synced": 1, "reading": 1},
        ),
        (startup, [], {"bare import": 1, "autowisp-xr --help": 1, "autowisp-xr stack": 1}),
        (memory, ["--size", "40", "--frames", "12"], {"library": 1, "command": 1}),
        (
            night,
            ["--size", "64", *(f"--{kind}=2" for kind in ("biases", "darks", "flats", "lights"))],
            {"reduce": 1, "reduce, no checks": 1},
        ),
    ],
    ids=["kernels", "stack", "reading", "calibrate", "startup", "memory", "night"],
)
def test_each_runs_without_peers_and_prints_a_table(
    module, options, lines, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if module is not startup:
        for each in {_common, module}:
            if hasattr(each, "measured"):
                monkeypatch.setattr(each, "measured", measured_here)
        monkeypatch.setattr(_common, "_Worker", Here)
    module.main([*FEW, *options, "--directory", str(tmp_path / "frames")])
    described = capsys.readouterr().out
    table, _, floors = described.partition("\nfloor ")
    for name, times in lines.items():
        rows = [line for line in table.splitlines() if line[:50].rstrip() == name]
        assert len(rows) == times, described
        runs, seconds, share = map(float, rows[0][50:].split()[:3])
        assert runs == 1
        assert seconds > 0
        assert share > 0
    assert "numpy" in floors
    assert "cores" in floors
    # nothing is left where it was started
    assert os.listdir(tmp_path) == ["frames"]


def test_jobs_take_turns_and_medians_are_reported(tmp_path):
    log = tmp_path / "log"
    code = "import sys; open({!r}, 'a').write({!r}); print('described: made', {!r})"
    jobs = [Job(name=name, command=python(code.format(str(log), name, name))) for name in "abc"]
    jobs[2].slow = True
    results = _common.compare(jobs, 2, 1)
    assert log.read_text() == "ab" + "abc" + "ab"
    assert [len(result.seconds) for result in results.values()] == [2, 2, 1]
    assert results["b"].described == "made b"
    assert results["a"].mebibytes > 1
    assert results["a"].median == np.median(results["a"].seconds)


def test_a_peer_that_fails_is_reported_and_not_asked_again(tmp_path):
    log = tmp_path / "log"
    code = f"open({str(log)!r}, 'a').write('x'); raise ValueError('no frames')"
    jobs = [Job(name="good", command=python("")), Job(name="bad", command=python(code))]
    results = _common.compare(jobs, 3, 3)
    assert log.read_text() == "x"
    table = _common.table("what", results, "good")
    assert "failed: ValueError: no frames" in table
    assert np.isnan(_common.ratio(results, "bad", "good"))


def test_if_ours_fails_all_ends():
    job = Job(name="ours", command=python("raise ValueError('no frames')"), is_ours=True)
    with pytest.raises(ProcessError, match="no frames"):
        _common.compare([job], 1, 1)
    served = Job(name="ours", command=[*job.command], request={}, is_ours=True)
    with pytest.raises(ProcessError, match="no frames"):
        _common.compare([served], 1, 1)


def test_a_job_that_writes_nothing_has_failed(tmp_path):
    job = Job(name="lazy", command=python(""), folder=tmp_path / "out")
    assert _common.compare([job], 1, 1)["lazy"].failure == "it wrote nothing"
    assert not (tmp_path / "out").exists()


def test_a_running_process_answers_each_request(tmp_path):
    files = _frames.light_frames(str(tmp_path), 2, (70, 66))
    job = Job(
        name="reading",
        command=_common.peer(sys.executable, "read_astropy"),
        request={"files": files, "threads": 1},
    )
    result = _common.compare([job], 3, 1)["reading"]
    expected = sum(int(fits.getdata(file)[::64, ::64].sum()) for file in files)
    assert result.described == f"sum {expected}"
    assert len(result.seconds) == 3
    assert result.mebibytes > 1


def test_times_are_compared_per_unit_of_work():
    results = {
        "ours": Result(Job(name="ours", command=[], work=100), [2.0, 9.0, 4.0], 50.0),
        "peer": Result(Job(name="peer", command=[], work=10), [8.0], 60.0, "agrees"),
    }
    assert _common.ratio(results, "peer", "ours") == 20
    title, ours, peer = _common.table("what", results, "ours", unit=("ms", 1e3)).splitlines()
    assert title.split() == ["what", "runs", "ms", "x", "base", "peak", "MiB", "note"]
    assert ours.split() == ["ours", "3", "40", "1", "50", "base"]
    assert peer.split() == ["peer", "1", "800", "20", "60", "agrees"]


@pytest.mark.parametrize(
    ("floor", "end"),
    [
        (Floor("faster", 7.0, 6.0), ">= 6       met"),
        (Floor("faster", 5.0, 6.0), ">= 6       NOT MET"),
        (Floor("memory", 0.9, 1.0, at_least=False), "<= 1       met"),
        (Floor("memory", 1.1, 1.0, at_least=False), "<= 1       NOT MET"),
        (Floor("faster", float("nan"), 6.0), ">= 6       not run"),
    ],
)
def test_a_floor_states_whether_it_is_met(floor, end):
    assert floor.line().endswith(end)


def test_absent_peers_are_reported_in_a_line_each(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    given = Namespace(peers=sys.executable, original=None, no_peers=False)
    lines = _machine.find_peers(given).lines()
    assert f"astropy {_machine.versions(sys.executable, ['astropy'])['astropy']}" in lines[0]
    assert [line for line in lines if line.startswith("absent: siril-cli")]
    assert [line for line in lines if line.startswith("absent: autowisp ")]
    with pytest.raises(SystemExit, match="no Python interpreter"):
        _machine.versions("/nowhere/python", [])


def test_peers_that_are_here_agree_with_numpy():
    rng = np.random.default_rng(1)
    array = rng.normal(1000, 5, (40, 4, 5)).astype(np.float32)
    array[3, 1, 2] = 9000
    expected = array.astype(np.float64)
    expected[3, 1, 2] = np.nan
    found = _peers.JOBS["array_astropy"](array, "median")
    np.testing.assert_allclose(found, np.nanmedian(expected, axis=0), rtol=1e-6)
    found = _peers.JOBS["array_bottleneck"](array.astype(np.uint16), "median")
    np.testing.assert_allclose(found, np.median(array.astype(np.uint16), axis=0))


def test_frames_have_the_noise_they_claim():
    one, other = _frames.cube(2, (200, 210))
    assert one.dtype == np.uint16
    level = _frames.scene((200, 210), np.random.default_rng(1))
    variance = (level - _frames.BIAS) / _common.GAIN + (_common.READ_NOISE / _common.GAIN) ** 2
    pulls = (one.astype(float) - other) / np.sqrt(2 * variance)
    quartiles = np.diff(np.percentile(pulls, [25, 75])).item() / 1.349
    assert abs(quartiles - 1) < 0.02
    # and cosmic rays
    assert (np.abs(pulls) > 8).sum() > 5


def test_files_are_made_once_and_hold_the_same_pixels(tmp_path):
    plain = _frames.light_frames(str(tmp_path), 2, (30, 40))
    before = [Path(file).stat().st_mtime_ns for file in plain]
    assert _frames.light_frames(str(tmp_path), 2, (30, 40)) == plain
    assert [Path(file).stat().st_mtime_ns for file in plain] == before
    with pytest.raises(SystemExit, match=r"\(30, 40\) pixels, not of \(30, 41\)"):
        _frames.light_frames(str(tmp_path), 2, (30, 41))
    for made in (_frames.compressed, _frames.gzipped, _frames.calibrated):
        for file, other in zip(plain, made(plain, str(tmp_path / made.__name__)), strict=True):
            np.testing.assert_array_equal(fits.getdata(file), fits.getdata(other))
    with fits.open(tmp_path / "compressed" / "light_00001.fits.fz") as hdus:
        assert isinstance(hdus[1], fits.CompImageHDU)


def test_links_have_the_names_that_siril_looks_for(tmp_path):
    (tmp_path / "light_00001.fits.fz").write_bytes(b"x")
    made = _common.hard_links([str(tmp_path / "light_00001.fits.fz")], tmp_path / "in", ".fits")
    assert made == [tmp_path / "in" / "light_00001.fits"]
    assert made[0].read_bytes() == b"x"
    assert not made[0].is_symlink()


def test_what_differs_is_counted(tmp_path):
    saved = {"peer": str(tmp_path / "peer.npy")}
    np.save(tmp_path / "ours.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.save(saved["peer"], np.array([[1.0, 2.1]]))
    found = _frames.differing(saved, str(tmp_path / "ours.npy"))
    assert json.loads(json.dumps(found)) == {"peer": 0.5}
