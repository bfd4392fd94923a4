"""What the comparisons with the original share: its process, a reader of each side, a table."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autowisp_xr as aw
from autowisp_xr.headers.cards import parse_header

__all__ = ["main", "read_here", "read_there", "run", "same_bits", "same_numbers"]

Line = tuple[str, str, dict[str, bool]]
"""What was compared, of which file, and what of it is the same."""

COLUMNS = ("image", "error", "mask", "header", "classes")

# what the header of a file states of its bytes, and our history, which is in a place of its own
_LEFT_OUT = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT"}
_LEFT_OUT |= {"EXTEND", "CHECKSUM", "DATASUM", "HISTORY"}

_HEAD = """
import json, logging, sys
import numpy as np

logging.disable(logging.CRITICAL)
with open(sys.argv[1]) as file:
    job = json.load(file)
"""

_READ = """
from autowisp.fits_utilities import read_image_components

for number, name in enumerate(job["read"]):
    image, error, mask, header = read_image_components(name)
    np.savez(f"there{number}.npz", image=image, error=error, mask=mask)
    cards = [[card.keyword, str(card.value), card.comment] for card in header.cards]
    with open(f"there{number}.json", "w") as file:
        json.dump(cards, file)
"""


def run(python: str, script: str, job: dict[str, Any]) -> None:
    """Run lines of Python where the original is; ``job`` and ``np`` are there."""
    Path("job.json").write_text(json.dumps(job))
    command = [python, "-W", "ignore", "-c", _HEAD + script, "job.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the original failed:\n{done.stderr}")


def read_here(name: str) -> dict[str, Any]:
    """Planes and cards of a file as this package reads them."""
    ds = aw.open_fits(name, dtype="float64").isel(frame=0, channel=0)
    header = parse_header(str(ds["header"].values))
    cards = [[card.keyword, str(card.value), card.comment] for card in header.cards]
    planes = {plane: ds[plane].values for plane in ("image", "variance", "mask")}
    return {**planes, "cards": [card for card in cards if card[0] not in _LEFT_OUT]}


def read_there(python: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Planes and cards of files as the original reads them."""
    run(python, _READ, {"read": list(names)})
    return {name: _read(number) for number, name in enumerate(names)}


def _read(number: int) -> dict[str, Any]:
    with np.load(f"there{number}.npz") as file:
        planes = dict(file)
    planes["variance"] = planes["error"].astype(np.float64) ** 2
    cards = json.loads(Path(f"there{number}.json").read_text())
    return {**planes, "cards": [card for card in cards if card[0] not in _LEFT_OUT]}


def same_bits(ours: Any, theirs: Any) -> bool:
    return np.array_equal(ours, theirs, equal_nan=np.asarray(ours).dtype.kind == "f")


def same_numbers(ours: Any, theirs: Any, rtol: float = 1e-12, atol: float = 1e-9) -> bool:
    return np.shape(ours) == np.shape(theirs) and np.allclose(
        ours, theirs, rtol=rtol, atol=atol, equal_nan=True
    )


def main(description: str, compare: Callable[[str], Iterator[Line]]) -> int:
    """Compare in a temporary directory, print the table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--python", required=True, help="interpreter that has autowisp installed")
    given = parser.parse_args()
    # a relative name would be sought in the directory of the comparison
    python = os.path.abspath(given.python) if os.sep in given.python else given.python
    warnings.simplefilter("ignore", aw.AutowispWarning)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        lines = list(compare(python))
        os.chdir(os.sep)
    sys.stdout.write(_table(lines))
    different = sum(not all(same.values()) for _, _, same in lines)
    return 1 if different or not lines else 0


def _table(lines: Sequence[Line]) -> str:
    used = [name for name in COLUMNS if any(_key(name) in same for _, _, same in lines)]
    words = {True: "same", False: "DIFFER", None: ""}
    rows = [["", "file", *used]]
    for what, name, same in lines:
        rows.append([what, name, *(words[same.get(_key(column))] for column in used)])
    rows.append([f"{len(lines)} lines", "", *[""] * len(used)])
    return "".join(
        f"{what:26}{name:39}" + "".join(f"{word:>8}" for word in found) + "\n"
        for what, name, *found in rows
    )


def _key(column: str) -> str:
    return "variance" if column == "error" else column
