"""A golden case: a directory of inputs and expectations; a comparison states what differs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Case", "cases_in"]


def cases_in(directory: Path) -> dict[str, Path]:
    """Directories of the cases in a directory, by name."""
    return {path.parent.name: path.parent for path in sorted(directory.glob("*/params.json"))}


class Case:
    """One case; what an adapter compares with it is counted, so that none compares nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.params: dict[str, Any] = self.json("params.json")
        self.comparisons = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def rtol(self) -> float:
        """Relative tolerance of floating-point numbers; all others are exact."""
        return float(self.params.get("rtol", 0.0))

    def json(self, name: str) -> Any:
        """Content of a JSON file, in which the text "inf" stands for infinity."""
        text = (self.path / name).read_text(encoding="utf-8")
        return json.loads(text, object_hook=_with_infinity)

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Arrays of an .npz file, without the mistakes of the original (``upstream_*``)."""
        with np.load(self.path / name) as file:
            return {key: file[key] for key in file.files if not key.startswith("upstream_")}

    def compare_all(
        self, actual: Mapping[str, Any], name: str = "expected.npz", *, where: str = ""
    ) -> None:
        """Compare with all arrays of an .npz file; none may be missing on either side."""
        expected = self.arrays(name)
        assert set(actual) == set(expected), (
            f"{self.name}: the adapter gives {sorted(actual)}, {name} holds {sorted(expected)}"
        )
        for key, values in expected.items():
            self.compare(f"{key}{where}", actual[key], values)

    def compare(self, what: str, actual: Any, expected: Any, rtol: float | None = None) -> None:
        """Compare one array or value; NaN equals NaN, and what is no float is exact."""
        self.comparisons += 1
        ours, theirs = np.asarray(actual), np.asarray(expected)
        label = f"{self.name}: {what}"
        assert ours.shape == theirs.shape, (
            f"{label} has the shape {ours.shape}, expected {theirs.shape}"
        )
        tolerance = self.rtol if rtol is None else rtol
        if "f" in (ours.dtype.kind, theirs.dtype.kind):
            same = np.isclose(ours, theirs, rtol=tolerance, atol=0.0, equal_nan=True)
        else:
            tolerance = 0.0
            same = np.asarray(ours == theirs)
        if same.all():
            return
        places = np.argwhere(~same)
        first = tuple(int(index) for index in places[0])
        at = f" at {list(first)}" if first else ""
        raise AssertionError(
            f"{label} differs in {len(places)} of {same.size} places (rtol {tolerance:g}), "
            f"first{at}: {ours[first]!r}, expected {theirs[first]!r}"
        )


def _with_infinity(given: dict[str, Any]) -> dict[str, Any]:
    return {key: math.inf if value == "inf" else value for key, value in given.items()}
