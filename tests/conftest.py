"""Where the data are that do not travel with the project, and how thorough Hypothesis is.

Hypothesis looks at the same examples every time, so that a change is held against what was before
it; HYPOTHESIS_PROFILE=explore looks at others each time. It never minds how long one takes.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "explore",
    max_examples=60,
    deadline=None,
    # Said, because Hypothesis turns it on by itself where the variable CI is set.
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "same", settings.get_profile("explore"), max_examples=30, derandomize=True, database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

_PROJECT = Path(__file__).resolve().parents[1]
_PARTS = ("oracle", "data")


def shared_directory() -> Path | None:
    """Directory that holds ``oracle/``, ``data/`` or both; None where there is none.

    It is ``../shared`` beside the project, unless AUTOWISP_XR_SHARED names another. A directory
    that was named and is not there is an error: its tests should not be skipped in silence.
    """
    named = os.environ.get("AUTOWISP_XR_SHARED")
    directory = Path(named).expanduser() if named else _PROJECT.parent / "shared"
    if any((directory / part).is_dir() for part in _PARTS):
        return directory.resolve()
    if named:
        raise pytest.UsageError(f"AUTOWISP_XR_SHARED={named} holds neither oracle/ nor data/")
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of real frames and golden cases."""
    directory = shared_directory()
    if directory is None:
        pytest.skip("no shared directory; AUTOWISP_XR_SHARED=DIR names one")
    return directory


@pytest.fixture(scope="session")
def real(shared: Path) -> Path:
    """The directory of real frames."""
    if not (shared / "data").is_dir():
        pytest.skip("no real frames in the shared directory")
    return shared / "data"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two workers of dask.distributed, of one thread each.

    Their start takes seconds: all tests of them are in one file, which one process of pytest runs.
    """
    distributed = pytest.importorskip("distributed")
    two = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    # on a busy machine they take longer to end than dask waits, which it warns of
    with distributed.LocalCluster(**two, silence_logs=logging.ERROR) as started:
        yield started
