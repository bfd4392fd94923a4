"""What masters and frames say about the camera, and about each other."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.measure.masters import compare_masters

__all__ = ["compare_masters"]

__getattr__, __dir__ = attach(__name__, {"compare_masters": f"{__name__}.masters"})
