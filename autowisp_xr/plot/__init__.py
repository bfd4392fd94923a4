"""Pictures of a frame and its flags, and of flats and why they were chosen or not.

They are drawn without pyplot, on figures that notebooks show. matplotlib is imported when a picture
is drawn, not before.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
