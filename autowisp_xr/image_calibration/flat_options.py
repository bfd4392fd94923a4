"""The options of ``MasterFlatMaker`` by group, and the selection and stacks that they make."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.frames.write import quantize_level
from autowisp_xr.image_calibration.parameters import check_names
from autowisp_xr.image_calibration.stacked_master import STACKING, Stacking
from autowisp_xr.stats.averages import average_named

Group = Mapping[str, Any] | None
"""Options of a group by name; None for none."""

GROUPS = ("stamp_statistics_config", "stamp_select_config", "master_stack_config")
"""The groups of options, as class and call take them."""

STATISTICS = ("fraction", "smoother", "outlier_threshold", "max_iter", "average")
SELECTION = (
    *("max_saturated_fraction", "var_mean_fit_threshold", "var_mean_fit_iterations"),
    *("cloudy_night_threshold", "cloudy_frame_threshold", "min_high_mean", "max_low_mean"),
)
_MATCHING = ("min_pointing_separation", "large_scale_deviation_threshold")
_FEWEST = {"min_high_combine": "min_high_frames", "min_low_combine": "min_low_frames"}
_LARGE_SCALE, _MASTER = "large_scale_stack_options", "master_stack_options"
_OUTPUT = ("compress", "allow_overwrite")
# min_high_combine and min_low_combine are the numbers of frames that a master needs
_STACK = [name for name in STACKING if name != "min_valid_frames"]


class FlatOptions(NamedTuple):
    """All that the masters of one call are made with."""

    selection: FlatSelection
    large_scale: Stacking
    """How the reference is stacked."""
    master: Stacking
    """How the masters are stacked."""
    output: Mapping[str, Any]
    """``compress`` and ``allow_overwrite``, where they are given among the options of a stack."""


def flat_options(
    stacking: Mapping[str, Any], smoothers: Mapping[str, Any], given: Sequence[Mapping[str, Group]]
) -> FlatOptions:
    """Return the options that the masters of one call are made with.

    Parameters
    ----------
    stacking
        How frames are stacked unless a group has its own options.
    smoothers
        ``large_scale_smoother`` and ``cloud_check_smoother``.
    given
        Groups by the names of ``GROUPS``; later ones go before earlier ones. An option of
        statistics that is None stays as it was; a limit that is None, or not given, is for no such
        test.

    Raises
    ------
    TypeError
        For a name that is no option, with those near it.
    ValueError
        For values that cannot be.
    """
    statistics, selection, stack = ([each.get(name) or {} for each in given] for name in GROUPS)
    statistics = [{n: v for n, v in group.items() if v is not None} for group in statistics]
    stamps = _merged(statistics, STATISTICS, "option of stamp statistics")
    if "average" in stamps:
        average = average_named(stamps["average"])
        if isinstance(average, float):
            raise ValueError(f"average is 'mean' or 'median', not {stamps['average']!r}")
        stamps["average"] = average
    limits = _merged(selection, SELECTION, "option of stamp selection")
    config = _merged(
        stack, (*_FEWEST, *_MATCHING, _LARGE_SCALE, _MASTER), "option of master_stack_config"
    )
    large_scale, master = (
        _merged([group.get(name) or {} for group in stack], names, "stacking option of flats")
        for name, names in ((_LARGE_SCALE, _STACK), (_MASTER, (*_STACK, *_OUTPUT)))
    )
    output = {name: master.pop(name) for name in _OUTPUT if name in master}
    quantize_level(output.get("compress"))
    found: dict[str, Any] = dict.fromkeys((*SELECTION, *_MATCHING, "cloudy_frame_significance"))
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


def _merged(groups: Sequence[Mapping[str, Any]], names: Sequence[str], what: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for group in groups:
        check_names(group, names, what)
        merged |= group
    return merged
