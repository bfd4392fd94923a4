"""Smoothing, binning and zooming of images, and polynomial fits with rejection."""

from collections.abc import Callable, Mapping
from typing import Any

import scipy.ndimage

from autowisp_xr.image_smoothing import (
    ChainSmoother,
    ImageSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
    bin_image,
    zoom_image,
)
from autowisp_xr.stats import iterative_rejection_polynomial_fit
from tests.oracle.case import Case

__all__ = ["binzoom", "polyfit", "smooth", "smoother_from"]

_KINDS: dict[str, Callable[..., ImageSmoother]] = {
    "polynomial": PolynomialImageSmoother,
    "spline": SplineImageSmoother,
}


def smooth(case: Case) -> None:
    smoother = smoother_from(case.params["smoother"])
    image = case.arrays("input.npz")["image"]
    padding = {"padding_mode": case.params["padding_mode"]}
    case.compare_all(
        {
            "smooth": smoother.smooth(image, **padding),
            "detrended": smoother.detrend(image, **padding),
        }
    )


def binzoom(case: Case) -> None:
    given, factor = case.arrays("input.npz"), case.params["factor"]
    case.compare_all(
        {
            "binned": bin_image(given["to_bin"], factor),
            "zoomed": zoom_image(given["image"], factor, case.params["interp_order"]),
        }
    )


def polyfit(case: Case) -> None:
    given, params = case.arrays("input.npz"), case.params
    coefficients, residual, predicted = iterative_rejection_polynomial_fit(
        given["x"],
        given["y"],
        params["order"],
        params["outlier_threshold"],
        params["max_iterations"],
        return_predicted=True,
    )
    case.compare_all({"coefficients": coefficients, "residual": residual, "predicted": predicted})


def smoother_from(description: Mapping[str, Any]) -> ImageSmoother:
    """The smoother that a case describes."""
    options = dict(description)
    kind = options.pop("type")
    if kind == "chain":
        return ChainSmoother(*map(smoother_from, options.pop("smoothers")), **options)
    if kind == "filter":
        return WrapFilterAsSmoother(getattr(scipy.ndimage, options.pop("filter")), **options)
    return _KINDS[kind](**options)
