"""``ds.autowisp``: every verb as a method, a line each; the functions own the logic."""

from collections.abc import Collection, Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import xarray as xr

import autowisp_xr as aw
from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.options import (
    MIN_FLAT,
    Average,
    ErrorSource,
    Masked,
    NoiseWanted,
    OverscanChoice,
    Photons,
    RejectChoice,
    ScaleDark,
    Weights,
)

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

    # its smoothers need scipy, which not everybody does
    from autowisp_xr.flats import FlatSelection

__all__ = ["AutowispAccessor", "AutowispNightAccessor"]

Flags = str | int | Iterable[str | int]


@xr.register_dataset_accessor("autowisp")
class AutowispAccessor:
    """Verbs of calibration and stacking on a Dataset of frames."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    @property
    def camera(self) -> Camera:
        """The camera that travels with the frames."""
        return schema.camera_of(self._ds)

    def history(self) -> list[dict[str, Any]]:
        """Records of all steps that led here, oldest first."""
        return provenance.history(self._ds)

    def where_type(
        self, *types: str, exposure: float | None = None, band: str | None = None
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.where_type`."""
        return aw.where_type(self._ds, *types, exposure=exposure, band=band)

    def flagged(self, flags: Flags = "BAD") -> xr.DataArray:
        """See :func:`autowisp_xr.flagged`."""
        return aw.flagged(self._ds, flags)

    def masked(self, flags: Flags = "BAD") -> xr.DataArray:
        """See :func:`autowisp_xr.masked`."""
        return aw.masked(self._ds, flags)

    def split_channels(self, channels: Any = None) -> xr.Dataset:
        """See :func:`autowisp_xr.split_channels`."""
        return aw.split_channels(self._ds, channels)

    def merge_channels(self) -> xr.Dataset:
        """See :func:`autowisp_xr.merge_channels`."""
        return aw.merge_channels(self._ds)

    def trim(self, area: Any = None, *, camera: Camera | None = None) -> xr.Dataset:
        """See :func:`autowisp_xr.trim`."""
        return aw.trim(self._ds, area, camera=camera)

    def subtract_bias_level(
        self, *, camera: Camera | None = None, dtype: Any = "float32"
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.subtract_bias_level`."""
        return aw.subtract_bias_level(self._ds, camera=camera, dtype=dtype)

    def flag_saturated(self, *, camera: Camera | None = None, dtype: Any = "float32") -> xr.Dataset:
        """See :func:`autowisp_xr.flag_saturated`."""
        return aw.flag_saturated(self._ds, camera=camera, dtype=dtype)

    def apply_masks(self, masks: Any, *, dtype: Any = "float32") -> xr.Dataset:
        """See :func:`autowisp_xr.apply_masks`."""
        return aw.apply_masks(self._ds, masks, dtype=dtype)

    def subtract_overscan(
        self,
        overscan: OverscanChoice = None,
        *,
        camera: Camera | None = None,
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.subtract_overscan`."""
        return aw.subtract_overscan(self._ds, overscan, camera=camera, dtype=dtype)

    def subtract_bias(
        self, bias: xr.Dataset, *, allow_mismatch: Collection[str] = (), dtype: Any = "float32"
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.subtract_bias`."""
        return aw.subtract_bias(self._ds, bias, allow_mismatch=allow_mismatch, dtype=dtype)

    def add_noise(
        self,
        *,
        camera: Camera | None = None,
        photons: Photons = "positive",
        dark: xr.Dataset | None = None,
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.add_noise`."""
        return aw.add_noise(self._ds, camera=camera, photons=photons, dark=dark, dtype=dtype)

    def subtract_dark(
        self,
        dark: xr.Dataset,
        *,
        scale_dark: ScaleDark = False,
        allow_mismatch: Collection[str] = (),
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.subtract_dark`."""
        return aw.subtract_dark(
            self._ds, dark, scale_dark=scale_dark, allow_mismatch=allow_mismatch, dtype=dtype
        )

    def divide_flat(
        self,
        flat: xr.Dataset,
        *,
        min_flat: float = MIN_FLAT,
        allow_mismatch: Collection[str] = (),
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.divide_flat`."""
        return aw.divide_flat(
            self._ds, flat, min_flat=min_flat, allow_mismatch=allow_mismatch, dtype=dtype
        )

    def calibrate(
        self,
        *,
        bias: xr.Dataset | None = None,
        dark: xr.Dataset | None = None,
        flat: xr.Dataset | None = None,
        masks: Any = None,
        overscan: OverscanChoice = None,
        camera: Camera | None = None,
        scale_dark: ScaleDark = False,
        photons: Photons = "positive",
        noise: NoiseWanted = "required",
        min_flat: float = MIN_FLAT,
        allow_mismatch: Collection[str] = (),
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.calibrate`."""
        return aw.calibrate(
            self._ds,
            bias=bias,
            dark=dark,
            flat=flat,
            masks=masks,
            overscan=overscan,
            camera=camera,
            scale_dark=scale_dark,
            photons=photons,
            noise=noise,
            min_flat=min_flat,
            allow_mismatch=allow_mismatch,
            dtype=dtype,
        )

    def concat(
        self,
        others: xr.Dataset | Sequence[xr.Dataset] = (),
        *,
        allow_mismatch: Collection[str] = (),
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.concat`."""
        return aw.concat(self._ds, others, allow_mismatch=allow_mismatch)

    def stamp_statistics(
        self, selection: "FlatSelection | None" = None, *, masked: Masked = "leave out"
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.stamp_statistics`."""
        return aw.stamp_statistics(self._ds, selection, masked=masked)

    def select_flats(
        self, selection: "FlatSelection | None" = None, *, masked: Masked = "leave out"
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.select_flats`."""
        return aw.select_flats(self._ds, selection, masked=masked)

    def stack(
        self,
        average: Average = "median",
        *,
        reject: RejectChoice = None,
        exclude: Flags = "BAD",
        weights: Weights = None,
        min_frames: int = 1,
        min_values: int = 1,
        error: ErrorSource = "auto",
        average_keywords: Sequence[str] = (),
        allow_mismatch: Collection[str] = (),
        rejected: bool = False,
        dtype: Any = "float32",
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.stack`."""
        return aw.stack(
            self._ds,
            average,
            reject=reject,
            exclude=exclude,
            weights=weights,
            min_frames=min_frames,
            min_values=min_values,
            error=error,
            average_keywords=average_keywords,
            allow_mismatch=allow_mismatch,
            rejected=rejected,
            dtype=dtype,
        )

    def plot(
        self,
        frame: int | str = 0,
        channel: int | str | None = None,
        *,
        before: xr.Dataset | None = None,
        flags: Flags = "BAD",
        error: bool = False,
        limits: tuple[float, float] | None = None,
        size: float | None = None,
    ) -> "Figure":
        """See :func:`autowisp_xr.plot.frame`."""
        return aw.plot.frame(
            self._ds,
            frame,
            channel,
            before=before,
            flags=flags,
            error=error,
            limits=limits,
            size=size,
        )

    def wcs(self, frame: str | int | None = None, channel: str | int | None = None) -> "WCS":
        """See :func:`autowisp_xr.wcs`."""
        return aw.wcs(self._ds, frame, channel)

    def to_zarr(
        self, path: str | PathLike[str], *, group: str | None = None, overwrite: bool = False
    ) -> xr.Dataset:
        """See :func:`autowisp_xr.to_zarr`."""
        return aw.to_zarr(self._ds, path, group=group, overwrite=overwrite)

    def to_fits(
        self,
        template: str | PathLike[str],
        *,
        overwrite: bool = False,
        compress: bool | int | None = None,
    ) -> list[str]:
        """See :func:`autowisp_xr.to_fits`."""
        return aw.to_fits(self._ds, template, overwrite=overwrite, compress=compress)


@xr.register_datatree_accessor("autowisp")
class AutowispNightAccessor:
    """What a night says of itself."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def info(self) -> str:
        """See :func:`autowisp_xr.night.info`."""
        return aw.night.info(self._tree)
