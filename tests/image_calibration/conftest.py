"""Every test has a directory of its own, and names files in it as the documentation does."""

from pathlib import Path

import pytest

QUIET = (
    # masters of these tests are made in a moment, of whatever headers are at hand
    "ignore:.*it is applied as the master:autowisp_xr.errors.AutowispWarning",
    "ignore:a pixel needs:autowisp_xr.errors.AutowispWarning",
)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents and "warn" not in item.name:
            for rule in QUIET:
                item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path
