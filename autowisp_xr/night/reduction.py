"""``reduce``: a directory of raw frames becomes masters and calibrated frames."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import dask.config
import xarray as xr

from autowisp_xr import flats, frames, provenance, recipes
from autowisp_xr.bridge.memory_limit import MemoryLimit, in_force, limited
from autowisp_xr.camera import Camera
from autowisp_xr.filesystem.full_disks import writing_to
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.frames.names import Paths
from autowisp_xr.frames.parallel_writing import settings as threads
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.kernels.jit import warm_up
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching
from autowisp_xr.night.checks_of_raw import doubts_on_repeats
from autowisp_xr.night.defect_masks import DefectMasks, DefectsChoice, read_masks
from autowisp_xr.night.engines import workers_of
from autowisp_xr.night.exporting import Exporter
from autowisp_xr.night.known_cameras import known_cameras
from autowisp_xr.night.plan import Plan, Product, by_setup, plan_night
from autowisp_xr.night.planned_units import check_frames, planned_units
from autowisp_xr.night.product_writing import STORE, RawPlace, StoreForm, Writer
from autowisp_xr.night.projection import projection_of
from autowisp_xr.night.recipes import Recipes
from autowisp_xr.night.record import Record, mend
from autowisp_xr.night.renewal import leftovers
from autowisp_xr.night.results_directory import SUMMARY, checked_places, claim
from autowisp_xr.night.sentences import counted, sentence
from autowisp_xr.night.summary import Summary
from autowisp_xr.night.unit_lines import check_units, write_units
from autowisp_xr.night.units import Cfa, Make
from autowisp_xr.options import MIN_FLAT, CosmicRaysChoice, check_min_flat
from autowisp_xr.recipes import remove_unused_inputs
from autowisp_xr.steps.cosmic_rays import as_cosmic_rays

_MASTERS = 8
"""The part of the memory limit in which masters stay in memory."""


def reduce(
    night: str | PathLike[str],
    out: str | PathLike[str],
    *,
    camera: Camera | None = None,
    types: Mapping[str, str] | None = None,
    aliases: KeywordAliases | None = None,
    hdu: HduName | None = None,
    masters: Paths | None = None,
    matching: Matching | None = None,
    select: "flats.FlatSelection | None" = None,
    min_flat: float = MIN_FLAT,
    make_fringes: bool = False,
    defects: DefectsChoice = None,
    cosmic_rays: CosmicRaysChoice = None,
    checks: bool = True,
    checksum: bool = True,
    store: StoreForm = "recipe",
    raw: RawPlace = "store",
    fits: bool = True,
    cfa: Cfa = "split",
    skip: Collection[str | PathLike[str]] = (),
    overwrite: bool = False,
    memory_limit: MemoryLimit = None,
    prune: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    units: str | PathLike[str] | Make | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Make masters and calibrated frames of all raw frames in a directory.

    Frames are found in the directory and below it, sorted by type, and grouped by size, binning,
    channel layout, gain setting, filter, temperature and exposure. Each group of biases, darks and
    flats becomes a master; each science frame is calibrated with the masters that match it. A frame
    or group that fails does not stop the others; what would need a master that failed is left out.
    Copies of one exposure (compressed, renamed, linked) count once. A frame whose pixels all have
    one value is left out. What is made is looked at, and what is doubtful about it is reported in
    the summary and in its header; nothing is left out for that.

    Parameters
    ----------
    night
        Directory of FITS files, or of raw files of a camera; they are only read.
    out
        Directory for the results: ``masters/`` and ``calibrated/`` as FITS, ``night.zarr`` with
        everything, ``summary.txt``. A run that was interrupted is taken up where it stopped. After
        frames came, changed or went, what depends on them is made again, and the summary states
        what and why; all else stays.
    camera
        What is known about the camera; the headers complete it. Where gain or read noise is in
        neither, both are measured from pairs of flats and of biases, and ``camera.toml`` in ``out``
        states what was found.
    types
        {pattern: type}: what frames are whose headers do not give it, or a wrong one;
        see :func:`~autowisp_xr.open_fits`.
    aliases
        The aliases of each quantity, where the usual ones do not do.
    hdu
        Which HDU is the image, where files hold several: its number or its name; see
        :func:`~autowisp_xr.open_fits`. Masters of other nights that hold one image have that.
    masters
        Files or directories with masters of other nights, for what this night has none of.
    matching
        How much frames may differ from their masters, and whether darks may be scaled.
    select
        Which flats are good: the high ones of each filter make its master, and the summary states
        why others were left out. None takes all.
    min_flat
        Share of the mean of a flat from which on a pixel of it counts as lit; see
        :func:`~autowisp_xr.divide_flat`.
    make_fringes
        Whether a master fringe frame is made of 3 or more lights of a filter, which have to be
        dithered, and subtracted from them as by :func:`~autowisp_xr.subtract_fringe`. Without, it
        is where one of the filter is among ``masters``.
    defects
        Files of masks of pixels that are not to be trusted, by this package or others (where what
        is not 0 is bad); "none" for no mask. None finds them in the biases, darks and flats of each
        setup, see :func:`autowisp_xr.measure.defects`, and writes them to ``masters/defects.fits``.
    cosmic_rays
        True, or a :class:`~autowisp_xr.CosmicRays`: flag them in the science frames, as
        :func:`~autowisp_xr.flag_cosmic_rays` does; the summary has the number of pixels a frame.
    checks
        Whether frames and results are looked at for what may be wrong with them, and SHA-256 of all
        files noted. Without, the headers are believed (gain and read noise are measured where they
        do not state them), blank and garbled frames are not found, nothing is doubted, and what
        was written is known by its size and time alone. The summary reports that.
    checksum
        Whether frames are left out whose pixels are not those of the DATASUM in their header.
    store
        What ``night.zarr`` has of the calibrated frames: "recipe", the raw integers, and how they
        are calibrated, which :func:`~autowisp_xr.open_zarr` does when they are looked at, to the
        same bits; or "pixels", which take about nine times the room.
    raw
        Where a recipe has the raw pixels: in the "store", or as a "link" to their FITS files, which
        have to stay where and as they are: size and time, else SHA-256, are compared before use.
    fits
        Whether calibrated frames are written to FITS files as well.
    cfa
        How calibrated frames of a colour camera leave as FITS: "split", a file for each channel; or
        "merged", one mosaic with BAYERPAT, as programs want it that debayer. Masters are split.
    skip
        Files and directories below ``night`` that are left alone.
    overwrite
        Whether results in ``out`` of other frames alone, or of the same frames and another camera
        or other options, may be replaced. What no run of this has written there, and what was
        changed since, is kept in any case, and the summary names it.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`. What takes more is listed as failed.
    prune
        Whether results of frames that are gone, which the summary lists, are removed, as far as a
        run of this has written them and nobody has changed them since.
    scheduler, workers
        Address of the scheduler of a cluster of dask.distributed, or how many processes to start on
        this machine, that calibrate the frames and write their files, as units of work: see
        :func:`autowisp_xr.night.run`. Without both, it is the Client that is active, or else the
        threads of this process. The files are the same, and names have to mean the same everywhere.
    units
        File for the units of the whole night, a line of JSON each, instead of any of the work: the
        engine of a site carries them out, by ``autowisp-xr run``, those that ``make`` first, each
        after those that it ``needs``, then in any order those that ``export``. When all are done,
        this without ``units`` finds everything there, and writes the summary. Or one of those that
        make, whose product alone is made, for :func:`autowisp_xr.night.run`.
    report
        Called with a line of text for each step.

    Returns
    -------
    What was made of what, which master was chosen and why others were not, the reason for each
    frame that was left out, a ``verdict`` in one line and an ``exit_status``: 1 where something
    failed or nothing was made, else 3 where lights were left out (or files that may be lights),
    else 0. As text it is short; all of it rests as a table in the group ``summary`` of the store.

    Raises
    ------
    ValueError
        If ``select`` lets channels choose apart, ``min_flat`` is no share, ``types`` names a type
        that there is not, or ``masters`` is ``out``.
    FileNotFoundError, NotADirectoryError
        If there is no such directory, or no FITS file in it.
    FileExistsError
        If ``out`` holds something that is no earlier run of this, or ``units`` is another file.
    MissingPackageError
        If cosmic rays are to be flagged, without astroscrappy.
    NotWrittenError
        Where the disk of ``out`` is full or read-only, naming room and remedy; the next run goes on
        from there.
    InUseError
        If another run is writing to ``out``, naming its host and process. One that was killed
        is taken over from.

    Notes
    -----
    Where no dark has the exposure, a longer one is scaled down, unless ``matching`` forbids it,
    and the notes give the price. Flats that no dark fits are calibrated without, with a note on how
    much dark current they hold; science frames are left out if there are darks of their setup, but
    none that fits.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> for frames in (night.bias(3), night.dark(3), night.flat(3), night.objects(2)):
    ...     files = frames.autowisp.to_fits(f"{folder}/raw/{{RAWFNAME}}.fits")
    >>> summary = aw.reduce(f"{folder}/raw", f"{folder}/reduced", camera=night.camera)
    >>> summary.exit_status, [made.what for made in summary.made]
    (0, ['master bias', 'master dark_60s', 'master flat_V', 'calibrated V_60s'])
    """
    unusual = {name: one for name, one in locals().items() if one != _USUAL.get(name, one)}
    if select is not None and not select.together:
        raise ValueError(sentence("not_together"))
    check_min_flat(min_flat)
    for name, value, choices in (
        ("store", store, StoreForm),
        ("raw", raw, RawPlace),
        ("cfa", cfa, Cfa),
    ):
        if value not in get_args(choices):
            raise ValueError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")
    masks = read_masks(defects)
    rays = as_cosmic_rays(cosmic_rays)
    others = [masters] if isinstance(masters, str | PathLike) else list(masters or ())
    source, target = checked_places(night, out, others, overwrite)
    making = units if isinstance(units, Make) else None
    file = Path(units).expanduser() if units is not None and not isinstance(units, Make) else None
    if file is not None:
        check_units(file)
    with writing_to(target), ExitStack() as held:
        held.enter_context(limited(memory_limit))
        claim(target, held, wait=making is not None)
        client = held.enter_context(workers_of(scheduler, workers)) if fits else None
        held.enter_context(provenance.digests(checks))
        held.enter_context(dask.config.set(threads()))
        held.enter_context(recipes.at_hand(in_force().bytes // _MASTERS))
        given: dict[str, Any] = {"camera": camera, "masters": others, "matching": matching}
        given |= {"types": types, "aliases": aliases, "hdu": hdu, "skip": [target, *skip]}
        given |= {"look": checks, "checksum": checksum and checks}
        warm_up()
        damaged = mend(target / STORE)
        given["manifest"] = frames.Manifest(target / STORE)
        plan = plan_night(night, **given, report=report)
        plan = replace(plan, make_fringes=make_fringes)
        if making is not None:
            check_frames(plan, making)
        read = [record.path for record in plan.records]
        if others:
            read += frames.find_files(others, deep=True, skip=[target])
        of_plan: dict[str, Any] = {"left_out": dict(plan.left_out)}
        of_plan["notes"] = [*damaged, *plan.notes]
        summary = Summary(plan=plan, out=str(out), **of_plan)
        if not checks:
            summary.notes.append(sentence("no_checks"))
        if file is not None:
            places = (os.path.abspath(source), os.path.abspath(target))
            planned = planned_units(plan, *places, unusual, fits=fits)
            write_units(file, planned)
            values = {"number": counted(len(planned), "unit"), "path": file}
            return replace(summary, left=sentence("units_left", **values))
        takes = projection_of(plan, target, form=store, link=raw == "link", fits=fits)
        for line in (takes.line, *takes.warnings):
            report(line)
        summary.notes += takes.warnings
        record = Record(target, target / STORE, read)
        exporter = Exporter(target, record, cfa, checks, client, making)
        form: dict[str, Any] = {"form": store, "link": raw == "link"}
        writer = Writer(target, overwrite, summary, report, record, exporter, checks, fits, **form)
        known = known_cameras(plan, writer, camera)
        cameras = {place: one.camera for place, one in known.items()}
        nominal = {place: one.library for place, one in known.items()}
        found = DefectMasks(masks, by_setup(plan.sets), cameras, writer)
        by_recipe = Recipes(cameras, plan.matching, select, min_flat, rays, checks, found, nominal)
        _execute(plan, writer, by_recipe)
        if making is not None:
            return summary
        summary.notes += doubts_on_repeats(summary.plan.sets, summary.levels)
        summary.notes += summary.plan.doubts
        if record.renewals and not summary.failed:
            record.renewals.clear()
            record.save()
        _look_for_leftovers(writer, prune)
        if writer.kept and (target / SUMMARY).exists():
            report(sentence("summary_kept", path=target / SUMMARY))
        elif summary.made or not (target / SUMMARY).exists():
            writer.write_text(target / SUMMARY, str(summary))
            summary.to_zarr(target / STORE)
    return summary


def _execute(plan: Plan, writer: Writer, recipes: Recipes) -> None:
    """Make everything that the frames allow, and note in the summary what became of the plan."""
    summary, making, number = writer.summary, writer.exporter.making, 0

    def make(product: Product) -> xr.Dataset | None:
        made = writer.attempt(product, partial(recipes.make, product))
        if made is not None and product.is_master:
            recipes.made[product.frames.path] = made
            recipes.groups[product.frames.path] = product.group
        return made

    def remake(group: str) -> bool:
        # what is in no group of a product is written again with what it belongs to
        made = [make(one) for one in plan.products if one.group == group]
        return all(one is not None for one in made)

    writer.remake = remake
    while number < len(plan.products):
        product = plan.products[number]
        number += 1
        if making is not None and product.group not in (making.group, *making.needs):
            continue
        if product.stopped:
            why = recipes.why_stopped(product)
            summary.left_out.update(dict.fromkeys(product.choices_of, why))
            continue
        of_lights = bool(KINDS[product.kind].made_of)
        if of_lights or not product.is_master:
            recipes.masks.find(product.frames.place)
        made = make(product)
        if made is None and product.is_master:
            plan = plan.without(product.frames.path, "the summary states why, under Failed")
        if made is None and of_lights:
            # the lights go without
            reasons = {summary.failed.pop(path, "") for path in product.choices_of} - {""}
            summary.notes += [f"WARNING: {reason}" for reason in sorted(reasons)]
    summary.plan = plan


def _look_for_leftovers(writer: Writer, prune: bool) -> None:
    """List, or remove, results of earlier runs of which the frames are gone, or in other sets."""
    summary = writer.summary
    used = {path for one in (*summary.made, *summary.masks) for path in one.inputs}
    planned = {one.group for one in summary.plan.products} | writer.attempted
    found = leftovers(writer.record, used, planned)
    summary.leftovers = (*found.files, *found.groups)
    summary.notes += found.notes(removed=prune)
    if prune and summary.leftovers:
        found.remove(writer.record)
    remove_unused_inputs(writer.record.store)


_USUAL: dict[str, Any] = reduce.__kwdefaults__ or {}
