"""The exceptions of the package: a message names the file, the keyword, both values, the remedy."""


class AutowispError(Exception):
    """Root of every error that this package raises on purpose."""


class SchemaError(AutowispError, ValueError):
    """A Dataset is not the frame set or master that a verb expects; all faults in one message."""


class HeaderError(AutowispError, ValueError):
    """A FITS header contradicts itself, or lacks what was asked of it."""


class BadImageError(AutowispError, ValueError):
    """A file is no FITS file, is truncated, or holds planes that cannot be what they claim."""


class DamagedStoreError(BadImageError):
    """A Zarr store has lost, or holds otherwise than it was written, what it is read for.

    ``place`` is the group, as its message names it.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class ImageMismatchError(AutowispError, ValueError):
    """Frames that should go together differ in shape, channels, type or units."""


class OutsideImageError(AutowispError, ValueError):
    """An area reaches outside the frame, or is empty."""


class MasterMismatchError(AutowispError, ValueError):
    """A master does not belong to the frames: other shape, place, channels, units or settings."""


class CalibrationError(AutowispError, ValueError):
    """A calibration was asked for that cannot be right with what is known."""


class ConvergenceError(AutowispError, RuntimeError):
    """An iteration ended before its criterion was met, where that was required."""


class InUseError(AutowispError, OSError):
    """Another run is writing in the same place, or may be; with its process, host and start."""


class NotWrittenError(AutowispError, OSError):
    """A disk takes no more: it is full or read-only; with the place, its room and the remedy."""


class MemoryLimitError(AutowispError, ValueError):
    """Work takes more memory than the limit that somebody stated; with what it takes."""


class MissingPackageError(AutowispError, ImportError):
    """A package that only some need is not installed; with the extra that it comes with."""


class AutowispWarning(UserWarning):
    """A warning on which the user can act; the result is valid."""
