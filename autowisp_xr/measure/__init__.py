"""What masters and frames say about the camera, and about each other."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.measure.calibrated import check_calibrated
    from autowisp_xr.measure.masters import compare_masters
    from autowisp_xr.measure.photon_transfer import completed_camera, gain_and_read_noise
    from autowisp_xr.measure.plateaus import saturation
    from autowisp_xr.measure.shapes import flat_shapes, glow
    from autowisp_xr.measure.unlit import read_noise

__all__ = [
    "check_calibrated",
    "compare_masters",
    "completed_camera",
    "flat_shapes",
    "gain_and_read_noise",
    "glow",
    "read_noise",
    "saturation",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "check_calibrated": f"{__name__}.calibrated",
        "compare_masters": f"{__name__}.masters",
        "flat_shapes": f"{__name__}.shapes",
        "glow": f"{__name__}.shapes",
        "read_noise": f"{__name__}.unlit",
        "saturation": f"{__name__}.plateaus",
    }
    | dict.fromkeys(("completed_camera", "gain_and_read_noise"), f"{__name__}.photon_transfer"),
)
