"""Smooth versions of images, plain arrays [y, x]: polynomials, splines, filters, and chains."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.image_smoothing.binning import bin_image
    from autowisp_xr.image_smoothing.chain import ChainSmoother
    from autowisp_xr.image_smoothing.filters import WrapFilterAsSmoother
    from autowisp_xr.image_smoothing.model import SmoothModel
    from autowisp_xr.image_smoothing.separable import PolynomialImageSmoother, SplineImageSmoother
    from autowisp_xr.image_smoothing.smoother import ImageSmoother
    from autowisp_xr.image_smoothing.zooming import zoom_image

__all__ = [
    "ChainSmoother",
    "ImageSmoother",
    "PolynomialImageSmoother",
    "SmoothModel",
    "SplineImageSmoother",
    "WrapFilterAsSmoother",
    "bin_image",
    "zoom_image",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "ChainSmoother": f"{__name__}.chain",
        "ImageSmoother": f"{__name__}.smoother",
        "PolynomialImageSmoother": f"{__name__}.separable",
        "SmoothModel": f"{__name__}.model",
        "SplineImageSmoother": f"{__name__}.separable",
        "WrapFilterAsSmoother": f"{__name__}.filters",
        "bin_image": f"{__name__}.binning",
        "zoom_image": f"{__name__}.zooming",
    },
)
