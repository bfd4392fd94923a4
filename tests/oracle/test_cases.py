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
    flats,
    masks,
    smoothing,
    stacking,
)
from tests.oracle.case import Case, cases_in

ADAPTERS: dict[str, tuple[Callable[[Case], None], ...]] = {
    "binzoom": (smoothing.binzoom,),
    "calibrate": (calibration.calibrate, classes.calibrate),
    "classify": (flats.classify,),
    "cli": (commands.cli,),
    "colocated": (flats.colocated,),
    "errors": (classes.errors,),
    "expressions": (commands.expressions,),
    "header_merge": (files.header_merge,),
    "largescale": (flats.largescale,),
    "masks": (masks.masks,),
    "masterflat": (flats.masterflat,),
    "overscan": (calibration.overscan,),
    "polyfit": (smoothing.polyfit,),
    "product": (files.product,),
    "rawfname": (files.rawfname,),
    "rejection": (averages.rejection,),
    "satmask": (masks.satmask,),
    "smooth": (smoothing.smooth,),
    "stack": (stacking.stack, classes.stack),
    "stamps": (flats.stamps,),
    "thresholds": (averages.thresholds,),
    "timing": (classes.timing,),
}
"""How each family is run: through the verbs, the classes, or both. A case belongs to the longest
family that its name starts with."""

COMMITTED = Path(__file__).parent / "cases"


def _shared() -> dict[str, Path]:
    directory = shared_directory()
    return {} if directory is None else cases_in(directory / "oracle")


def _family(name: str) -> str | None:
    families = [family for family in ADAPTERS if name.startswith(family)]
    return max(families, key=len, default=None)


def _parameters() -> list[Any]:
    # a case in both places is run once, as it is in the directory that was pointed at
    cases = {**cases_in(COMMITTED), **_shared()}
    return [pytest.param(path, id=name) for name, path in sorted(cases.items())]


# of a flat alone
@pytest.mark.filterwarnings("ignore:no bias, dark or level")
@pytest.mark.parametrize("path", _parameters())
def test_agrees_with_the_original(path: Path) -> None:
    family = _family(path.name)
    if family is None:
        pytest.fail(f"no family of ADAPTERS has cases named {path.name!r}")
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
