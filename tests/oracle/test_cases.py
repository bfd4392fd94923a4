"""The golden cases, each a test of the name of its directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import shared_directory
from tests.oracle import averages, calibration, files, masks, stacking
from tests.oracle.case import Case, cases_in

ADAPTERS: dict[str, Callable[[Case], None]] = {
    "calibrate": calibration.calibrate,
    "header_merge": files.header_merge,
    "masks": masks.masks,
    "overscan": calibration.overscan,
    "product": files.product,
    "rawfname": files.rawfname,
    "rejection": averages.rejection,
    "satmask": masks.satmask,
    "stack": stacking.stack,
    "thresholds": averages.thresholds,
}
"""How each family is run. A case belongs to the longest family that its name starts with."""

OPEN: dict[str, str] = {
    "binzoom": "image smoothing is not there yet",
    "classify": "the selection of flats is not there yet",
    "cli": "the command line is not there yet",
    "colocated": "the selection of flats is not there yet",
    "errors": "the classes of the original are not there yet",
    "expressions": "expressions over headers are not there yet",
    "largescale": "the selection of flats is not there yet",
    "masterflat": "the selection of flats is not there yet",
    "polyfit": "image smoothing is not there yet",
    "smooth": "image smoothing is not there yet",
    "stamps": "the selection of flats is not there yet",
    "timing": "the headers of the original's classes are not there yet",
}
"""Families whose turn has not come, and why."""

COMMITTED = Path(__file__).parent / "cases"


def _shared() -> dict[str, Path]:
    directory = shared_directory()
    return {} if directory is None else cases_in(directory / "oracle")


def _family(name: str) -> str | None:
    families = [family for family in (*ADAPTERS, *OPEN) if name.startswith(family)]
    return max(families, key=len, default=None)


def _parameters() -> list[Any]:
    # a case in both places is run once, as it is in the directory that was pointed at
    cases = {**cases_in(COMMITTED), **_shared()}
    parameters = []
    for name, path in sorted(cases.items()):
        reason = OPEN.get(_family(name) or "")
        marks = [] if reason is None else [pytest.mark.xfail(run=False, reason=reason)]
        parameters.append(pytest.param(path, id=name, marks=marks))
    return parameters


@pytest.mark.parametrize("path", _parameters())
def test_agrees_with_the_original(path: Path) -> None:
    family = _family(path.name)
    if family is None:
        pytest.fail(f"no family of ADAPTERS or OPEN has cases named {path.name!r}")
    case = Case(path)
    ADAPTERS[family](case)
    assert case.comparisons, f"the adapter of {family} compared nothing"


def test_every_shared_directory_is_a_case() -> None:
    directory = shared_directory()
    if directory is None or not (directory / "oracle").is_dir():
        pytest.skip("only the committed cases are run; AUTOWISP_XR_SHARED=DIR names all of them")
    directories = {path.name for path in (directory / "oracle").iterdir() if path.is_dir()}
    assert directories == set(_shared())
