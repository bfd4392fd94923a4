"""Where the door of xarray was; for environments that were installed before it moved."""

from autowisp_xr.opening import AutowispBackend as AutowispBackend
