"""Ways to find outliers among the values that the frames have of a pixel: a module each."""
