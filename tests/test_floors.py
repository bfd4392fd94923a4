"""The floors of ``pyproject.toml`` are those of ``floors.txt``, on which all tests pass."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FLOOR = re.compile(r"([\w-]+)(?:\[\w+\])?(?:>=|==)([\d.]+?)(?:\.\*)?$")


def floors(lines):
    return {found[1]: found[2] for found in map(_FLOOR.match, lines) if found}


def test_floors_that_tests_run_on_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = dict(project["optional-dependencies"])
    # these are for measurements on the newest
    del extras["stores"], extras["bench"]
    wanted = floors([*project["dependencies"], *(one for some in extras.values() for one in some)])
    assert floors((ROOT / "tests" / "floors.txt").read_text(encoding="utf-8").split()) == wanted
