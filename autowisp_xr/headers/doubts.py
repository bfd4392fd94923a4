"""What is doubtful about a product, in its header."""

from astropy.io import fits

from autowisp_xr.cards import ascii_text

__all__ = ["add_doubts"]


def add_doubts(header: fits.Header, doubts: str) -> None:
    """Add a COMMENT for each line that is not in the header yet; long ones take several cards."""
    said = "".join(map(str, header["COMMENT"])) if "COMMENT" in header else ""
    for line in filter(None, doubts.split("\n")):
        text = ascii_text(line)
        if text not in said:
            header.add_comment(text)
