"""The one door to matplotlib, for an empty picture; and names that fit on one."""

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_picture(width: float, height: float) -> "Figure":
    """Return an empty picture of so many inches, which lays out by itself what is drawn on it.

    pyplot keeps each figure it makes until it is asked to close it, and shows it at the end of the
    cell besides. A plain Figure is shown in a notebook only once pyplot was imported; this one
    always, as the value of a cell or by ``display``.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib, which cannot be imported ({error}); it comes with "
            "pip install '.[plot]'"
        ) from error

    class Picture(Figure):
        """A matplotlib Figure that pyplot does not know of."""

        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return Picture(figsize=(width, height), layout="constrained")


def ending(name: str, longest: int) -> str:
    """Return the end of a long name, in which frames of one night differ."""
    return name if len(name) <= longest else f"…{name[len(name) - longest + 1 :]}"
