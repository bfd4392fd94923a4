"""The golden cases, each a test of the name of its directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import shared_directory
from tests.oracle import (
    averages,
    calibration,
    classes,
    commands,
    files,
    masks,
    smoothing,
    stacking,
)
from tests.oracle.case import Case, cases_in

ADAPTERS: dict[str, tuple[Callable[[Case], None], ...]] = {
    "binzoom": (smoothing.binzoom,),
    "calibrate": (calibration.calibrate, classes.calibrate),
    "cli": (commands.cli,),
    "errors": (classes.errors,),
    "expressions": (commands.expressions,),
    "header_merge": (files.header_merge,),
    "masks": (masks.masks,),
    "overscan": (calibration.overscan,),
    "polyfit": (smoothing.polyfit,),
    "product": (files.product,),
    "rawfname": (files.rawfname,),
    "rejection": (averages.rejection,),
    "satmask": (masks.satmask,),
    "smooth": (smoothing.smooth,),
    "stack": (stacking.stack, classes.stack),
    "thresholds": (averages.thresholds,),
    "timing": (classes.timing,),
}
"""How each family is run: through the verbs, the classes, or both. A case belongs to the longest
family that its name starts with."""

OPEN: dict[str, str] = {
    "classify": "the selection of flats is not there yet",
    "colocated": "the selection of flats is not there yet",
    "largescale": "the selection of flats is not there yet",
    "masterflat": "the selection of flats is not there yet",
    "stamps": "the selection of flats is not there yet",
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
    for adapter in ADAPTERS[family]:
        before = case.comparisons
        adapter(case)
        assert case.comparisons > before, f"the adapter {adapter} of {family} compared nothing"


def test_every_shared_directory_is_a_case() -> None:
    directory = shared_directory()
    if directory is None or not (directory / "oracle").is_dir():
        pytest.skip("only the committed cases are run; AUTOWISP_XR_SHARED=DIR names all of them")
    directories = {path.name for path in (directory / "oracle").iterdir() if path.is_dir()}
    assert directories == set(_shared())
