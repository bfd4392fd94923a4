from . import mask_utilities as mask_utilities
from . import overscan_methods as overscan_methods
from .calibrator import Calibrator as Calibrator
from .master_flat_maker import MasterFlatMaker as MasterFlatMaker
from .master_maker import MasterMaker as MasterMaker
