"""Files that are no FITS: the raw files of cameras, and what programs for cameras write.

Each format is a module that looks into a file (a :class:`~autowisp_xr.formats.pictures.Picture`,
without its pixels) and decodes one; ``formats.toml`` has the endings of each. A library that only
one format needs is imported by its module, when a file of the format is met.
"""
