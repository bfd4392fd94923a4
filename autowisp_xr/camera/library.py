"""Gain and read noise of common cameras by their model and setting, each with its source.

Decision: they are nominal, and cameras of one model differ by some percent: what frames of the
night show, headers state or a user gives is better, and comes first. The values, and what is needed
to add a camera, are in ``library.toml``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autowisp_xr.own_tables import table_beside


@dataclass(frozen=True, kw_only=True)
class Nominal:
    """What is known of a model at a setting."""

    model: str
    values: Mapping[str, float] = field(default_factory=dict, hash=False)
    """``gain`` in electrons per ADU, ``read_noise`` in electrons; as far as they are known."""
    source: str = ""


def nominal(model: str, setting: float = math.nan, white: float | None = None) -> Nominal:
    """Return what is known of a camera by its model.

    Parameters
    ----------
    model
        As INSTRUME has it.
    setting
        ISO, or the gain setting; NaN where nothing states it.
    white
        Level of white in its files, in ADU, by which the depths are told apart in which it can be
        read; None where nothing states it.

    Returns
    -------
    Without values, where nothing is known of this very model at this very setting.

    Examples
    --------
    >>> nominal("Canon EOS 40D", 800).values
    {'gain': 0.39, 'read_noise': 5.3}
    >>> nominal("Canon EOS 40D", 1250).values
    {}
    """
    entry = _by_model().get(_key(model))
    if entry is None or (white or 0.0) < entry.get("white", 0.0):
        return Nominal(model=model)
    for one in entry["values"]:
        if "setting" not in one or one["setting"] == setting:
            known = {name: value for name, value in one.items() if name != "setting"}
            return Nominal(model=model, values=known, source=entry["source"])
    return Nominal(model=model)


@cache
def _by_model() -> dict[str, Any]:
    table = table_beside(__file__)
    return {_key(model): entry for entry in table["cameras"] for model in entry["models"]}


def _key(model: str) -> str:
    return " ".join(model.split()).casefold()
