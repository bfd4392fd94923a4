from .cubes import groups_of as groups_of
from .cubes import identity_of as identity_of
from .cubes import open_zarr as open_zarr
from .cubes import stated_identity as stated_identity
from .cubes import to_zarr as to_zarr
from .cubes import write_group as write_group
from .group import StoreLike as StoreLike
from .group import store_at as store_at
