"""Cards of the original AutoWISP that verbs and classes write into products, in one form."""

from astropy.io import fits

from autowisp_xr.headers.cards import ascii_text

_COMMENTS = {
    "RAWFNAME": "Name of the raw file",
    "CLRCHNL": "Colour channel",
    "CHNLXOFF": "First column of the channel in a super-pixel",
    "CHNLXSTP": "Columns of a super-pixel",
    "CHNLYOFF": "First row of the channel in a super-pixel",
    "CHNLYSTP": "Rows of a super-pixel",
    "IMAGAREA": "Image region in raw frame",
    "CALBGAIN": "Electrons/ADU assumed during calib",
    "BUNIT": "Unit of the image",
}


def write_card(header: fits.Header, keyword: str, value: str | float | None) -> None:
    """Set a card with its own comment; text becomes ASCII."""
    value = ascii_text(value) if isinstance(value, str) else value
    header[keyword] = (value, _COMMENTS[keyword])
