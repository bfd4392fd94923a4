"""Draw ``before_after.png``: one simulated frame raw and calibrated, and a stack of ten."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import autowisp_xr as aw

sky = aw.simulate.Night(
    shape=(256, 256),
    seed=4,
    gain=0.6,
    full_well=30_000,
    hot_pixels=0.004,
    vignetting=0.5,
    cosmic_rays=5,
)
bias = aw.master_bias(sky.bias(12))
dark = aw.master_dark(sky.dark(12), bias=bias)
flat = aw.master_flat(sky.flat(12), bias=bias, dark=dark, scale_dark="any").high
raw = sky.objects(10, nebula=60.0, stars=40)
science = raw.autowisp.calibrate(bias=bias, dark=dark, flat=flat)
deep = science.autowisp.stack("median", reject=aw.SigmaClip(5, scale="mad"))

truth = sky.truth("object", 10, nebula=60.0, stars=40).image[0, 0].values
good = deep.mask[0].values == 0
pull = ((deep.image[0].values - truth) / np.sqrt(deep.variance[0].values))[good]

figure, axes = plt.subplots(1, 4, figsize=(14, 3.7), layout="constrained")
panels = {
    "a raw frame": raw.image[0, 0, :, :256].values,
    "calibrated": science.image[0, 0].values,
    "ten, stacked": deep.image[0].values,
}
for axis, (title, image) in zip(axes, panels.items(), strict=False):
    low, high = np.nanpercentile(image, (0.5, 97))
    axis.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
edges = np.linspace(-5, 5, 61)
axes[3].hist(pull, edges, density=True, color="0.7", label=f"width {pull.std():.3f}")
axes[3].plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), "k", label="normal, width 1")
axes[3].set(title="(stack - truth) / its error", yticks=[])
axes[3].legend(frameon=False, fontsize=8, loc="upper left")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=75)
