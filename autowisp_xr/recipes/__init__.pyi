from .masters import INPUTS as INPUTS
from .recipe import ARITHMETIC as ARITHMETIC
from .recipe import Recipe as Recipe
from .stored_sets import Kept as Kept
from .stored_sets import identity_of as identity_of
from .stored_sets import open_zarr as open_zarr
from .stored_sets import outline as outline
from .stored_sets import store_product as store_product
