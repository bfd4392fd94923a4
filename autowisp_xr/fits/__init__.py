"""Read and write the bytes of FITS files: units, tiles, planes of pixels."""
