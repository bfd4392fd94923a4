"""The page: all that is known of a night that was reduced, in one file that needs no other."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from operator import methodcaller
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from autowisp_xr import provenance, recipes, store
from autowisp_xr.errors import MissingPackageError
from autowisp_xr.frames.atomic_write import write_whole
from autowisp_xr.night import ReducedNight
from autowisp_xr.night.record import Record
from autowisp_xr.night.results_directory import claim
from autowisp_xr.night.sentences import by_reason, sentence
from autowisp_xr.plot.camera_curves import photon_transfer_curve
from autowisp_xr.plot.stretches import StretchName
from autowisp_xr.plot.stretches import check as check_stretch
from autowisp_xr.report import charts, words
from autowisp_xr.report.flow import NARROW, SMALL, WIDE, anchor, flow_of
from autowisp_xr.report.products import masters_of, sets_of
from autowisp_xr.report.products import previews as previews_of

PAGE = "report.html"

_LARGEST, _SMALLEST = 560, 160
"""Pixels along the longer side of pictures, if there are few of them, or many."""
_PICTURES = 18
"""So many of the largest take 3 MB."""

_COURSES = {"object": "sky", "bias": "level", "dark": "level", "darkflat": "level", "flat": "level"}
"""What is drawn against time of each kind of frames, in this order."""


def report(out: str | PathLike[str], *, previews: StretchName | None = None) -> Path:
    """Write a page about a night that was reduced, with pictures, into its results.

    Parameters
    ----------
    out
        Directory of the results of :func:`~autowisp_xr.reduce`, which are all that is read (but for
        raw frames that are not among them, where these are still in their place).
    previews
        "asinh", "zscale" or "linear": write a PNG of each master and calibrated frame to
        ``previews`` in ``out`` as well, with this stretch, Bayer sets in colour.

    Returns
    -------
    The file, ``report.html`` in ``out``. It is one page without scripts that loads nothing from
    elsewhere: the verdict, what is doubtful, what corrects what, masters, sets before and after,
    level and noise of each frame against time, the photon transfer curve, what was left out and
    why, and how all was made. An earlier one is replaced.

    Raises
    ------
    FileNotFoundError
        If there are no results in ``out``.
    FileExistsError
        If there is a ``report.html`` that this has not written, or that was changed since, or such
        a preview.
    ValueError
        For a stretch that there is not.
    AutowispError
        If an earlier version has made the results.
    MissingPackageError
        Without jinja2 or matplotlib.
    InUseError
        If results are being written there at this moment.

    Notes
    -----
    Planes are read a band of rows at a time, of calibrated frames one of each set.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> for frames in (night.bias(3), night.objects(2)):
    ...     files = frames.autowisp.to_fits(f"{folder}/raw/{{RAWFNAME}}.fits")
    >>> summary = aw.reduce(f"{folder}/raw", f"{folder}/reduced", camera=night.camera)
    >>> page = aw.report(f"{folder}/reduced")
    """
    _need_packages()
    if previews is not None:
        check_stretch(previews)
    recorded = ReducedNight.of(out)
    with ExitStack() as held:
        claim(recorded.out, held)
        record = Record(recorded.out, recorded.store)
        _check(record, PAGE)
        page = _written(record, PAGE, _rendered(recorded).encode(errors="backslashreplace"))
        for place, content in previews_of(recorded, previews) if previews else ():
            _written(record, place, content)
        record.save()
    return page


def _written(record: Record, place: str, content: bytes) -> Path:
    """Write a file into the results, unless somebody else has."""
    path = _check(record, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    record.begin_text(str(path), content)
    write_whole([(str(path), methodcaller("write", content))], overwrite=True)
    return path


def _check(record: Record, place: str) -> Path:
    """Return the path of a file that may be written; FileExistsError where it may not."""
    path = record.target / place
    why = record.why_kept(str(path))
    if why:
        raise FileExistsError(sentence("report_kept", path=path, why=why))
    return path


def _need_packages() -> None:
    try:
        import jinja2  # noqa: F401
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(sentence("no_report", package=error.name)) from error


def _rendered(recorded: ReducedNight) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from matplotlib import rc_context

    environment = Environment(
        loader=PackageLoader("autowisp_xr.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"coded": words.coded, "number": words.number, "moment": words.moment}
    number = sum(1 if one.is_master else 2 for one in recorded.made)
    side = np.clip(_LARGEST * np.sqrt(_PICTURES / max(number, 1)), _SMALLEST, _LARGEST)
    with rc_context({"font.size": 9, "axes.titlesize": 9}):
        parts: dict[str, Any] = {
            "masters": list(masters_of(recorded, side)),
            "sets": list(sets_of(recorded, side)),
            "courses": list(_courses(recorded)),
            "curves": list(_curves(recorded)),
        }
    style = Path(__file__).with_name("report.css").read_text("utf-8")
    return environment.get_template("report.html.jinja").render(
        **parts,
        night=recorded,
        title=words.title_of(recorded),
        subtitle=list(_subtitle(recorded)),
        state=_state(recorded),
        # that doubts are listed first is seen
        verdict=[part for part in recorded.verdict.split("; ") if not part.startswith("doubtful")],
        numbers=list(_numbers(recorded)),
        doubts=list(_doubts(recorded)),
        flows=[("wide", flow_of(recorded, WIDE)), ("narrow", flow_of(recorded, NARROW))],
        lost=list(_lost(recorded)),
        files=list(_files(recorded)),
        products=list(_products(recorded)),
        took=words.duration(recorded.began, recorded.ended),
        style=style,
        small=SMALL,
        out=recorded.out.resolve(),
    )


def _state(recorded: ReducedNight) -> str:
    """Return in a word how a night went, for the colour of the verdict."""
    if recorded.exit_status == 0:
        return "doubtful" if recorded.doubts else "good"
    return "failed" if recorded.exit_status == 1 else "partial"


def _subtitle(recorded: ReducedNight) -> Iterator[str]:
    table = recorded.table
    lights = table.isel(file=table["image_type"].values == "object")
    for name in ("object", "camera"):
        yield words.listed((lights if lights.sizes["file"] else table)[name].values.tolist())
    yield words.times_of(table)


def _numbers(recorded: ReducedNight) -> Iterator[tuple[str, str, str]]:
    """Yield the numbers that count, with what they are of and the place that has more."""
    fates = recorded.table["fate"].values
    if recorded.lights:
        done = f"{recorded.calibrated} of {recorded.lights}"
        yield done, "lights calibrated", "#lights" if recorded.calibrated else ""
    number = recorded.masters
    yield str(number), "master" if number == 1 else "masters", "#masters" if number else ""
    lost = int((fates != "used").sum())
    yield str(lost), f"{'file' if lost == 1 else 'files'} left out", "#left-out" if lost else ""
    number = len(recorded.doubts)
    yield str(number), "doubt" if number == 1 else "doubts", "#doubts" if number else ""


def _doubts(recorded: ReducedNight) -> Iterator[tuple[str, str, str]]:
    """Yield the sort of each doubt, what it is about, and the rest."""
    for line in recorded.doubts:
        sort, _, text = line.partition(": ")
        about, colon, rest = text.partition(": ")
        short = colon and len(about) < 60
        yield (sort.lower(), about if short else "", rest if short else text)


def _courses(recorded: ReducedNight) -> Iterator[tuple[str, charts.Chart]]:
    """Yield level and noise of the frames of each kind against time."""
    table = recorded.table
    table = table.isel(file=np.isfinite(table["level"].values))
    for kind, what in _COURSES.items():
        own = table.isel(file=table["image_type"].values == kind)
        names = own["set"].values
        sets = []
        for name in dict.fromkeys(names.tolist()):
            one = own.isel(file=names == name)
            order = np.argsort(one["time"].values, kind="stable")
            one = one.isel(file=order)
            columns = (one[column].values for column in ("time", "level", "noise"))
            sets.append(charts.Series(name, *columns))
        if sets:
            svg = charts.course(sets, f"c-{kind}", what)
            title = words.frames_of_kind(2, kind).partition(" ")[2].capitalize()
            yield title, charts.Chart(svg, charts.described(sets, what))


def _curves(recorded: ReducedNight) -> Iterator[tuple[str, charts.Chart]]:
    for number, (place, curve) in enumerate(recorded.curves.items()):
        figure = photon_transfer_curve(curve)
        figure.set_size_inches(4.8, 4.6)
        figure.suptitle("")
        alt = "; ".join(
            f"{channel}: gain {gain:.4g} e/ADU, read noise {noise:.4g} e"
            for channel, gain, noise in zip(
                *(curve[name].values.tolist() for name in ("channel", "gain", "read_noise")),
                strict=True,
            )
        )
        yield place, charts.Chart(charts.as_svg(figure, f"p-{number}"), alt)


def _lost(recorded: ReducedNight) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what became of files that were not used, why, and their names."""
    table = recorded.table
    columns = (table[name].values.tolist() for name in ("path", "fate", "reason"))
    rows = list(zip(*columns, strict=True))
    for fate in ("failed", "left out"):
        reasons = {path: why for path, is_fate, why in rows if is_fate == fate}
        reasons = {path: why.removeprefix(path).lstrip(": ") for path, why in reasons.items()}
        for why, paths in by_reason(reasons).items():
            yield fate, why, [Path(path).name for path in paths]


def _files(recorded: ReducedNight) -> Iterator[dict[str, Any]]:
    """Yield a row for each file."""
    table = recorded.table
    for number in range(table.sizes["file"]):
        row = {str(name): values.values[number] for name, values in table.data_vars.items()}
        time = "" if np.isnat(row["time"]) else str(row["time"].astype("datetime64[s]"))
        yield {
            "name": Path(str(row["path"])).name,
            "kind": words.frames_of_kind(1, str(row["image_type"])).partition(" ")[2],
            "set": row["set"],
            "exposure": words.span_of(np.array([row["exposure"]]), "s"),
            "temperature": words.span_of(np.array([row["temperature"]]), "°C"),
            "time": time.replace("T", " "),
            "level": "" if np.isnan(row["level"]) else words.number(row["level"], 5),
            "noise": "" if np.isnan(row["noise"]) else words.number(row["noise"], 3),
            "fate": row["fate"],
        }


def _products(recorded: ReducedNight) -> Iterator[Mapping[str, Any]]:
    """Yield how each product was made."""
    for one in recorded.made:
        steps = provenance.history(recipes.outline(recorded.store, group=one.group))
        yield {
            "anchor": anchor(one),
            "name": one.name,
            "identity": (store.stated_identity(recorded.store, one.group) or "").partition("-")[0],
            "steps": ", ".join(step["verb"] for step in steps),
            "line": one.line,
        }
