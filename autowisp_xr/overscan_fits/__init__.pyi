from .subtraction import OverscanCorrection as OverscanCorrection
from .subtraction import overscan_correction as overscan_correction
