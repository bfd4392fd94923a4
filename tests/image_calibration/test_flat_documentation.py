# ruff: noqa: C408, UP031
"""The example that the original documentation has of ``MasterFlatMaker``.

As it stands there, with other import lines, and a night whose files have the names of the example.
"""

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import median_filter

from tests.image_calibration.files import header_of, read_planes
from tests.image_calibration.flat_files import (
    CLASSES,
    flat,
    is_compressed,
    kinds_of,
    response,
    write_flats,
)

SHAPE = (96, 128)
KINDS = ("high", "high", "low", "high", "high") * 6
LEVELS = {"high": (3.0e4, 3.2e4), "low": (5e3, 1.3e4), "medium": (1.7e4, 2.3e4)}


@pytest.fixture
def night(here):
    kinds = list(KINDS)
    kinds[4], kinds[11] = "medium", "cloudy"
    images = [
        flat(kind, number, SHAPE, LEVELS)
        # response scatters by a third of a percent: else variances are too large for it
        / response(SHAPE)
        * np.cbrt(response(SHAPE))
        for number, kind in enumerate(kinds)
    ]
    masks = np.zeros((30, *SHAPE), np.uint8)
    files = write_flats(images, masks, name="plain{:02d}.fits")
    names = []
    for number, file in enumerate(files, 1):
        names.append(f"10-{number}_2.fits.fz")
        with fits.open(file) as hdus:
            lossless = {"compression_type": "GZIP_2", "quantize_level": 0}
            packed = [fits.CompImageHDU(hdu.data, hdu.header, **lossless) for hdu in hdus]
            fits.HDUList([fits.PrimaryHDU(), *packed]).writeto(names[-1])
    return dict(zip(names, kinds, strict=True))


def test_the_example_of_the_master_flat_maker(night):
    import numpy
    import scipy.ndimage

    from autowisp_xr.image_calibration import MasterFlatMaker, MasterMaker
    from autowisp_xr.image_smoothing import (
        ChainSmoother,
        PolynomialImageSmoother,
        SplineImageSmoother,
        WrapFilterAsSmoother,
    )

    stamp_statistics_config = dict(
        fraction=0.5,
        smoother=PolynomialImageSmoother(
            num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=3
        ),
        average="mean",
        outlier_threshold=3.0,
        max_iter=3,
    )

    stamp_select_config = dict(
        max_saturated_fraction=1e-4,
        var_mean_fit_threshold=2.0,
        var_mean_fit_iterations=2,
        cloudy_night_threshold=5e3,
        cloudy_frame_threshold=2.0,
        min_high_mean=2.5e4,
        max_low_mean=1.5e4,
    )

    large_scale_smoother = ChainSmoother(
        # scipy.ndimage.filters, there, which SciPy no longer has
        WrapFilterAsSmoother(scipy.ndimage.median_filter, size=12),
        SplineImageSmoother(num_x_nodes=3, num_y_nodes=3, outlier_threshold=5.0, max_iter=1),
        bin_factor=4,
        zoom_interp_order=3,
    )

    cloud_check_smoother = WrapFilterAsSmoother(
        scipy.ndimage.median_filter, size=8, bin_factor=4, zoom_interp_order=3
    )

    master_stack_config = dict(
        min_pointing_separation=150.0,
        large_scale_deviation_threshold=0.05,
        min_high_combine=10,
        min_low_combine=5,
        large_scale_stack_options=dict(
            outlier_threshold=4,
            average_func=numpy.nanmedian,
            min_valid_values=3,
            max_iter=1,
            exclude_mask=MasterMaker.default_exclude_mask,
        ),
        master_stack_options=dict(
            outlier_threshold=(2, -3),
            average_func=numpy.nanmedian,
            min_valid_values=3,
            max_iter=2,
            exclude_mask=MasterMaker.default_exclude_mask,
            compress=True,
            allow_overwrite=False,
        ),
    )

    make_master_flat = MasterFlatMaker(
        stamp_statistics_config=stamp_statistics_config,
        stamp_select_config=stamp_select_config,
        large_scale_smoother=large_scale_smoother,
        cloud_check_smoother=cloud_check_smoother,
        master_stack_config=master_stack_config,
    )

    result = make_master_flat(
        ["10-%d_2.fits.fz" % fnum for fnum in range(1, 31)],
        high_master_fname="high_master_flat.fits.fz",
        low_master_fname="low_master_flat.fits.fz",
    )

    success, classes = result
    assert success == {"high": True, "low": True}
    assert tuple(classes) == CLASSES
    found = kinds_of(result)
    assert found.keys() == night.keys()
    # a limit of two residuals calls some good frames cloudy; nothing else goes wrong
    wrong = {file for file in night if found[file] != night[file]}
    assert {found[file] for file in wrong} <= {"cloudy"}
    assert len(wrong) <= 5
    truth = np.cbrt(response(SHAPE))
    for kind, fewest in (("high", 10), ("low", 5)):
        name = f"{kind}_master_flat.fits.fz"
        assert is_compressed(name)
        planes = read_planes(name)
        assert header_of(name)["NUMFCOMB"] == len(classes[kind]) >= fewest
        # what is left is noise of as many frames, and structure that is larger than smoothed
        ratio = planes.image / truth
        assert (ratio / median_filter(ratio, 15)).std() < 0.005
    with pytest.raises(FileExistsError, match="high_master_flat"):
        make_master_flat([*night], "high_master_flat.fits.fz", "low_master_flat.fits.fz")
