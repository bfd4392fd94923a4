"""Calibrate and stack astronomical images as labelled, lazy Datasets with honest variances.

>>> import autowisp_xr as aw
>>> night = aw.simulate.Night(shape=(32, 48), seed=1)
>>> bias = aw.master_bias(night.bias(5))
>>> science = night.objects(3).autowisp.calibrate(bias=bias)
>>> science.autowisp.stack("median").image.dims
('channel', 'y', 'x')
"""

from typing import Any

from autowisp_xr.startup import collecting_later

with collecting_later():
    import lazy_loader

    _load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

    def __getattr__(name: str) -> Any:
        with collecting_later():
            return _load(name)

    # After the names, which it uses: from now on every Dataset has it.
    from autowisp_xr import accessor as accessor
