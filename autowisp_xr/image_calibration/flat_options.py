"""Options of ``MasterFlatMaker``: their groups as documented, and the selection that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.image_calibration.parameters import check_names
from autowisp_xr.image_calibration.stacked_master import check_options
from autowisp_xr.stats.averages import average_named

__all__ = ["SELECTION", "STATISTICS", "FlatOptions"]

STATISTICS = ("fraction", "smoother", "outlier_threshold", "max_iter", "average")

SELECTION = (
    "max_saturated_fraction",
    "var_mean_fit_threshold",
    "var_mean_fit_iterations",
    "cloudy_night_threshold",
    "cloudy_frame_threshold",
    "min_high_mean",
    "max_low_mean",
)

_FEWEST = {"min_high_combine": "min_high_frames", "min_low_combine": "min_low_frames"}
_MATCHING = ("min_pointing_separation", "large_scale_deviation_threshold")
_STACKS = ("large_scale_stack_options", "master_stack_options")


@dataclass(frozen=True)
class FlatOptions:
    """All that one master is made with; changing it makes another."""

    selection: FlatSelection
    large_scale: Mapping[str, Any]
    """How the reference is stacked, by the names of :class:`MasterMaker`."""
    master: Mapping[str, Any]
    """How the masters are."""
    output: Mapping[str, Any] = field(default_factory=dict)
    """``compress`` and ``allow_overwrite``, where they are given among the options of a stack."""

    @classmethod
    def of(
        cls,
        large_scale_smoother: Any,
        cloud_check_smoother: Any,
        stacking_options: Mapping[str, Any],
        statistics: Sequence[Mapping[str, Any] | None],
        selection: Sequence[Mapping[str, Any] | None],
        stack: Sequence[Mapping[str, Any] | None],
    ) -> Self:
        """Of groups of options, of which later ones go before earlier ones."""
        untested: dict[str, Any] = dict.fromkeys(
            (*SELECTION, *_MATCHING, "cloudy_frame_significance")
        )
        base = FlatSelection(
            **untested,
            large_scale_smoother=large_scale_smoother,
            cloud_check_smoother=cloud_check_smoother,
        )
        stacking_options = {**stacking_options, "min_valid_frames": 1}
        options = cls(base, stacking_options, stacking_options)
        for given in statistics:
            options = options._with_statistics(given or {})
        # at once: levels of one group may overlap with those of another that it replaces
        options = options._with_selection(
            {k: v for given in selection for k, v in (given or {}).items()}
        )
        for given in stack:
            options = options._with_stack(given or {})
        return options

    def _with_statistics(self, given: Mapping[str, Any]) -> Self:
        """With other stamps; what is None stays."""
        return self._selecting(
            {name: value for name, value in given.items() if value is not None},
            STATISTICS,
            "option of stamp statistics",
        )

    def _with_selection(self, given: Mapping[str, Any]) -> Self:
        """With other tests of the stamps; None switches one off."""
        return self._selecting(given, SELECTION, "option of stamp selection")

    def _with_stack(self, given: Mapping[str, Any]) -> Self:
        """With other tests of whole frames, and other stacks; of these, what is not given stays."""
        check_names(given, (*_FEWEST, *_MATCHING, *_STACKS), "option of master_stack_config")
        changes: dict[str, Any] = {name: given[name] for name in _MATCHING if name in given}
        changes |= {ours: given[name] for name, ours in _FEWEST.items() if name in given}
        large_scale = given.get("large_scale_stack_options") or {}
        master = dict(given.get("master_stack_options") or {})
        output = {n: master.pop(n) for n in ("compress", "allow_overwrite") if n in master}
        known = [name for name in self.master if name != "min_valid_frames"]
        for stack in (large_scale, master):
            # how many frames a master needs is said by min_high_combine and min_low_combine
            check_names(stack, known, "stacking option of flats")
        try:
            selection = replace(self.selection, **changes)
        except ValueError as error:
            text = str(error)
            for theirs, ours in _FEWEST.items():
                text = text.replace(ours, theirs)
            raise ValueError(text) from None
        changed = replace(
            self,
            selection=selection,
            large_scale={**self.large_scale, **large_scale},
            master={**self.master, **master},
            output={**self.output, **output},
        )
        check_options(changed.large_scale)
        check_options(changed.master, changed.output.get("compress"))
        return changed

    def _selecting(self, given: Mapping[str, Any], names: tuple[str, ...], what: str) -> Self:
        check_names(given, names, what)
        changes = dict(given)
        if "average" in changes:
            average = average_named(changes["average"])
            if isinstance(average, float):
                raise ValueError(f"average is 'mean' or 'median', not {given['average']!r}")
            changes["average"] = average
        return replace(self, selection=replace(self.selection, **changes))
