"""The order of the single verbs, which the history of frames shows.

A bias that is subtracted twice, or from frames that a flat has divided, leaves numbers that look
like others, and a variance that fits them. Verbs refuse it, as far as histories go: what a step of
the user did between them is the user's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.errors import CalibrationError

ORDER = (
    *("subtract_bias_level", "flag_saturated", "subtract_overscan", "subtract_bias", "linearise"),
    *("add_noise", "subtract_dark", "divide_flat"),
)
"""The verbs, as ``calibrate`` takes their steps one after the other."""

_AGAIN = {"flag_saturated", "subtract_overscan"}
"""What may be done twice: flags are only added, passes are each measured on what the last left."""

_OF_MASTERS = {"bias": "subtract_bias", "dark": "subtract_dark", "flat": "divide_flat"}


def check_order(
    ds: xr.Dataset, verb: str, line: Mapping[str, Any], masters: Mapping[str, xr.Dataset | None]
) -> None:
    """Raise CalibrationError where a verb comes a second time, or too late.

    Parameters
    ----------
    ds
        Frames, whose history counts.
    verb, line, masters
        What is about to be done to them, as their history will state it. Another flat than before
        may follow, as that of an illumination does.
    """
    if verb not in _verbs_of({"verb": verb, "options": line}):
        return
    flat = masters.get("flat")
    own = "" if flat is None else provenance.identity(flat)
    done: dict[str, str] = {}
    for step in provenance.history(ds):
        for name in _verbs_of(step):
            if name != "divide_flat" or not own or step["masters"].get("flat") == own:
                done.setdefault(name, step["verb"])
    # flags are of what comes before them, and change nothing that comes after
    late = [name for name in ORDER[ORDER.index(verb) + 1 :] if name != "flag_saturated"]
    for name in (*([] if verb in _AGAIN else [verb]), *late):
        if name in done:
            by = "" if done[name] == name else f" (by {done[name]})"
            wrong = "it comes once" if name == verb else f"{verb} comes before it"
            raise CalibrationError(
                f"{name} was done to the frames already{by}, and {wrong}: the order is "
                f"{', '.join(ORDER)}"
            )


def _verbs_of(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the verbs that a step of a history has done."""
    options, verb = step.get("options", {}), step.get("verb")
    if verb == "calibrate":
        yield from ("flag_saturated", "add_noise")
        yield from (_OF_MASTERS[kind] for kind in step.get("masters", {}) if kind in _OF_MASTERS)
        if options.get("overscan_areas"):
            yield "subtract_overscan"
        if options.get("bias_level"):
            yield "subtract_bias_level"
    elif verb == "subtract_bias_level":
        yield from [verb] if options.get("level") else []
    elif verb == "add_noise":
        # read noise alone depends on no level
        yield from [verb] if options.get("photons") != "none" else []
    elif verb in ORDER:
        yield verb
