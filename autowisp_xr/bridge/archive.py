"""What an archive of very many frames takes, on paper: arithmetic, as the planner does it.

Nobody tries a million frames of 61 megapixels before they are there. What is known is what one
frame takes in the store and in memory, how many tasks and requests it is, and that what is made of
all frames together (a graph, a band of a stack, the headers of a set) grows with their number. So
that is where it breaks:

>>> print(page(Archive(frames=10**6, height=6388, width=9576)))
1,000,000 frames of 6388 x 9576 in 3,334 sets
  raw pixels                122 TB
  store (recipe)            67.3 TB in 8.5 million objects
  writing it                9.5 million requests
  reading it once           16.5 million requests
  units of 32 frames        31,250 tasks
  memory of a worker        265 MB of 2 GB
  memory of the scheduler   312 MB, busy for 31 s
  processors                850 hours of one, 13 with 64
  cost                      $1,433 a month to keep, $95 once to make
What breaks first, and what then:
  a stack of all frames: 192 GB for a row; stack groups, or RunningStack
  verbs on all in one graph: 3 million tasks, a scheduler of 30 GB; reduce by units
  one set of all frames: 6 GB of headers in each process; sets by night

Prices are list prices, and change: they are arguments (:class:`Prices`). What the planner does not
compute (how far raw pixels can be compressed, bytes of headers and of tasks, speed) is assumed, and
is an argument of :class:`Archive`. Requests are those of shards: for a few rows, fewer are needed.
"""

from dataclasses import dataclass, replace

from autowisp_xr.bridge import planner
from autowisp_xr.bridge.planner import Frames

_SECONDS_A_TASK = 1e-3
"""Of the scheduler of dask.distributed, as its documentation states."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Dollars, of Amazon Web Services in us-east-1, as they were listed in 2024.

    Those of objects are of S3 Standard (https://aws.amazon.com/s3/pricing), that of processors is
    half of what an m6i.large, which has two, takes (https://aws.amazon.com/ec2/pricing/on-demand).
    """

    gigabyte_month: float = 0.0213
    """Between the 0.023 of the first 50 TB and the 0.021 of what is above 500 TB."""
    thousand_writes: float = 0.005
    thousand_reads: float = 0.0004
    processor_hour: float = 0.048


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What is to be reduced and kept, and by what; the last five are assumed, not measured."""

    frames: int
    height: int
    width: int
    frames_of_set: int = 300
    frames_of_unit: int = 32
    processors: int = 64
    requests_of_set: int = 150
    """To write it, beside its frames; see ``tests.benchmarks.requests``."""
    limit: int = 2 * 10**9
    """Bytes that a worker may take."""
    common: int = 27
    """Bytes of a pixel of the masters."""
    compressed: float = 0.55
    """Of the bytes of raw pixels that are left in the store: a sky with its noise."""
    header: int = 6_000
    """Bytes of the header of a frame."""
    task: int = 10_000
    """Bytes that the scheduler has of a task."""
    pixels_a_second: float = 20e6
    """That one processor calibrates, checks and writes."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What that takes, in numbers and bytes, hours of one processor, and dollars."""

    sets: int
    raw_bytes: int
    stored_bytes: int
    objects: int
    writes: int
    reads: int
    tasks: int
    worker_bytes: int
    scheduler_bytes: int
    scheduler_seconds: float
    hours: float
    month: float
    once: float
    graph_tasks: int
    """Where verbs work on all frames in one graph."""
    headers: int
    """Bytes of one set of all frames."""
    row: int
    """Bytes of one row of all frames, calibrated and stacked in one thread."""


def projected(archive: Archive, prices: Prices | None = None) -> Projection:
    """Return what an archive takes."""
    prices = prices or Prices()
    number, pixels = archive.frames, archive.height * archive.width
    raw = Frames(
        number=number, height=archive.height, width=archive.width, read=2, made=planner.CALIBRATED
    )
    chunk = planner.chunk_rows(archive.height, archive.width, 2)
    shard = planner.shard_rows(archive.height, archive.width, 2, chunk)
    shards = -(-archive.height // shard)
    sets, tasks = (-(-number // size) for size in (archive.frames_of_set, archive.frames_of_unit))
    of_sets = sets * archive.requests_of_set
    # image and flags in shards of the same rows, and the mark that a frame is there, which goes
    writes = number * (2 * shards + 1) + of_sets
    # the index of a shard, then what is wanted of it in one go
    reads = number * 2 * shards * 2 + of_sets
    worker = planner.parts(
        replace(raw, common=archive.common, unit=4), archive.limit, planner.PARTS_TOGETHER
    )
    stored = round(2 * pixels * number * archive.compressed)
    hours = pixels * number / archive.pixels_a_second / 3600
    requests = writes * prices.thousand_writes + reads * prices.thousand_reads
    stack = replace(raw, made=planner.CALIBRATED)
    return Projection(
        sets=sets,
        raw_bytes=2 * pixels * number,
        stored_bytes=stored,
        objects=writes - number,
        writes=writes,
        reads=reads,
        tasks=tasks,
        worker_bytes=worker.peak,
        scheduler_bytes=tasks * archive.task,
        scheduler_seconds=tasks * _SECONDS_A_TASK,
        hours=hours,
        month=stored / 1e9 * prices.gigabyte_month,
        once=requests / 1000 + hours * prices.processor_hour,
        graph_tasks=3 * number,
        headers=number * archive.header,
        row=planner.bands(stack, archive.limit, 1).least,
    )


def page(archive: Archive, prices: Prices | None = None) -> str:
    """Return what an archive takes as a page of text, with what breaks first."""
    found = projected(archive, prices)
    lines = [
        ("raw pixels", _bytes(found.raw_bytes)),
        ("store (recipe)", f"{_bytes(found.stored_bytes)} in {_number(found.objects)} objects"),
        ("writing it", f"{_number(found.writes)} requests"),
        ("reading it once", f"{_number(found.reads)} requests"),
        (f"units of {archive.frames_of_unit} frames", f"{found.tasks:,} tasks"),
        ("memory of a worker", f"{_bytes(found.worker_bytes)} of {_bytes(archive.limit)}"),
        (
            "memory of the scheduler",
            f"{_bytes(found.scheduler_bytes)}, busy for {found.scheduler_seconds:,.0f} s",
        ),
        (
            "processors",
            f"{found.hours:,.0f} hours of one, {found.hours / archive.processors:,.0f} with "
            f"{archive.processors}",
        ),
        ("cost", f"${found.month:,.0f} a month to keep, ${found.once:,.0f} once to make"),
    ]
    graph = _bytes(found.graph_tasks * archive.task)
    return "\n".join(
        [
            f"{archive.frames:,} frames of {archive.height} x {archive.width} in {found.sets:,} "
            "sets",
            *(f"  {what:26}{value}" for what, value in lines),
            "What breaks first, and what then:",
            f"  a stack of all frames: {_bytes(found.row)} for a row; stack groups, or "
            "RunningStack",
            f"  verbs on all in one graph: {_number(found.graph_tasks)} tasks, a scheduler of "
            f"{graph}; reduce by units",
            f"  one set of all frames: {_bytes(found.headers)} of headers in each process; sets by "
            "night",
        ]
    )


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _number(number: int) -> str:
    return f"{number / 1e6:.3g} million" if number >= 10**6 else f"{number:,}"
