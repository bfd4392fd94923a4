"""Arrays of any kind, at every public door: the result of plain ones, or the remedy.

FITS is big-endian and memory-mapped, halves and crops of frames are strided, what others share is
read-only, frames out of a store are dask arrays.
"""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import image_smoothing, simulate
from autowisp_xr.image_calibration import mask_utilities

SKY = simulate.Night(shape=(12, 16), seed=3, gain=0.6, full_well=30_000, overscan=12)
OVERSCAN, IMAGE = "[17:28,1:12]", "[1:16,1:12]"
PLANES = ("image", "variance", "mask", "shared_variance", "shared_relative_variance", "count")


def strided(values, tmp_path):
    """Every other value, from the last to the first."""
    twice = np.repeat(np.flip(values), 2, axis=-1)
    return twice[(*(slice(None, None, -1),) * (values.ndim - 1), slice(None, None, -2))]


def fortran(values, tmp_path):
    return np.asfortranarray(values)


def unaligned(values, tmp_path):
    return np.frombuffer(b"-" + values.tobytes(), values.dtype, offset=1).reshape(values.shape)


def mapped(values, tmp_path):
    """Read-only and big-endian, from a file."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
    np.save(path, values.astype(values.dtype.newbyteorder(">")))
    return np.load(path, mmap_mode="r")


def chunked(values, tmp_path):
    from dask.array import from_array

    return from_array(values, chunks=tuple((size + 1) // 2 for size in values.shape))


def selected(values, tmp_path):
    """Of a dask array, by a list of numbers."""
    return chunked(values, tmp_path)[list(range(len(values)))]


KINDS = (mapped, strided, fortran, unaligned, selected)


@pytest.fixture(scope="module")
def night():
    raw = {
        "bias": SKY.bias(3).compute(),
        "dark": SKY.dark(3).compute(),
        "flat": SKY.flat(4).compute(),
        "object": SKY.objects(4).compute(),
    }
    bias = aw.master_bias(raw["bias"]).compute()
    dark = aw.master_dark(raw["dark"], bias=bias).compute()
    flat = aw.master_flat(raw["flat"], bias=bias, dark=dark, scale_dark="any").high.compute()
    science = aw.calibrate(raw["object"], bias=bias, dark=dark, flat=flat).compute()
    hot = np.zeros(science["image"].shape[2:], np.uint8)
    hot[2, 3] = aw.Flag.HOT
    masters = {"master bias": bias, "master dark": dark, "master flat": flat}
    return raw | masters | {"science": science, "hot": hot}


def of(ds, kind):
    """The same Dataset, its planes of a kind."""
    return ds.assign(
        {
            name: (ds[name].dims, kind(ds[name].values), ds[name].attrs)
            for name in PLANES
            if name in ds
        }
    )


def masters(night, kind):
    return {name: of(night[f"master {name}"], kind) for name in ("bias", "dark", "flat")}


def to_disk(ds, path, name):
    found = aw.open_fits(aw.to_fits(ds, path / f"to-{name}" / ("{RAWFNAME}." + name)))
    return found.compute()


VERBS = {
    "master_bias": lambda n, k, p: aw.master_bias(of(n["bias"], k)),
    "master_dark": lambda n, k, p: aw.master_dark(of(n["dark"], k), bias=of(n["master bias"], k)),
    "master_flat": lambda n, k, p: (
        aw.master_flat(
            of(n["flat"], k),
            bias=of(n["master bias"], k),
            dark=of(n["master dark"], k),
            scale_dark="any",
        ).high
    ),
    "master_flats": lambda n, k, p: aw.master_flats(of(n["flat"], k))["V"].high,
    "calibrate": lambda n, k, p: aw.calibrate(of(n["object"], k), **masters(n, k)),
    "overscan by row": lambda n, k, p: aw.subtract_overscan(
        of(n["object"], k), aw.Overscan(per="row", average="mean")
    ),
    "trim": lambda n, k, p: aw.trim(of(n["object"], k)),
    "flag_saturated": lambda n, k, p: aw.flag_saturated(of(n["object"], k)),
    "leaks": lambda n, k, p: aw.flag_saturated(
        of(n["object"], k), camera=aw.Camera(saturation=1100.0, leak_directions=((0, 1), (1, 0)))
    ),
    "cold pixels": lambda n, k, p: aw.flag_cold_pixels(of(n["science"], k), threshold=1),
    "defects": lambda n, k, p: aw.measure.defects(
        biases=of(n["bias"], k), flats=of(n["flat"], k), hot=1
    ),
    "add_noise": lambda n, k, p: aw.add_noise(aw.trim(of(n["object"], k))),
    "divide_flat": lambda n, k, p: aw.divide_flat(
        of(n["science"], k).assign_attrs(history="[]"), of(n["master flat"], k)
    ),
    "apply_masks": lambda n, k, p: aw.apply_masks(of(n["science"], k), k(n["hot"])),
    "median": lambda n, k, p: aw.stack(of(n["science"], k), "median"),
    "rejecting mean": lambda n, k, p: aw.stack(
        of(n["science"], k), "mean", reject=aw.SigmaClip(3, scale="mad")
    ),
    "weighted mean": lambda n, k, p: aw.stack(of(n["science"], k), "mean", weights="variance"),
    "weights": lambda n, k, p: aw.stack(
        of(n["science"], k), "mean", weights=np.asarray(k(np.array([1.0, 2.0, 1.0, 1.0])))
    ),
    "noise clip": lambda n, k, p: aw.stack(of(n["science"], k), "mean", reject=aw.NoiseClip(5)),
    "raw stack": lambda n, k, p: aw.stack(of(n["bias"], k), "median"),
    "masked": lambda n, k, p: aw.masked(of(n["science"], k)).to_dataset(name="masked"),
    "stamps": lambda n, k, p: aw.stamp_statistics(of(n["flat"], k)),
    "gain": lambda n, k, p: aw.measure.gain_and_read_noise(of(n["flat"], k), of(n["bias"], k)),
    "saturation": lambda n, k, p: aw.measure.saturation(of(n["flat"], k)),
    "read noise": lambda n, k, p: aw.measure.read_noise(of(n["bias"], k)),
    "compare": lambda n, k, p: aw.measure.compare_masters(
        of(n["master flat"], k), of(n["master flat"], k)
    ),
    "zarr": lambda n, k, p: aw.to_zarr(of(n["science"], k), p / f"{k.__name__}.zarr"),
    "fits": lambda n, k, p: to_disk(of(n["science"], k), p, "fits"),
    "raw fits": lambda n, k, p: to_disk(of(n["object"], k), p, "fits"),
    "raw fz": lambda n, k, p: to_disk(of(n["object"], k), p, "fits.fz"),
}


def plane(night):
    return night["science"]["image"].values[0, 0]


FUNCTIONS = {
    "average": lambda n, k: aw.iterative_rejection_average(k(n["science"]["image"].values), 3.0),
    "average of integers": lambda n, k: aw.iterative_rejection_average(
        k(n["bias"]["image"].values), 3.0, average_func="mean", axis=2
    ),
    "least squares": lambda n, k: aw.iterative_rejection_least_squares(
        k(np.vander(np.arange(12.0), 2)), k(plane(n)[:, 5]), 3.0
    ),
    "polynomial": lambda n, k: aw.iterative_rejection_polynomial_fit(
        k(np.arange(12.0)), k(plane(n)[:, 5]), 2, 3.0
    ),
    "overscan": lambda n, k: (
        aw.overscan_correction(
            k(n["object"]["image"].values[0, 0]), OVERSCAN, image_area=IMAGE
        ).correction,
    ),
    "bin": lambda n, k: (image_smoothing.bin_image(k(plane(n)), 2),),
    "zoom": lambda n, k: (image_smoothing.zoom_image(k(plane(n)), 2, 3),),
    "polynomial smoother": lambda n, k: (
        image_smoothing.PolynomialImageSmoother(num_x_terms=2, num_y_terms=2).smooth(k(plane(n))),
    ),
    "spline smoother": lambda n, k: (
        image_smoothing.SplineImageSmoother(num_x_nodes=2, num_y_nodes=2).smooth(k(plane(n))),
    ),
    "saturation mask": lambda n, k: (
        mask_utilities.get_saturation_mask(k(n["object"]["image"].values[0, 0]), 1100, [(0, 1)]),
    ),
}


def plain(values, tmp_path=None):
    return values


@pytest.mark.filterwarnings("ignore:the gain is known to:autowisp_xr.AutowispWarning")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_gives_the_same_for_arrays_of_any_kind(verb, kind, night, tmp_path):
    def of_kind(values):
        return kind(values, tmp_path)

    of_kind.__name__ = kind.__name__
    expected = VERBS[verb](night, plain, tmp_path / "plain")
    found = VERBS[verb](night, of_kind, tmp_path / "kind")
    assert set(found.data_vars) == set(expected.data_vars)
    for name, variable in expected.data_vars.items():
        np.testing.assert_array_equal(found[name].values, variable.values, err_msg=str(name))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gives_the_same_for_arrays_of_any_kind(function, kind, night, tmp_path):
    expected = FUNCTIONS[function](night, plain)
    found = FUNCTIONS[function](night, lambda values: kind(values, tmp_path))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["f2", ">f2", "u4", ">i8", "i1"])
@pytest.mark.parametrize("verb", ["calibrate", "raw stack", "raw fits", "raw fz", "saturation"])
def test_numbers_of_any_length_give_what_their_values_give(verb, dtype, night, tmp_path):
    raw = {
        name: ds.assign(image=(ds["image"].dims, (ds["image"].values % 97).astype(dtype)))
        for name, ds in night.items()
        if name in ("bias", "object", "flat")
    }
    wide = np.dtype("f4" if dtype.endswith("f2") else "i8")
    same = {
        name: ds.assign(image=ds["image"].astype(wide), ceiling=np.nan)
        .drop_vars("ceiling")
        .assign_coords(ceiling=127.0 if dtype == "i1" else np.nan)
        for name, ds in raw.items()
    }
    raw = {name: ds.assign_coords(ceiling=same[name]["ceiling"]) for name, ds in raw.items()}
    bare = {f"master {name}": night[f"master {name}"] for name in ("bias", "dark", "flat")}
    found = VERBS[verb](raw | bare, plain, tmp_path / "a")
    expected = VERBS[verb](same | bare, plain, tmp_path / "b")
    for name in ("image", "variance", "saturation"):
        if name in expected:
            np.testing.assert_array_equal(found[name].values, expected[name].values)


@pytest.mark.parametrize("dtype", [bool, ">i2", "u2", "i8", "u1"])
def test_masks_of_truths_and_whole_numbers_are_flags(dtype, night):
    mask = (night["hot"] != 0).astype(dtype)
    expected = night["science"]["mask"].values | (night["hot"] != 0)
    np.testing.assert_array_equal(aw.apply_masks(night["science"], mask)["mask"], expected)
    with_mask = aw.calibrate(night["object"], masks=[night["hot"], mask])
    assert (with_mask["mask"].values[..., 2, 3] & 3 == 3).all()


@pytest.mark.parametrize(
    "mask", [np.full((12, 16), 256, "u2"), np.full((12, 16), -1, "i2"), np.full((12, 16), 1.0)]
)
def test_masks_of_what_is_no_flag_are_refused_with_the_remedy(mask, night):
    with pytest.raises(aw.MasterMismatchError, match=r"\(mask != 0\) makes every pixel a FAULT"):
        aw.apply_masks(night["science"], mask)


def test_a_lazy_mask_of_whole_numbers_is_refused_and_one_of_truths_is_taken(night, tmp_path):
    with pytest.raises(aw.MasterMismatchError, match="flags are bits of one byte"):
        aw.apply_masks(night["science"], chunked(night["hot"].astype("i2"), tmp_path))
    found = aw.apply_masks(night["science"], chunked(night["hot"] != 0, tmp_path))
    assert found["mask"].chunks is not None
    assert (found["mask"].values[..., 2, 3] & aw.Flag.FAULT).all()


@pytest.mark.parametrize(
    ("name", "dtype", "remedy"),
    [
        ("mask", bool, r"astype\('uint8'\) makes what is True a FAULT"),
        ("mask", "i2", r"astype\('uint8'\) keeps numbers that are flags"),
        ("mask", "f4", "select frames by isel"),
        ("variance", "i4", r"assign\(variance=ds\['variance'\]\.astype\('float64'\)\)"),
        ("image", object, r"assign\(image=ds\['image'\]\.astype\('float64'\)\)"),
        ("image", "c8", "no real number"),
    ],
)
@pytest.mark.parametrize("verb", ["median", "masked", "zarr", "fits", "divide_flat"])
def test_planes_of_other_types_are_refused_with_the_remedy(
    name, dtype, remedy, verb, night, tmp_path
):
    science = night["science"].assign({name: night["science"][name].astype(dtype)})
    with pytest.raises(aw.SchemaError, match=remedy):
        VERBS[verb](night | {"science": science}, plain, tmp_path)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="there is no longer float here")
def test_longer_floats_are_refused_in_frames_and_rounded_in_arrays(night):
    with pytest.raises(aw.SchemaError, match="which files have not"):
        aw.stack(night["science"].assign(image=night["science"]["image"].astype(np.longdouble)))
    values = plane(night).astype(np.longdouble)
    average = aw.iterative_rejection_average(values, 3.0)[0]
    np.testing.assert_array_equal(average, aw.iterative_rejection_average(plane(night), 3.0)[0])


@pytest.mark.parametrize(
    "function",
    [
        lambda values: aw.iterative_rejection_average(values, 3.0),
        lambda values: aw.overscan_correction(values, "[1:5,1:5]", aw.Overscan(min_pixels=3)),
        lambda values: mask_utilities.get_saturation_mask(values, 3.0),
    ],
)
@pytest.mark.parametrize("dtype", [object, complex, "M8[s]", "U3"])
def test_arrays_of_no_numbers_are_refused_with_the_remedy(function, dtype):
    with pytest.raises(ValueError, match=r"real numbers.*astype\('float64'\)"):
        function(np.zeros((5, 7), "i8").astype(dtype))


def test_what_a_masked_array_hides_does_not_count(night):
    raw = np.ma.masked_array(np.full((12, 28), 100.0))
    raw[:6, 20:] = 9999.0
    raw[:6, 20:] = np.ma.masked
    found = aw.overscan_correction(raw, OVERSCAN, aw.Overscan(average="mean", min_pixels=3))
    assert float(found.correction) == 100.0
    assert not mask_utilities.get_saturation_mask(raw, 200).any()
    hidden = np.ma.masked_array(night["science"]["image"].values, mask=False)
    hidden[0] = np.ma.masked
    stacked = aw.stack(night["science"].assign(image=(aw.schema.DIMS, hidden)), "mean")
    assert int(stacked["count"].max()) == 3


def test_texts_of_any_kind_are_names_and_bytes_are_refused_with_the_remedy(night):
    expected = aw.calibrate(night["object"], bias=night["master bias"])
    for dtype in (object, "U40", np.dtypes.StringDType()):
        texts = {
            name: (coord.dims, np.array(coord.values.tolist(), "U40").astype(dtype))
            for name, coord in night["object"].coords.items()
            if coord.dtype.kind in "OUT"
        }
        found = aw.calibrate(night["object"].assign_coords(texts), bias=night["master bias"])
        np.testing.assert_array_equal(found["image"], expected["image"])
        assert aw.where_type(night["object"].assign_coords(texts), "object").sizes["frame"] == 4
    as_bytes = night["object"].assign_coords(filter=("frame", np.full(4, b"V")))
    with pytest.raises(aw.SchemaError, match=r"'filter' holds bytes; ds\.assign_coords\(filter="):
        aw.where_type(as_bytes, "object")
