"""``MasterFlatMaker`` sorts files of flats, and writes those of a high and a low master."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from autowisp_xr import schema
from autowisp_xr.arrays import Image
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flats.large_scale import check_clouds, large_scale_match, matched
from autowisp_xr.flats.pointings import nearest_pointings
from autowisp_xr.flats.selection import select_flats, stamp_statistics
from autowisp_xr.flats.verdicts import CLASSES, by_deviation, mark, members, recorded
from autowisp_xr.headers.cards import parse_header, value_of
from autowisp_xr.headers.values import to_degrees
from autowisp_xr.image_calibration.classified_files import FlatClasses, files_of
from autowisp_xr.image_calibration.flat_options import (
    GROUPS,
    SELECTION,
    STATISTICS,
    FlatOptions,
    Group,
    flat_options,
)
from autowisp_xr.image_calibration.loaded_masters import UNSET
from autowisp_xr.image_calibration.master_maker import MasterMaker
from autowisp_xr.image_calibration.outputs import check_two_outputs
from autowisp_xr.image_calibration.stacked_master import (
    Files,
    computed,
    listed,
    opened,
    prepared,
    stacked,
    write_master,
)
from autowisp_xr.image_smoothing.smoother import ImageSmoother
from autowisp_xr.options import with_options
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.stats.floats import as_floats


class MasterFlatMaker(MasterMaker):
    """Choose good flats from calibrated FITS files, and stack them to a high and a low master.

    What the constructor is given holds for all masters; the same groups of options in a call hold
    for that call only, and need name no more than what differs.

    Parameters
    ----------
    stamp_statistics_config
        Keyword arguments of :meth:`configure_stamp_statistics`.
    stamp_select_config
        Keyword arguments of :meth:`configure_stamp_selection`.
    large_scale_smoother
        Makes the large-scale shape of the ratio of reference to frame, by which the frame is
        multiplied; None to leave shapes as they are.
    cloud_check_smoother
        Smooths what the frame then differs from the reference by; None for no check.
    master_stack_config
        ``min_pointing_separation`` [arcsec] and ``large_scale_deviation_threshold``, None (or not
        given) for no such test; ``min_high_combine`` (10) and ``min_low_combine`` (5), the fewest
        frames of a master; ``large_scale_stack_options`` and ``master_stack_options``, how the
        reference and the masters are stacked, by the names of :class:`MasterMaker`, the latter also
        with ``compress`` and ``allow_overwrite``.

    Attributes
    ----------
    stamp_statistics_config, stamp_select_config, master_stack_config : dict
        As above; what is not in them has its default.
    large_scale_smoother, cloud_check_smoother
        As above.

    Raises
    ------
    ImageMismatchError
        In a call, for frames of several filters (FILTER).

    Notes
    -----
    The tests, in their order, are those of :class:`autowisp_xr.FlatSelection`; one whose limit is
    not given is **not made**: without any, all frames are high. As in the original,
    pixels that bear flags take part in stamps, smoothing and the mean that a frame is divided by
    (:func:`autowisp_xr.master_flat` leaves them out), frames go into the reference as they are
    (there, scaled to their medians), and the uncertainty is that of :class:`MasterMaker`. Unlike in
    the original, saturated frames are a class of their own, ``min_low_combine`` frames are enough,
    and overlapping levels are refused.

    Where the levels of high frames differ, so does which of them the reference follows, and a cloud
    in one may show in the deviations of others; the function is free of that.

    Examples
    --------
    >>> from autowisp_xr import FlatSelection
    >>> usual = FlatSelection()
    >>> make_master_flat = MasterFlatMaker(
    ...     stamp_select_config=dict(
    ...         max_saturated_fraction=1e-4,
    ...         var_mean_fit_threshold=2.0,
    ...         var_mean_fit_iterations=2,
    ...         cloudy_frame_threshold=10.0,
    ...         min_high_mean=2.5e4,
    ...         max_low_mean=1.5e4,
    ...     ),
    ...     large_scale_smoother=usual.large_scale_smoother,
    ...     cloud_check_smoother=usual.cloud_check_smoother,
    ...     master_stack_config=dict(
    ...         min_pointing_separation=150.0,
    ...         large_scale_deviation_threshold=0.01,
    ...         min_high_combine=10,
    ...         min_low_combine=5,
    ...     ),
    ... )
    >>> success, classes = make_master_flat([], "high.fits", "low.fits")
    >>> success, sorted(classes)
    ({'high': False, 'low': False}, ['cloudy', 'colocated', 'high', 'low', 'medium', 'saturated'])
    """

    def __init__(
        self,
        *,
        stamp_statistics_config: Group = None,
        stamp_select_config: Group = None,
        large_scale_smoother: ImageSmoother | None = None,
        cloud_check_smoother: ImageSmoother | None = None,
        master_stack_config: Group = None,
    ) -> None:
        super().__init__()
        self.stamp_statistics_config = dict(stamp_statistics_config or {})
        self.stamp_select_config = dict(stamp_select_config or {})
        self.large_scale_smoother = large_scale_smoother
        self.cloud_check_smoother = cloud_check_smoother
        self.master_stack_config = dict(master_stack_config or {})
        self._master_large_scale: dict[str, Any] = {}
        self._in_use = self._options()

    @with_options(dict.fromkeys(STATISTICS))
    def configure_stamp_statistics(self, **changes: Any) -> None:
        """Change how the central stamp of a frame is measured; what is None stays.

        Parameters
        ----------
        fraction
            Size of the stamp along each direction, as a fraction of the frame.
        smoother
            Smooths the stamp, which is de-trended by the result.
        outlier_threshold
            Pixels further from the average, in units of the root mean square distance, are
            rejected: a number for both sides, or two of opposite signs.
        max_iter
            Rejections at most.
        average
            "mean", "median", or the NumPy function of that.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        self._options(stamp_statistics_config=changes)
        self.stamp_statistics_config |= changes

    @with_options(dict.fromkeys(SELECTION, UNSET))
    def configure_stamp_selection(self, **changes: Any) -> None:
        """Change how stamps are judged; what is not given stays, None switches a test off.

        Parameters
        ----------
        max_saturated_fraction
            Of the pixels of a stamp, beyond which the frame is saturated.
        var_mean_fit_threshold, var_mean_fit_iterations
            Rejection of frames, in units of the residual, from the parabola that is fitted to
            variances and means.
        cloudy_night_threshold
            Residual of that fit, ADU^2, beyond which all frames are cloudy.
        cloudy_frame_threshold
            Distance of a frame from the fit, in units of the residual, beyond which it is cloudy.
        min_high_mean, max_low_mean
            Levels above and below which frames are high and low, ADU; they must not overlap.
        """
        changes = {name: value for name, value in changes.items() if value is not UNSET}
        self._options(stamp_select_config=changes)
        self.stamp_select_config |= changes

    def _options(self, **of_call: Group) -> FlatOptions:
        """Return all options, with those of a call; what is impossible raises."""
        smoothers = ("large_scale_smoother", "cloud_check_smoother")
        own = {name: getattr(self, name) for name in (*smoothers, *GROUPS)}
        chosen = {name: own.pop(name) for name in smoothers}
        return flat_options(self.stacking_options, chosen, (own, of_call))

    def prepare_for_stacking(self, image: Image) -> Image | None:
        """Give a frame the large-scale shape of the reference, and a mean of one.

        Parameters
        ----------
        image : (y, x) array
            One of the frames, flagged pixels included.

        Returns
        -------
        The frame, (y, x) float64, or None if it is cloudy; unchanged while there is no reference.
        """
        if not self._master_large_scale:
            return image
        selection = self._in_use.selection
        image = as_floats(image)
        found = large_scale_match(image, self._master_large_scale["values"], selection)
        if by_deviation(found.mean, found.deviation, selection):
            return None
        return matched(image, found.shape) / found.mean

    def __call__(  # type: ignore[override]
        self,
        frame_list: Files,
        high_master_fname: str | PathLike[str],
        low_master_fname: str | PathLike[str],
        *,
        compress: float | bool | None = UNSET,
        allow_overwrite: bool = UNSET,
        stamp_statistics_config: Group = None,
        stamp_select_config: Group = None,
        master_stack_config: Group = None,
        custom_header: Mapping[str, Any] | None = None,
    ) -> FlatClasses:
        """Sort the frames into classes, and write what masters can be made of them.

        Without ``min_high_combine`` high frames there is no reference, and no master.

        Parameters
        ----------
        frame_list
            Names of FITS files, calibrated and of one channel.
        high_master_fname, low_master_fname
            Files to write; templates that may use keywords of the masters in braces.
        compress, allow_overwrite
            Whether to compress (True, or the level of quantisation), and whether existing files
            may be replaced. Not given: as in ``master_stack_options``, else True and False.
        stamp_statistics_config, stamp_select_config, master_stack_config
            As for the class, for this call only.
        custom_header
            As for :meth:`MasterMaker.__call__`, for both masters.

        Returns
        -------
        The pair (success, classes): whether the "high" and the "low" master were made; files by
        class, each in one of "high", "low", "medium", "colocated", "cloudy", "saturated".
        ``result["cloudy"]`` are the files of a class, ``result.frames`` is the table with reasons.

        Raises
        ------
        FileExistsError
            If a file of such a name exists; unless it is a template, before any pixel is read.
        ImageMismatchError, HeaderError
            As for :meth:`MasterMaker.stack`.
        """
        files = listed(frame_list)
        options = self._options(
            stamp_statistics_config=stamp_statistics_config,
            stamp_select_config=stamp_select_config,
            master_stack_config=master_stack_config,
        )
        output: dict[str, Any] = {"compress": compress, "allow_overwrite": allow_overwrite}
        chosen = {name: value for name, value in output.items() if value is not UNSET}
        output = {"compress": True, "allow_overwrite": False, **options.output, **chosen}
        names = {"high": fspath(high_master_fname), "low": fspath(low_master_fname)}
        check_two_outputs(names, overwrite=output["allow_overwrite"], inputs=files)
        success = dict.fromkeys(names, False)
        if not files:
            return FlatClasses(success, {kind: [] for kind in CLASSES})
        self._in_use, self._master_large_scale = options, {}
        frames = _pointed(opened(files, alike=("IMAGETYP", "CLRCHNL", "FILTER")))
        table = select_flats(frames, options.selection, masked="take")
        fewest = options.selection.fewest
        high = members(table, "high")
        if high.size >= fewest["high"]:
            self._impose(frames.isel(frame=high), options)
            for kind, name in names.items():
                if members(table, kind).size < fewest[kind]:
                    continue
                table, good = self._matched(frames, table, kind, options)
                if good.sizes["frame"] < fewest[kind]:
                    continue
                good = recorded(good, frames, table, kind, options.selection)
                master, header = stacked(good, options.master, custom_header)
                write_master(master, header, name, options.master, inputs=files, **output)
                success[kind] = True
        return FlatClasses.of(success, table, files)

    def _impose(self, frames: xr.Dataset, options: FlatOptions) -> None:
        """Make the reference of high frames as they are."""
        with warnings.catch_warnings():
            # 4 rms, the usual threshold, is out of reach of 16 frames; a median can do without
            warnings.filterwarnings("ignore", "no value among", AutowispWarning)
            master, header = stacked(frames, options.large_scale)
        planes = computed(master, options.large_scale)
        self._master_large_scale = {
            "values": planes["image"],
            "stdev": np.sqrt(planes["variance"]),
            "mask": planes["mask"],
            "header": header,
        }

    def _matched(
        self, frames: xr.Dataset, table: xr.Dataset, kind: str, options: FlatOptions
    ) -> tuple[xr.Dataset, xr.Dataset]:
        """Mark the cloudy frames of a class; return the table, and the others ready to stack."""
        if getattr(self.prepare_for_stacking, "__func__", None) is not _OURS:
            chosen = frames.isel(frame=members(table, kind))
            good, discarded = prepared(chosen, self.prepare_for_stacking)
            left_out = np.flatnonzero(np.isin(frames["path"].values.tolist(), discarded))
            good = schema.with_attributes(good, "1")
            return mark(table, left_out, "cloudy", "left out by prepare_for_stacking"), good
        reference = xr.Dataset(
            {"image": (("channel", "y", "x"), self._master_large_scale["values"][None])}
        )
        table, matches = check_clouds(
            frames, table, kind, reference, options.selection, masked="take"
        )
        good = frames.isel(frame=members(table, kind))
        return table, scaled(good, matches.mean, matches.shape, to="mean of all pixels")

    def _find_colocated(self, frame_list: Files) -> tuple[list[str], list[str]]:
        """Return isolated files, and those that point to where another one does."""
        files = listed(frame_list)
        limit = self._options().selection.min_pointing_separation
        frames = _pointed(opened(files))
        separation, _ = nearest_pointings(frames["ra"].values, frames["dec"].values)
        near = separation < (-1.0 if limit is None else limit)
        isolated, colocated = (
            [file for file, so in zip(files, near, strict=True) if bool(so) is which]
            for which in (False, True)
        )
        return isolated, colocated

    def _get_stamp_statistics(
        self, frame_list: Files, **stamp_statistics_config: Any
    ) -> NDArray[np.void]:
        """Return ``mean``, ``variance`` and ``num_averaged`` of the stamps, a structured array."""
        selection = self._options(stamp_statistics_config=stamp_statistics_config).selection
        found = stamp_statistics(opened(listed(frame_list)), selection, masked="take").compute()
        columns = [found[name].values[:, 0] for name in ("mean", "variance", "number")]
        fields = [("mean", float), ("variance", float), ("num_averaged", int)]
        return np.array(list(zip(*columns, strict=True)), fields)

    def _classify_from_stamps(
        self, frame_list: Files, stamp_statistics_config: Group, stamp_select_config: Group
    ) -> tuple[list[str], list[str], list[str], list[str]]:
        """Return high, low, medium and cloudy files, by their stamps alone."""
        files = listed(frame_list)
        selection = self._options(
            stamp_statistics_config=stamp_statistics_config, stamp_select_config=stamp_select_config
        ).selection
        selection = replace(selection, min_pointing_separation=None)
        classes = files_of(select_flats(opened(files), selection, masked="take"), files)
        return classes["high"], classes["low"], classes["medium"], classes["cloudy"]


_OURS = MasterFlatMaker.prepare_for_stacking


def _pointed(frames: xr.Dataset) -> xr.Dataset:
    """Add ``ra`` and ``dec`` in degrees, of RA in hours and DEC in degrees; NaN without."""
    headers = [parse_header(str(text)) for text in frames["header"].values]
    ra = [to_degrees(value_of(header, "RA"), 15.0, 15.0) for header in headers]
    dec = [to_degrees(value_of(header, "DEC"), 1.0) for header in headers]
    return frames.assign_coords(ra=("frame", ra), dec=("frame", dec))
