"""Frame sets in a store as raw integers and the recipe by which they are calibrated."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
