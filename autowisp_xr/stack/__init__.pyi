from .concatenation import concat as concat
from .fringes import master_fringe as master_fringe
from .masters import master_bias as master_bias
from .masters import master_dark as master_dark
from .match import Match as Match
from .running import RunningStack as RunningStack
from .stacking import stack as stack
