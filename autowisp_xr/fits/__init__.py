"""The bytes of FITS files: units, tiles, planes of pixels, and how they are written."""
