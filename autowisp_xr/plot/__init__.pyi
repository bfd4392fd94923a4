from .dark_rates import dark_current as dark_current
from .defect_map import defects as defects
from .frames import frame as frame
from .photon_transfer import photon_transfer_curve as photon_transfer_curve
from .rejection_maps import rejection_maps as rejection_maps
from .selected_flats import MOST_THUMBNAILS as MOST_THUMBNAILS
from .selected_flats import flats as flats
from .selected_flats import rejected as rejected
