"""What the benchmarks share: processes that are measured, and the table that is printed.

A job is either a *process of its own*, whose wall time and peak of resident memory count (imports,
loading of kernels and all), or the *request to a running one*, whose time counts alone. Jobs take
turns, round after round, so that a noisy machine is noisy for all; medians are reported. A round
before that is not counted: it compiles kernels and brings files into the page cache. Slow jobs get
fewer rounds, and no uncounted one.

A peer (any program that is not ours) that fails is reported as failed; if ours fails, all ends.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.benchmarks._machine import Peers, machine

__all__ = [
    "GAIN",
    "READ_NOISE",
    "Floor",
    "Job",
    "ProcessError",
    "Result",
    "Run",
    "command_line",
    "compare",
    "footer",
    "hard_links",
    "made",
    "measured",
    "option_parser",
    "ours",
    "peer",
    "place",
    "ratio",
    "table",
]

HERE = Path(__file__).absolute().parent
ROOT = HERE.parents[1]
_REPORTED = "described: "
GAIN = 1.5
"""Electrons per ADU of the frames."""
READ_NOISE = 8.0
"""Electrons."""
COMMAND_LINE = "import sys; from autowisp_xr.cli import main; sys.exit(main())"
_OURS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.benchmarks._ours import JOBS
from tests.benchmarks._peers import serve
serve(JOBS)
"""


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    mebibytes: float
    made_of: str
    cpu: float = float("nan")
    """Seconds of all processors, those of the system among them."""
    written: int = 0
    """Bytes that lie in the folder of the job after it."""


class ProcessError(RuntimeError):
    """A process that ended badly; what it said last."""


def measured(command: Sequence[str], **how: Any) -> Run:
    """Run a process; the last line of its output states what it made.

    ``how`` goes to ``subprocess.Popen``. Modules have bytecode, as those of a package that was
    installed, whatever the environment asks for.
    """
    environment = {**(how.pop("env", None) or os.environ)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    how["env"] = environment
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, **how
        ) as process:
            assert process.stdout is not None
            described = process.stdout.read()
            mebibytes, cpu = _ended(process)
        seconds = time.perf_counter() - start
        if process.returncode:
            last = described.strip().splitlines()[-3:]
            raise ProcessError(" | ".join(filter(None, [*last, _last_line(errors)])))
    return Run(seconds, mebibytes, (described.strip().splitlines() or [""])[-1], cpu)


def _ended(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Wait for the end of a process; the peak of its memory in MiB, and its CPU seconds."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # kibibytes, but on a Mac
    mebibytes = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return mebibytes, usage.ru_utime + usage.ru_stime


def _last_line(errors: IO[str]) -> str:
    errors.seek(0)
    return (errors.read().strip().splitlines() or [""])[-1][-200:]


@dataclass(kw_only=True)
class Job:
    """One line of the table."""

    name: str
    command: list[str]
    request: dict[str, Any] | None = None
    """What a running process is asked to do; None for a process of its own each time."""
    warm: dict[str, Any] | None = None
    """The request that a slow job is warmed up with."""
    slow: bool = False
    is_ours: bool = False
    work: float = 1.0
    """Times of jobs are compared per unit of this."""
    note: str = ""
    folder: Path | None = None
    """What is in there is removed before each run, and after it."""
    how: dict[str, Any] = field(default_factory=dict)
    """Options of ``subprocess.Popen``."""


@dataclass
class Result:
    """All runs of a job."""

    job: Job
    seconds: list[float] = field(default_factory=list)
    mebibytes: float = float("nan")
    described: str = ""
    failure: str = ""
    cpu: list[float] = field(default_factory=list)
    written: int = 0

    @property
    def median(self) -> float:
        """Median time in seconds per unit of work; NaN where there is none."""
        return statistics.median(self.seconds) / self.job.work if self.seconds else float("nan")


class _Worker:
    """A running process that does what it is asked, one JSON object a line."""

    def __init__(self, command: Sequence[str], **how: Any) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            **how,
        )

    def ask(self, request: Mapping[str, Any]) -> tuple[float, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ProcessError(_last_line(self._errors))
        answer = json.loads(line)
        return answer["seconds"], answer["described"]

    def close(self) -> float:
        """Peak of its memory in MiB."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()
        return _ended(self._process)[0]


def compare(jobs: Sequence[Job], rounds: int, rounds_of_slow: int) -> dict[str, Result]:
    """Run jobs in turns; a terminal shows which."""
    report = sys.stderr.isatty()
    results = {job.name: Result(job) for job in jobs}
    assert len(results) == len(jobs)
    workers: dict[str, _Worker] = {}
    try:
        for number in range(-1, max(rounds, rounds_of_slow)):
            for job in jobs:
                result = results[job.name]
                if result.failure or number >= (rounds_of_slow if job.slow else rounds):
                    continue
                request = job.warm if job.slow and number < 0 else job.request
                if job.slow and number < 0 and request is None:
                    continue
                if report:
                    print(f"\r{job.name:60}", end="", file=sys.stderr, flush=True)
                try:
                    run = _run(job, request, workers)
                except ProcessError as error:
                    if job.is_ours:
                        raise
                    result.failure = str(error)
                    continue
                result.described = run.made_of or result.described
                memory, result.written = run.mebibytes, run.written
                result.mebibytes = max(memory, result.mebibytes) if number > 0 else memory
                if number >= 0:
                    result.seconds.append(run.seconds)
                    result.cpu.append(run.cpu)
    finally:
        for name, worker in workers.items():
            results[name].mebibytes = worker.close()
        if report:
            print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)
    return results


def _run(job: Job, request: dict[str, Any] | None, workers: dict[str, _Worker]) -> Run:
    with _emptied(job.folder):
        if request is None:
            run = measured(job.command, **job.how)
            reported = run.made_of.startswith(_REPORTED)
            made_of = run.made_of.removeprefix(_REPORTED) if reported else ""
            return run._replace(made_of=made_of, written=_bytes_in(job.folder))
        if job.name not in workers:
            workers[job.name] = _Worker(job.command, **job.how)
        seconds, described = workers[job.name].ask(request)
        return Run(seconds, float("nan"), described)


def _bytes_in(folder: Path | None) -> int:
    files = [] if folder is None else [path for path in folder.rglob("*") if path.is_file()]
    # what is linked from elsewhere was not written
    return sum(path.stat().st_size for path in files if path.stat().st_nlink == 1)


@contextlib.contextmanager
def _emptied(folder: Path | None) -> Iterator[None]:
    """An empty folder, and nothing on its way to the disk, so that each job starts alike."""
    if folder is None:
        yield
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.sync()
    try:
        yield
        if not any(folder.iterdir()):
            raise ProcessError("it wrote nothing")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Floor(NamedTuple):
    """What was asked for, beside what it is; NaN where a side was not run."""

    text: str
    value: float
    asked: float
    at_least: bool = True

    def line(self) -> str:
        """One line of the table."""
        sign = ">=" if self.at_least else "<="
        if self.value != self.value:
            return f"{self.text:62}{'-':>10}  {sign} {self.asked:<8g}not run"
        met = self.value >= self.asked if self.at_least else self.value <= self.asked
        return (
            f"{self.text:62}{self.value:10.2f}  {sign} {self.asked:<8g}"
            f"{'met' if met else 'NOT MET'}"
        )


def ratio(results: Mapping[str, Result], above: str, below: str) -> float:
    """How many times as long one job takes as another; NaN where one was not run."""
    if above not in results or below not in results:
        return float("nan")
    return results[above].median / results[below].median


def table(
    title: str, results: Mapping[str, Result], base: str, *, unit: tuple[str, float] = ("s", 1.0)
) -> str:
    """Medians of all jobs, and how they stand to one of them."""
    name, scale = unit
    lines = [f"{title:50}{'runs':>5}{name:>11}{'x base':>9}{'peak MiB':>10}  note"]
    for result in results.values():
        start = f"{result.job.name:50}{len(result.seconds):5}"
        if not result.seconds:
            lines.append(f"{start}  failed: {result.failure}")
            continue
        mark = "  base" if result.job.name == base else ""
        note = ", ".join(filter(None, (result.job.note, result.described)))
        memory = f"{result.mebibytes:10.0f}" if result.mebibytes > 0 else f"{'-':>10}"
        lines.append(
            f"{start}{result.median * scale:11.4g}{ratio(results, result.job.name, base):9.3g}"
            f"{memory}  {note}{mark}".rstrip()
        )
    return "\n".join(lines)


def option_parser(description: str, *, rounds: int = 5) -> argparse.ArgumentParser:
    """Options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    add = parser.add_argument
    add("--directory", type=Path, help="where the frames are, or are made (default: for once)")
    add("--rounds", type=int, default=rounds, help="(default: %(default)s)")
    add("--rounds-of-slow", type=int, default=1, help="of slow peers (default: %(default)s)")
    add("--peers", default=sys.executable, help="interpreter that has ccdproc and others")
    add(
        "--original",
        default=os.environ.get("AUTOWISP_PYTHON"),
        help="interpreter that has autowisp (default: what AUTOWISP_PYTHON states)",
    )
    add("--no-peers", action="store_true", help="ours alone")
    return parser


@contextlib.contextmanager
def place(directory: Path | None, within: Path | None = None) -> Iterator[Path]:
    """The directory of the frames, or a temporary one, in another one if so wanted."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=within) as folder:
        yield Path(folder)


def ours(job: str, request: Mapping[str, Any] | None = None) -> list[str]:
    """Command of a job of ``_ours.py``; with a request, a process that does it and ends."""
    return _with_request([sys.executable, "-W", "ignore", "-c", _OURS, job], request)


def peer(python: str, job: str, request: Mapping[str, Any] | None = None) -> list[str]:
    """Command of a job of ``_peers.py`` in the environment of an interpreter."""
    # -P: modules beside the script must not stand in for those that a peer imports
    command = [python, "-P", "-W", "ignore", str(HERE / "_peers.py"), job]
    return _with_request(command, request)


def _with_request(command: list[str], request: Mapping[str, Any] | None) -> list[str]:
    return command if request is None else [*command, json.dumps(request)]


def command_line(*words: str) -> list[str]:
    """Command that does what ``autowisp-xr WORDS`` does."""
    return [sys.executable, "-c", COMMAND_LINE, *words]


def made(what: str, **request: Any) -> Any:
    """Make files by a function of ``_frames.py``, in a process of its own; what it returns.

    The process that starts all jobs imports nothing large: what a process is forked from counts in
    its peak of memory.
    """
    run = measured(ours("make", {"what": what, **request}))
    return json.loads(run.made_of.removeprefix(_REPORTED))


def hard_links(files: Sequence[str], folder: Path, ending: str) -> list[Path]:
    """The files under their own names, but the ending, in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    links = [folder / f"{Path(file).name.partition('.')[0]}{ending}" for file in files]
    for file, link in zip(files, links, strict=True):
        try:
            os.link(file, link)
        except OSError:
            shutil.copyfile(file, link)
    return links


def footer(peers: Peers | None, floors: Sequence[Floor]) -> str:
    """The floors, who was there, and where."""
    lines = [f"{'floor':62}{'is':>10}  asked"] if floors else []
    lines += [floor.line() for floor in floors]
    return "\n".join([*lines, *(peers.lines() if peers else []), machine()])
