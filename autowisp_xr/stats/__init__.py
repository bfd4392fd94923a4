"""Statistics of plain arrays that outliers do not spoil: averages and fits with rejection."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
