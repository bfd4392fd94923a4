"""The calibration classes of AutoWISP, file in and file out, over the verbs of this package.

>>> from autowisp_xr.image_calibration import Calibrator, MasterMaker, overscan_methods
>>> calibrate = Calibrator(saturation_threshold=5e4, gain=1.7, read_noise_electrons=4.5)
"""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.image_calibration import mask_utilities, overscan_methods
    from autowisp_xr.image_calibration.calibrator import Calibrator
    from autowisp_xr.image_calibration.master_flat_maker import MasterFlatMaker
    from autowisp_xr.image_calibration.master_maker import MasterMaker

__all__ = ["Calibrator", "MasterFlatMaker", "MasterMaker", "mask_utilities", "overscan_methods"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Calibrator": f"{__name__}.calibrator",
        "MasterFlatMaker": f"{__name__}.master_flat_maker",
        "MasterMaker": f"{__name__}.master_maker",
        "mask_utilities": "",
        "overscan_methods": "",
    },
)
