"""Arithmetic on plain arrays: no Dataset, no file, no scheduler."""
