import warnings

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from autowisp_xr.errors import AutowispWarning, BadImageError
from autowisp_xr.fits.layout import read_header, read_layout
from autowisp_xr.flags import Flag
from autowisp_xr.frames import scan, to_fits
from autowisp_xr.opening import open_fits

SHAPE = (5, 7)


def image(value=0.0, name="", dtype="float32", **cards):
    data = (np.arange(35).reshape(SHAPE) + value).astype(dtype)
    hdu = fits.ImageHDU(data, name=name)
    hdu.header.update(cards)
    return hdu


def primary(data=None, **cards):
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({"IMAGETYP": "object", "EXPTIME": 30.0, **cards})
    return hdu


@pytest.fixture
def write(tmp_path):
    def to(*hdus, name="a.fits"):
        fits.HDUList(list(hdus)).writeto(tmp_path / name)
        return str(tmp_path / name)

    return to


def chosen(path, hdu=None):
    return read_layout(path, hdu).planes["image"].index


def doubts(path, hdu=None):
    return " | ".join(read_layout(path, hdu).doubts)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("inherit", [None, True])
def test_an_extension_has_the_cards_of_the_primary_hdu(write, compressed, inherit, tmp_path):
    own = {"FILTER": "V"} | ({} if inherit is None else {"INHERIT": inherit})
    extension = image(name="CCD1", dtype="int16", **own)
    if compressed:
        extension = fits.CompImageHDU(extension.data, extension.header)
    first = primary(FILTER="R", EXTNAME="PRIMARY", LONG="word " * 30)
    first.header["HIERARCH ESO DET ID"] = "x"
    first.header.add_history("opened")
    path = write(first, extension)
    (record,) = scan(path)
    assert record.coordinates["exposure"] == 30
    assert record.coordinates["filter"] == "V"
    header = record.header.parsed()
    assert [header.count(card) for card in ("FILTER", "EXTNAME", "HISTORY")] == [1, 1, 1]
    assert header["EXTNAME"] == "CCD1"
    assert header["LONG"] == first.header["LONG"]
    assert header["ESO DET ID"] == "x"
    to_fits(open_fits(path), tmp_path / "out.fits")
    header = fits.getheader(tmp_path / "out.fits")
    assert header["LONG"] == first.header["LONG"]
    assert "INHERIT" not in header


def test_an_extension_that_does_not_inherit_has_its_own_cards_only(write):
    path = write(primary(), image(INHERIT=False, OBJECT="M31"))
    assert "EXPTIME" not in read_header(path)
    assert "EXPTIME" in read_header(write(primary(), image(), name="b.fits"))
    assert "EXPTIME" not in read_header(str(path).replace("a.fits", "b.fits"), inherit=False)


def test_a_card_without_a_value_hides_nothing(write):
    path = write(primary(OBJECT="M31", FILTER="V"), image(OBJECT="", FILTER=None))
    header = scan(path)[0].header.parsed()
    assert (header["OBJECT"], header["FILTER"]) == ("M31", "V")
    assert (header.count("OBJECT"), header.count("FILTER")) == (1, 1)


def test_what_is_about_the_pixels_of_the_primary_hdu_is_not_inherited(write):
    cards = {"CRPIX1": 3.0, "TRIMSEC": "[1:2,1:2]", "LTV1": -3.0, "OBSERVER": "me"}
    path = write(primary(np.zeros(SHAPE, "i2"), **cards), image(name="CCD2"))
    header = scan(path, hdu=1)[0].header.parsed()
    assert header["OBSERVER"] == "me"
    assert not {"CRPIX1", "TRIMSEC", "LTV1"} & set(header)


@pytest.mark.parametrize("shape", [(1, 5, 7), (5, 7, 1), (1, 5, 1, 7), (1, 1, 5, 7)])
@pytest.mark.parametrize("dress", ["plain", "rice", "gzip tiles"])
def test_axes_of_length_one_do_not_count(tmp_path, shape, dress):
    data = np.arange(35, dtype="int16").reshape(SHAPE)
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(data.reshape(shape))
    if dress != "plain":
        kind = "RICE_1" if dress == "rice" else "GZIP_1"
        hdu = fits.CompImageHDU(hdu.data, compression_type=kind)
    hdu.writeto(path)
    ds = open_fits(path)
    np.testing.assert_array_equal(ds.image[0, 0], data)
    np.testing.assert_array_equal(ds.image[0, 0, 2:4], data[2:4])


def test_a_cube_of_planes_is_refused_with_what_can_be_done(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 5, 7), "f4")).writeto(tmp_path / "a.fits")
    with pytest.raises(BadImageError, match=r"3 dimensions \(3 x 5 x 7\).*hdu="):
        open_fits(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("hdu", "index"),
    [(2, 2), ("2", 2), ("amp2", 2), ("SCI,2", 4), ("sci", 3), (" Sci , 1 ", 3), ("PRIMARY", 0)],
)
def test_an_hdu_is_chosen_by_number_or_name(write, hdu, index):
    path = write(
        primary(np.zeros(SHAPE, "i2")),
        image(1, "AMP1"),
        image(2, "AMP2"),
        image(3, "SCI", EXTVER=1),
        image(4, "SCI", EXTVER=2),
    )
    assert chosen(path, hdu) == index
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutowispWarning)
        ds = open_fits(path, hdu=hdu)
        xr.testing.assert_identical(
            ds.image, xr.open_dataset(path, engine="autowisp", hdu=hdu).image
        )
    assert float(ds.image[0, 0, 0, 0]) == (index if index else 0)


def test_channels_are_chosen_by_name(write):
    path = write(primary(), image(1, "AMP1"), image(2, "AMP2"))
    ds = open_fits(path, hdu={"left": "AMP2", "right": 1})
    assert ds.image[0, :, 0, 0].values.tolist() == [2, 1]


@pytest.mark.parametrize(("hdu", "words"), [("NONE", "named 'NONE'"), ("SCI,3", "SCI,3"), (9, "9")])
def test_an_hdu_that_is_not_there_is_an_error_that_lists_the_images(write, hdu, words):
    path = write(primary(), image(name="SCI"))
    with pytest.raises(BadImageError, match=rf"no HDU .*{words}.*HDU 1 \(SCI, 5 x 7\)"):
        read_layout(path, hdu)


def test_images_that_are_not_read_are_a_doubt_unless_one_was_chosen(write):
    path = write(primary(), image(name="SCI"), image(name="SKY"))
    assert "only HDU 1 (SCI, 5 x 7) is read of 2 images" in doubts(path)
    assert "not HDU 2 (SKY, 5 x 7)" in doubts(path)
    assert "--hdu" in doubts(path)
    assert doubts(path, 1) == doubts(path, "sky") == doubts(path, {"a": 1, "b": 2}) == ""
    with pytest.warns(AutowispWarning, match=r"a\.fits: only HDU 1 .*SKY"):
        open_fits(path)


def test_a_name_that_several_images_have_is_a_doubt(write):
    path = write(primary(), image(name="SCI", EXTVER=1), image(name="SCI", EXTVER=2))
    assert "not HDU 2 (SCI,2, 5 x 7)" in doubts(path, "SCI")
    assert doubts(path, "SCI,2") == ""


@pytest.mark.parametrize("name", ["THUMBNAIL", "preview", "MASK"])
def test_an_image_goes_before_what_is_none_by_its_name(write, name):
    path = write(primary(), image(name=name), image(name="SCI"))
    assert chosen(path) == 2
    only = write(primary(), image(name=name), name="only.fits")
    assert chosen(only) == 1
    assert doubts(only) == ""


def test_tables_are_no_images(write):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=[1])], name="CAT")
    path = write(primary(), table, image(name="SCI"))
    assert chosen(path) == 2
    assert doubts(path) == ""
    with pytest.raises(BadImageError, match=r"no image in HDU 1 \(CAT\)"):
        read_layout(path, "cat")


@pytest.mark.parametrize(
    ("name", "cards", "variance"),
    [
        ("UNCERT", {"UTYPE": "StdDevUncertainty"}, 9.0),
        ("UNCERT", {"UTYPE": "VarianceUncertainty"}, 3.0),
        ("UNCERT", {"UTYPE": "InverseVariance"}, 1 / 3),
        ("UNCERT", {}, 9.0),
        ("ERR", {"BUNIT": "ADU"}, 9.0),
        ("SCI_SIGMA", {}, 9.0),
        ("VAR", {"BUNIT": "adu**2"}, 3.0),
        ("IVAR", {}, 1 / 3),
        ("STAT", {"HDUCLAS2": "ERROR", "HDUCLAS3": "MSE"}, 3.0),
        ("ANY", {"HDUCLAS2": "ERROR", "HDUCLAS3": "RMSE"}, 9.0),
    ],
)
def test_errors_of_other_programs_become_the_variance(write, name, cards, variance):
    error = image(name=name, **cards)
    error.data[...] = 3
    error.data[0, 0] = np.nan
    error.data[0, 1] = -1
    path = write(primary(BUNIT="adu"), image(name="SCI"), error)
    ds = open_fits(path)
    np.testing.assert_allclose(ds.variance[0, 0, 1:], variance, rtol=1e-6)
    # a number below zero stands for what is not known
    assert np.isnan(ds.variance[0, 0, 0, :2]).all()
    assert scan(path)[0].calibrated_because == "it has a plane of errors"


@pytest.mark.parametrize("name", ["MASK", "DQ", "BPM", "FLAGS", "sci_dq"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32"])
def test_masks_of_other_programs_become_faults(write, name, dtype):
    mask = fits.ImageHDU(np.zeros(SHAPE, dtype), name=name)
    mask.data[1, 2], mask.data[3, 4] = 1, 64
    path = write(primary(), image(name="SCI"), mask)
    ds = open_fits(path)
    assert ds.mask.dtype == np.uint8
    assert np.flatnonzero(ds.mask).tolist() == [9, 25]
    assert set(np.unique(ds.mask)) == {0, Flag.FAULT}
    # bad pixels alone make no frame a calibrated one
    assert scan(path)[0].calibrated_because == ""
    assert "variance" not in ds


def test_each_image_of_one_name_has_its_own_planes(write):
    planes = [
        image(10 * version, name, EXTVER=version)
        for version in (1, 2)
        for name in ("SCI", "VAR", "DQ")
    ]
    path = write(primary(), *planes)
    layout = read_layout(path, "SCI,2")
    assert {kind: plane.index for kind, plane in layout.planes.items()} == {
        "image": 4,
        "error": 5,
        "mask": 6,
    }
    assert layout.doubts == ()
    assert "not HDU 4 (SCI,2, 5 x 7);" in doubts(path)


@pytest.mark.parametrize(
    ("hdu", "words"),
    [
        (image(name="UNCERT", UTYPE="UnknownUncertainty"), "UnknownUncertainty"),
        (image(name="ERR", BUNIT="electron"), "BUNIT is 'electron', that of the image 'adu'"),
        (image(name="ERR", BUNIT="adu2"), "for a deviation"),
        (image(name="WEIGHT"), "no use is made"),
        (image(name="Q", HDUCLAS2="QUALITY", HDUCLAS3="MASKZERO"), "MASKZERO"),
        (fits.ImageHDU(np.zeros((4, 7), "i2"), name="DQ"), "another shape"),
    ],
)
def test_planes_that_are_not_understood_are_a_doubt(write, hdu, words):
    path = write(primary(BUNIT="adu"), image(name="SCI"), hdu)
    assert words in doubts(path)
    assert "not read" in doubts(path)
    assert read_layout(path).planes.keys() == {"image"}


def test_our_own_products_are_no_doubt(product):
    assert doubts(str(product())) == ""


def amplifiers(*names, without=()):
    """Two halves of a detector, the second stored from its right edge."""
    hdus = [primary()]
    for version, section in ((1, "[1:7,1:5]"), (2, "[14:8,1:5]")):
        for name in names:
            if (name, version) not in without:
                hdu = image(10 * version, name, EXTVER=version)
                hdu.header["DETSEC"], hdu.header["DATASEC"] = section, "[1:7,1:5]"
                hdus.append(hdu)
    return hdus


def test_planes_of_amplifiers_become_those_of_the_frame(write):
    path = write(*amplifiers("SCI", "VAR", "DQ"))
    ds = open_fits(path)
    expected = np.concatenate([image(10).data, image(20).data[:, ::-1]], axis=1)
    np.testing.assert_array_equal(ds.image[0, 0], expected)
    np.testing.assert_array_equal(ds.variance[0, 0], expected)
    np.testing.assert_array_equal(ds.mask[0, 0], np.full((5, 14), Flag.FAULT))


def test_planes_that_some_amplifiers_lack_are_a_doubt(write):
    path = write(*amplifiers("SCI", "DQ", without=[("DQ", 2)]))
    (record,) = scan(path)
    assert list(record.layout.planes) == ["image"]
    assert "HDU 2 (DQ,1, 5 x 7) not read: not all of the 2 images" in record.doubts[0]
