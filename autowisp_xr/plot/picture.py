"""A figure that stays with whoever asked for it, and that notebooks show."""

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A matplotlib Figure that pyplot does not know of.

    pyplot keeps each figure it makes until it is told to close it, and shows it at the end of the
    cell besides. A plain Figure is shown in a notebook only once pyplot was imported; this one
    always, as the value of a cell or by ``display``.
    """

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
