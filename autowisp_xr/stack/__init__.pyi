from .concatenation import concat as concat
from .masters import master_bias as master_bias
from .masters import master_dark as master_dark
from .masters import master_fringe as master_fringe
from .options import Match as Match
from .running import RunningStack as RunningStack
from .stacking import stack as stack
