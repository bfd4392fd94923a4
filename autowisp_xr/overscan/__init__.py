"""The overscan level of plain raw frames: its fit, its variance, and passes one after another."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.overscan.correction import OverscanCorrection, overscan_correction

__all__ = ["OverscanCorrection", "overscan_correction"]

__getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, f"{__name__}.correction"))
