from .masters import master_flat as master_flat
from .masters import master_flats as master_flats
from .options import FlatSelection as FlatSelection
from .result import MasterFlats as MasterFlats
from .selection import select_flats as select_flats
from .selection import stamp_statistics as stamp_statistics
