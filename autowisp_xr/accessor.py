"""The accessor ``ds.autowisp``, by which verbs of the package are methods of every Dataset.

A method *is* its function, bound to the Dataset: it has the signature and the documentation of the
function, which is imported when it is first called.
"""

from operator import attrgetter
from types import MethodType
from typing import Any

import xarray as xr

import autowisp_xr as aw
from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera


def _overview() -> Any:
    """Return the module that scripts, which show nothing, need not wait for."""
    from autowisp_xr import overview

    return overview


class _Verb:
    """A public function, given by its name, whose first argument is the object of the accessor."""

    def __init__(self, name: str) -> None:
        self.function = attrgetter(name)

    def __get__(self, accessor: Any, owner: type) -> Any:
        function = self.function(aw)
        return function if accessor is None else MethodType(function, accessor._on)


class Pictures:
    """Pictures of a Dataset of frames; calling it draws one frame, as ``frame`` does.

    They are drawn on ``ax``, else on a new figure of pyplot, and return the axes.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._on = ds

    __call__ = _Verb("plot.frame")
    frame = _Verb("plot.frame")
    before_after = _Verb("plot.before_after")
    flags = _Verb("plot.flags")
    noise = _Verb("plot.noise")
    histogram = _Verb("plot.histogram")
    stack = _Verb("plot.stack")
    night = _Verb("plot.night")
    blink = _Verb("plot.blink")


@xr.register_dataset_accessor("autowisp")
class AutowispAccessor:
    """Verbs of calibration and stacking on a Dataset of frames."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._on = ds

    def __repr__(self) -> str:
        return _overview().as_text(self._on)

    def _repr_html_(self) -> str:
        return _overview().as_html(self._on)

    @property
    def camera(self) -> Camera:
        """The camera that travels with the frames."""
        return schema.camera_of(self._on)

    def history(self) -> list[dict[str, Any]]:
        """Return the records of all steps that led here, oldest first."""
        return provenance.history(self._on)

    where_type = _Verb("where_type")
    flagged = _Verb("flagged")
    masked = _Verb("masked")
    split_channels = _Verb("split_channels")
    merge_channels = _Verb("merge_channels")
    concat = _Verb("concat")

    trim = _Verb("trim")
    subtract_bias_level = _Verb("subtract_bias_level")
    flag_saturated = _Verb("flag_saturated")
    flag_cold_pixels = _Verb("flag_cold_pixels")
    flag_cosmic_rays = _Verb("flag_cosmic_rays")
    apply_masks = _Verb("apply_masks")
    subtract_overscan = _Verb("subtract_overscan")
    subtract_bias = _Verb("subtract_bias")
    correct_crosstalk = _Verb("correct_crosstalk")
    linearise = _Verb("linearise")
    add_noise = _Verb("add_noise")
    subtract_dark = _Verb("subtract_dark")
    divide_flat = _Verb("divide_flat")
    subtract_fringe = _Verb("subtract_fringe")
    calibrate = _Verb("calibrate")

    stamp_statistics = _Verb("stamp_statistics")
    select_flats = _Verb("select_flats")
    stack = _Verb("stack")
    fill = _Verb("fill")

    @property
    def plot(self) -> Pictures:
        """Pictures: ``plot.frame()``, ``plot.flags()``, ``plot.night()`` and others."""
        return Pictures(self._on)

    wcs = _Verb("wcs")
    to_zarr = _Verb("to_zarr")
    to_fits = _Verb("to_fits")
    to_ccddata = _Verb("to_ccddata")


class NightPictures:
    """Pictures of a night, which is a DataTree."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._on = tree

    night = _Verb("plot.night")


@xr.register_datatree_accessor("autowisp")
class AutowispNightAccessor:
    """Verbs of a night, which is a DataTree."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._on = tree

    def __repr__(self) -> str:
        return _overview().tree_as_text(self._on)

    def _repr_html_(self) -> str:
        return _overview().tree_as_html(self._on)

    info = _Verb("night.info")

    @property
    def plot(self) -> NightPictures:
        """Pictures: ``plot.night()``."""
        return NightPictures(self._on)
