"""What it takes to see what an archive holds: the first time, and from its manifest.

    python -m tests.benchmarks.scanning [--files N] [--nights N] [--rounds N]

Each job is a process of its own, on tiny files of biases, darks, flats in five filters and lights
of four exposures in each, with 40 cards a header: the import alone; headers by one process, by as
many as there are cores, and from a manifest; and all of ``info`` the first time and from the
manifest. The CPU is that of all processes, the peak of memory that of the largest.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from tests.benchmarks._common import (
    Floor,
    Job,
    compare,
    footer,
    option_parser,
    place,
    ratio,
    table,
)

__all__ = ["main"]

BASE = "import"
FILTERS = ("B", "V", "R", "I", "Ha")
EXPOSURES = (30.0, 60.0, 120.0, 300.0)
OF_NIGHT = (
    *(("BIAS", 0.0, "", 0.1),),
    *(("DARK", exposure, "", 0.05) for exposure in EXPOSURES),
    *(("FLAT", 2.0 + number, name, 0.04) for number, name in enumerate(FILTERS)),
    *(("LIGHT", exposure, name, 0.025) for exposure in EXPOSURES for name in FILTERS),
)
"""Type, exposure, filter, and share of the frames of a night."""

COMMENTED = {"EXPTIME": "[s] exposure", "RA": "[deg]", "DEC": "[deg]", "CCD-TEMP": "[degC]"}
START = (
    "import autowisp_xr as aw; aw.open_night; from autowisp_xr import frames;"
    "from autowisp_xr.night import info, table_of_night;"
)
JOBS = {
    BASE: "",
    "headers, one process": "from autowisp_xr.frames.scanning import look_into;"
    "print(len(look_into(frames.find_files(FOLDER, deep=True))))",
    "headers": "print(len(frames.scan(FOLDER, deep=True)))",
    "headers from the manifest": "print(len(frames.Manifest(STORE).scan(FOLDER, deep=True)))",
    "info": "print(len(info(table_of_night(FOLDER, manifest='none'))))",
    "info from the manifest": "print(len(info(table_of_night(FOLDER, manifest=STORE))))",
    "open_night from the manifest": "print(len(aw.open_night(FOLDER, manifest=STORE).children))",
}


def archive(folder: Path, number: int, nights: int) -> None:
    """Write about so many files of 16 x 16 pixels into a folder for each night."""
    rng = np.random.default_rng(5)
    for night in range(nights):
        when = datetime(2025, 1, 1, 17) + timedelta(days=night)
        below = folder / f"{when:%Y-%m-%d}"
        below.mkdir(parents=True)
        for kind, exposure, band, share in OF_NIGHT:
            for each in range(max(round(number / nights * share), 1)):
                name = f"{kind}_{band or 'x'}_{exposure:g}s_{each:04d}.fits"
                cards = dict(_cards(kind, exposure, band, when, rng))
                header = "".join(_card(key, value) for key, value in cards.items()) + "END"
                header = header.ljust(-(-len(header) // 2880) * 2880)
                pixels = (rng.normal(500, 8, (16, 16)) - 32768).astype(">i2").tobytes()
                (below / name).write_bytes(header.encode() + pixels.ljust(2880, b"\0"))
                os.utime(below / name, (1.7e9, 1.7e9))
                when += timedelta(seconds=min(exposure, 60) + 1.5)


def _cards(
    kind: str, exposure: float, band: str, when: datetime, rng: np.random.Generator
) -> Iterator[tuple[str, object]]:
    """Yield the cards of a program for astronomical cameras."""
    yield from {"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 16, "NAXIS2": 16}.items()
    yield from {"BSCALE": 1.0, "BZERO": 32768.0, "IMAGETYP": kind, "EXPTIME": exposure}.items()
    yield from {"EXPOSURE": exposure, "DATE-OBS": when.isoformat("T", "milliseconds")}.items()
    yield from {"XBINNING": 1, "YBINNING": 1, "GAIN": 100, "OFFSET": 50, "EGAIN": 0.25}.items()
    yield from {"INSTRUME": "ASI2600MM", "SET-TEMP": -10.0, "READOUTM": "Default"}.items()
    yield "CCD-TEMP", round(float(rng.normal(-10, 0.1)), 1)
    if band:
        yield "FILTER", band
    if kind == "LIGHT":
        yield from {"OBJECT": "M31", "AIRMASS": 1.2, "OBJCTROT": 0.0}.items()
        yield from {"RA": float(rng.uniform(0, 360)), "DEC": float(rng.uniform(-30, 80))}.items()
    yield from {"XPIXSZ": 3.76, "YPIXSZ": 3.76, "USBLIMIT": 40, "TELESCOP": "EQMOD"}.items()
    yield from {"FOCALLEN": 800.0, "FOCRATIO": 4.0, "SITEELEV": 120.0, "SITELAT": 47.2}.items()
    yield from {"SITELONG": 19.1, "FOCNAME": "EAF", "FOCTEMP": 8.5, "ROWORDER": "TOP-DOWN"}.items()
    yield from {"FOCPOS": int(rng.integers(5000, 5200)), "EQUINOX": 2000.0}.items()
    yield "SWCREATE", "capture 3.1"


def _card(key: str, value: object) -> str:
    written = {True: "T", False: "F"}[value] if isinstance(value, bool) else repr(value)
    text = f"'{value:8}'" if isinstance(value, str) else f"{written:>20}"
    comment = COMMENTED.get(key)
    return f"{key:8}= {text}{f' / {comment}' if comment else ''}"[:80].ljust(80)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare all."""
    parser = option_parser("What it takes to see what an archive holds.")
    parser.add_argument("--files", type=int, default=10_000, help="(default: %(default)s)")
    parser.add_argument("--nights", type=int, default=1, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    with place(given.directory) as directory, place(None) as folder:
        frames = directory / f"archive_{given.files}_{given.nights}"
        if not frames.exists():
            archive(frames, given.files, given.nights)
        where = f"FOLDER, STORE = {str(frames)!r}, {str(folder / 'manifest.zarr')!r}; "
        jobs = [
            Job(name=name, command=[sys.executable, "-c", START + where + code], is_ours=True)
            for name, code in JOBS.items()
        ]
        results = compare(jobs, given.rounds, given.rounds)
    print(table(f"{given.files} files of {given.nights} nights", results, BASE), end="\n\n")
    for name, result in results.items():
        print(f"CPU of {name}: {statistics.median(result.cpu):.2f} s")
    spent = {name: result.median - results[BASE].median for name, result in results.items()}
    more = results["info"].mebibytes - results[BASE].mebibytes
    floors = [
        Floor("info the first time, wall s", results["info"].median, 5, False),
        Floor(
            "info from the manifest, beyond the import", spent["info from the manifest"], 1, False
        ),
        Floor("info the first time, MiB", results["info"].mebibytes, 300, False),
        Floor("of it beyond the import, MiB", more, 300, False),
        Floor(
            "headers, one process / all cores",
            ratio(results, "headers, one process", "headers"),
            1.3,
        ),
    ]
    print(footer(None, floors))


if __name__ == "__main__":
    main()
