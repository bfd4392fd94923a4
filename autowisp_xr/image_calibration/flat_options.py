"""Options of ``MasterFlatMaker``: their groups as documented, and the selection that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.frames.write import quantize_level
from autowisp_xr.image_calibration.parameters import check_names
from autowisp_xr.image_calibration.stacked_master import Stacking
from autowisp_xr.stats.averages import average_named

Group = Mapping[str, Any] | None
"""Options of a group by name; None for none."""

_STATISTICS = ("fraction", "smoother", "outlier_threshold", "max_iter", "average")
_SELECTION = (
    *("max_saturated_fraction", "var_mean_fit_threshold", "var_mean_fit_iterations"),
    *("cloudy_night_threshold", "cloudy_frame_threshold", "min_high_mean", "max_low_mean"),
)
_MATCHING = ("min_pointing_separation", "large_scale_deviation_threshold")
_FEWEST = {"min_high_combine": "min_high_frames", "min_low_combine": "min_low_frames"}
_LARGE_SCALE, _MASTER = "large_scale_stack_options", "master_stack_options"
_OUTPUT = ("compress", "allow_overwrite")
# how many frames a master needs is said by min_high_combine and min_low_combine
_STACK = [field.name for field in fields(Stacking) if field.name != "min_valid_frames"]


class FlatOptions(NamedTuple):
    """All that the masters of one call are made with."""

    selection: FlatSelection
    large_scale: Stacking
    """How the reference is stacked."""
    master: Stacking
    """How the masters are."""
    output: Mapping[str, Any]
    """``compress`` and ``allow_overwrite``, where they are given among the options of a stack."""


def flat_options(
    stacking: Mapping[str, Any],
    smoothers: Mapping[str, Any],
    statistics: Sequence[Group],
    selection: Sequence[Group],
    stack: Sequence[Group],
) -> FlatOptions:
    """Options of groups, of which later ones go before earlier ones.

    Parameters
    ----------
    stacking
        How frames are stacked where the groups do not say otherwise.
    smoothers
        ``large_scale_smoother`` and ``cloud_check_smoother``.
    statistics
        Options of stamps; one that is None stays as it was.
    selection
        Limits of the tests of stamps; None, or one that is not given, is for no such test.
    stack
        What ``master_stack_config`` may hold; so are the limits in it.

    Raises
    ------
    TypeError
        For a name that is no option, with those near it.
    ValueError
        For values that cannot be.
    """
    given = [{n: v for n, v in (group or {}).items() if v is not None} for group in statistics]
    stamps = _merged(given, _STATISTICS, "option of stamp statistics")
    if "average" in stamps:
        average = average_named(stamps["average"])
        if isinstance(average, float):
            raise ValueError(f"average is 'mean' or 'median', not {stamps['average']!r}")
        stamps["average"] = average
    limits = _merged(selection, _SELECTION, "option of stamp selection")
    config = _merged(
        stack, (*_FEWEST, *_MATCHING, _LARGE_SCALE, _MASTER), "option of master_stack_config"
    )
    large_scale, master = (
        _merged([(group or {}).get(name) for group in stack], names, "stacking option of flats")
        for name, names in ((_LARGE_SCALE, _STACK), (_MASTER, (*_STACK, *_OUTPUT)))
    )
    output = {name: master.pop(name) for name in _OUTPUT if name in master}
    quantize_level(output.get("compress"))
    found: dict[str, Any] = dict.fromkeys((*_SELECTION, *_MATCHING, "cloudy_frame_significance"))
    found |= {_FEWEST.get(n, n): v for n, v in config.items() if n in (*_FEWEST, *_MATCHING)}
    try:
        chosen = FlatSelection(**(found | dict(smoothers) | stamps | limits))
    except ValueError as error:
        text = str(error)
        for theirs, ours in _FEWEST.items():
            text = text.replace(ours, theirs)
        raise ValueError(text) from None
    usual = {**stacking, "min_valid_frames": 1}
    return FlatOptions(chosen, Stacking(**usual | large_scale), Stacking(**usual | master), output)


def _merged(groups: Sequence[Group], names: Sequence[str], what: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for group in groups:
        check_names(group or {}, names, what)
        merged |= group or {}
    return merged
