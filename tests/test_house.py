"""The tools that keep the house in order, run as part of the tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command as run; run()"],
    ],
    ids=["lint", "format", "types", "floors"],
)
def test_a_tool_finds_nothing_to_report(command):
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_longer_than_a_reader_can_hold():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in ROOT.glob("autowisp_xr/**/*.py")
    }
    assert len(lengths) > 40
    assert {path: n for path, n in lengths.items() if n > 400} == {}


def test_every_time_that_is_none_and_every_duration_has_a_unit():
    # numpy 2.5 deprecates those without, and older ones, which Python 3.11 gets, state nothing
    found = []
    for path in (*ROOT.glob("autowisp_xr/**/*.py"), *ROOT.glob("tests/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(attr="datetime64"), [ast.Constant("NaT")]) | ast.Call(
                    ast.Attribute(attr="timedelta64"), [_]
                ):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_importing_the_package_loads_nothing_that_only_some_need():
    code = (
        "import sys, autowisp_xr; only_some = ('matplotlib', 'distributed', 'numba', 'scipy', "
        "'dask', 'zarr', 'astropy'); print([name for name in only_some if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented():
    import autowisp_xr as aw

    for name in aw.__all__:
        thing = getattr(aw, name)
        assert thing.__doc__, name
    with pytest.raises(AttributeError, match="stak"):
        aw.stak  # noqa: B018
