"""The commands that work on whole nights, and on their results: those of ``reduce.toml``."""

import re
import shlex
import time
from argparse import Namespace
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.log import described
from autowisp_xr.cli.settings import in_table
from autowisp_xr.cli.terminal import following, print_line, show
from autowisp_xr.cli.values import OptionError
from autowisp_xr.errors import AutowispError, MissingPackageError
from autowisp_xr.night.sentences import counted, sentence

_STATUS = {"differs": 3, "cannot be verified": 1, "same": 0}
"""The exit status of ``verify`` for each outcome, the worst first."""


def demo(options: Namespace) -> int:
    """Make a small night, reduce it, and print how well the truth was recovered."""
    load("dask.array", "autowisp_xr.night.demo")
    from autowisp_xr.night.demo import demo

    if Path(options.out).expanduser().exists():
        raise FileExistsError(f"{options.out} exists; remove it, or choose another with -o")
    started = time.monotonic()
    demo(options.out, report=print_line)
    print(f"\n{options.out}/ has raw/, camera.toml, reduced/ (see summary.txt) and deep.fits")
    finish(f"{options.out}/reduced", wanted=True)
    print(f"done in {time.monotonic() - started:.1f} s")
    return 0


def info(options: Namespace) -> int:
    """Print the frames that there are, and which would correct which."""
    load("dask.array", "autowisp_xr.night.listing", "autowisp_xr.night.night_tree")
    from autowisp_xr import night

    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    table = night.table_of_night(paths, manifest=options.manifest, **_arguments(options))
    print(night.info(table), end="")
    return 0


def reduce(options: Namespace) -> int:
    """Make masters and calibrated frames of a night, and print its summary."""
    load("dask.array", "autowisp_xr.night.reduction")
    from autowisp_xr import FlatSelection, night

    select = FlatSelection() if options.select_flats else None
    if options.flat_limits:
        select = FlatSelection.from_toml(options.flat_limits)
    cosmic_rays = _cosmic_rays(options)
    defects = "none" if list(options.defects or ()) == ["none"] else options.defects
    if options.dry_run:
        names = ("store", "raw", "fits", "make_fringes", "overwrite", "memory_limit")
        given = {name: getattr(options, name) for name in names} | _arguments(options)
        given["defects"] = defects
        print(night.project(options.night, options.out, **given, report=print_line), end="")
        return 0
    often = options.watch is not None
    once_or_often: Any = partial(night.watch, every=options.watch) if often else night.reduce
    with following() as console:
        summary = once_or_often(
            options.night,
            options.out,
            **_arguments(options),
            select=select,
            min_flat=options.min_flat,
            make_fringes=options.make_fringes,
            defects=defects,
            cosmic_rays=cosmic_rays,
            checks=options.checks == "on",
            checksum=options.checksum,
            store=options.store,
            raw=options.raw,
            fits=options.fits,
            cfa=options.cfa,
            overwrite=options.overwrite,
            memory_limit=options.memory_limit,
            prune=options.prune,
            scheduler=options.scheduler,
            workers=options.workers,
            units=options.units,
            report=print_line,
        )
    if summary is None:
        print("nothing was reduced")
        return 1
    print()
    show(summary, console)
    if summary.made:
        finish(options.out, wanted=options.report)
    return summary.exit_status


def _cosmic_rays(options: Namespace) -> Any:
    """Return how cosmic rays are found, or None; OptionError for limits without the search."""
    from autowisp_xr import CosmicRays

    limits = ("sigclip", "objlim")
    if options.cosmic_rays:
        return CosmicRays(**{name: getattr(options, name) for name in limits})
    for name in options.chosen.intersection(limits):
        raise OptionError(f"--{name} is for cosmic rays; give --cosmic-rays, too")
    return None


def of_frames(options: Namespace) -> dict[str, Any]:
    """Return the arguments that state what frames are, for the options.

    Raises
    ------
    OptionError
        For a value that cannot be, naming the file.
    """
    from autowisp_xr import Camera, KeywordAliases
    from autowisp_xr.schema import MONO

    tables = options.tables
    camera = aliases = None
    if options.camera:
        camera = Camera.from_toml(options.camera)
    elif "camera" in tables:
        with in_table(options.config_file, "camera"):
            camera = Camera.from_mapping(tables["camera"])
    # one channel of all pixels: without a pattern, the headers would decide
    mono = {MONO: (slice(None), slice(None))}
    facts: dict[str, Any] = {
        "gain": options.gain,
        "read_noise": options.read_noise,
        "channels": mono if options.channels == MONO else options.channels,
    }
    facts = {name: value for name, value in facts.items() if value is not None}
    if facts:
        camera = replace(camera or Camera(), **facts)
    if "aliases" in tables:
        with in_table(options.config_file, "aliases"):
            aliases = KeywordAliases().extended(**tables["aliases"])
    rules = options.type or {}
    return {
        "camera": camera,
        # patterns of the command line come first, and replace the same ones of the file
        "types": {**rules, **tables.get("types", {}), **rules} or None,
        "aliases": aliases,
        "hdu": options.hdu,
    }


def _arguments(options: Namespace) -> dict[str, Any]:
    """Return the arguments of ``reduce`` and ``open_night`` for the options."""
    from autowisp_xr import Matching

    return {
        **of_frames(options),
        "masters": options.masters,
        "matching": Matching(
            temperature=options.temperature_tolerance,
            exposure=options.exposure_tolerance,
            scale_dark=False if options.scale_dark == "no" else options.scale_dark,
            allow_mismatch=options.allow_mismatch or (),
            keywords=options.match or (),
            group_by=options.group_by
            and tuple(name for name in options.group_by if name != "none"),
            prefer=options.prefer,
        ),
    }


def camera(options: Namespace) -> int:
    """Print what frames show of their camera, and write it with pictures."""
    target = Path(options.out).expanduser()
    if target.exists() and not options.overwrite:
        # before all the work
        raise FileExistsError(sentence("camera_exists", path=target))
    load("dask.array", "autowisp_xr.night.camera_report")
    from autowisp_xr.night import measure_camera

    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    found = measure_camera(paths, **of_frames(options), report=print_line)
    for one in found:
        path = target.with_stem(f"{target.stem}-{one.place}") if one.place else target
        if one.exit_status != 1:
            one.write(path, _folder(options.pictures, path), overwrite=options.overwrite)
        print(f"\n{one}", end="")
    statuses = {one.exit_status for one in found} or {1}
    return 3 if len(statuses) > 1 else statuses.pop()


def _folder(given: str | None, path: Path) -> Path | None:
    """Return the folder of the pictures; None where none are wanted."""
    if given == "none":
        return None
    return path.with_name(f"{path.stem}-pictures") if given is None else Path(given).expanduser()


def report(options: Namespace) -> int:
    """Write the page about results, and previews if they are wanted."""
    load("dask.array", "autowisp_xr.night.reduced_night")
    from autowisp_xr import report

    print(f"wrote {report(options.out, previews=options.previews or None)}")
    return 0


def finish(out: str, *, wanted: bool) -> None:
    """End a command with a page about its results, or the line that would make one."""
    from autowisp_xr import report
    from autowisp_xr.report.page import PAGE

    command = f"autowisp-xr report {shlex.quote(str(out))}"
    if not wanted:
        earlier = Path(out).expanduser() / PAGE
        renewed = f"{earlier} is of an earlier run; to renew it"
        purpose = renewed if earlier.exists() else "for a page about it, with pictures"
        print(f"{purpose}: {command}")
        return
    try:
        print(f"a page about it: {report(out)}")
    except MissingPackageError as error:
        print(f"{error}, then {command}")


def run(options: Namespace) -> int:
    """Carry out units of a file; print what they have written, and what was in the way."""
    load("dask.array", "autowisp_xr.night.running")
    from autowisp_xr import night
    from autowisp_xr.night.unit_lines import read_units

    path, numbers = Path(options.units).expanduser(), options.numbers
    one = re.fullmatch(r"(.+)\[(\d+)\]", str(path))
    if one and not path.exists():
        path, numbers = Path(one[1]), (int(one[2]), *(numbers or ()))
    units = read_units(path)
    for number in numbers or ():
        if not 1 <= number <= len(units):
            raise OptionError(f"{path} has units 1 to {len(units)}, and no number {number}")
    others = 0
    for number in numbers or range(1, len(units) + 1):
        done = night.run(units[number - 1])
        there = f", {len(done.found)} there already" if done.found else ""
        print(f"unit {number}: {counted(len(done.files), 'file')} written{there}")
        for file, is_this in done.found.items():
            if not is_this:
                others += 1
                print(f"  kept: {file}, which holds something else")
    return 3 if others else 0


def verify(options: Namespace) -> int:
    """Print whether each product is what its record makes, and return the worst status."""
    load("dask.array", "autowisp_xr.night.verifying")
    from autowisp_xr import night

    found: Counter[str] = Counter()
    for path in options.products:
        try:
            verified = night.verify(path)
        except (AutowispError, OSError) as error:
            if options.debug:
                raise
            print(_refusal(path, described(error)), flush=True)
            found["cannot be verified"] += 1
        else:
            print(verified, flush=True)
            found["differs" if verified.differences else "same"] += 1
    if len(options.products) > 1:
        counts = ", ".join(f"{found[one]} {one}" for one in reversed(_STATUS) if found[one])
        print(f"{len(options.products)} products: {counts}")
    return next(status for outcome, status in _STATUS.items() if found[outcome])


def _refusal(path: str, error: str) -> str:
    return error if error.startswith(f"{path}: cannot") else f"{path}: cannot be verified: {error}"
