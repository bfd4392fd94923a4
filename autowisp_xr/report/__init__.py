"""A page about a night that was reduced, made of its results alone, and previews of these."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
