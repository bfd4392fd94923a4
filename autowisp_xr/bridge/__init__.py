"""Between Datasets and kernels: blocks of arrays in, blocks of arrays out, late or at once."""
