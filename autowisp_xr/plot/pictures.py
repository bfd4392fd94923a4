"""The figure of all pictures that pyplot does not know of."""

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A matplotlib Figure that notebooks show though pyplot does not know of it."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
