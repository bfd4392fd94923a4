"""The calibration classes of AutoWISP, file in and file out, over the verbs of this package.

>>> from autowisp_xr.image_calibration import Calibrator, MasterMaker, overscan_methods
>>> calibrate = Calibrator(saturation_threshold=5e4, gain=1.7, read_noise_electrons=4.5)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
