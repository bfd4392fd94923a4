from .calibrated_checks import check_calibrated as check_calibrated
from .masters import compare_masters as compare_masters
from .photon_transfer import completed_camera as completed_camera
from .photon_transfer import gain_and_read_noise as gain_and_read_noise
from .photon_transfer import read_noise as read_noise
from .saturation_level import saturation as saturation
from .shapes import flat_shapes as flat_shapes
from .shapes import glow as glow
