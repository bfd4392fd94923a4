"""Each file of the corpus is read right, or refused in the words of its table, by every door."""

import gzip
import os
import re
import warnings
from contextlib import suppress

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import night
from autowisp_xr.cli import main
from autowisp_xr.filesystem import addresses
from tests.fits import corpus

FAMILIES = [factory.__name__.strip("_") for factory in corpus.FACTORIES]
# good frames with something odd about them, which are calibrated with all others
ODD = re.compile(
    r"cards-(hierarch-odd|continue-of-nothing|non-ascii|unterminated-extname|braces|world-odd|history|date-[01]).fits"
    r"|tiles-(0|12)-.*fz|members.*|gz-under.*|padded-junk.*|behind-ff.*|empty-primary.*|-o.fits"
    r"|new\nline.fits|100%s%.fits|x{250}.fits"
)

# fitsio keeps BLANK as a number, scales 64 bits in its own way, rounds lossy HCOMPRESS otherwise
OTHERWISE = re.compile(r"blank-|scaled-i8|tiles-11-")


@pytest.fixture(scope="module")
def light():
    """Header and pixels of a light."""
    sky = aw.simulate.Night(shape=(40, 48), seed=2, overscan=8)
    frame = sky.objects(1)
    header = fits.Header.fromstring(frame.header.item(), sep="\n")
    return header, frame.image.values[0, 0]


def seen_by_others(path, entry):
    """Pixels as astropy and, where it is installed and can, fitsio read them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            with_pixels = [number for number, hdu in enumerate(hdus) if hdu.is_image and hdu.shape]
            number = with_pixels[0] if entry.hdu is None else entry.hdu
            found = [np.array(hdus[number].data)]
    if OTHERWISE.match(path.name):
        return found
    # it does not take all that is read here
    with suppress(Exception):
        import fitsio

        found.append(fitsio.read(os.fspath(path), ext=number))
    return found


def fault(entry, folder):
    """What is wrong with how a file is read; "" if nothing."""
    path = entry.write(folder)
    name = ascii(path.name)
    try:
        frame = aw.open_fits(path)
        pixels = frame.image.values[0, 0]
    except aw.AutowispError as error:
        right = entry.refused and re.search(entry.refused, str(error)) and path.name in str(error)
        unnamed = isinstance(entry.name, bytes) and re.search(entry.refused, str(error))
        return "" if right or unnamed else f"{name}: {error}"
    if entry.refused:
        return f"{name} is read, not refused: {entry.refused}"
    others = seen_by_others(path, entry) if entry.pixels is None else [entry.pixels]
    for other in others:
        if not np.array_equal(pixels, other.reshape(pixels.shape).astype(pixels.dtype), True):
            return f"{name} has other pixels"
    for coordinate, value in entry.cards.items():
        found = frame[coordinate].values[0] if coordinate in frame.coords else np.nan
        if not np.array_equal(found, value, equal_nan=True):
            return f"{name}: {coordinate} is {found}, not {value}"
    return ""


# several images, of which one is read, are reported
@pytest.mark.filterwarnings("ignore::autowisp_xr.errors.AutowispWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_each_file_is_read_right_or_refused_in_its_words(light, tmp_path, family):
    factory = corpus.FACTORIES[FAMILIES.index(family)]
    found = [fault(entry, tmp_path) for entry in corpus.entries(*light, [factory])]
    assert len(found) >= 4
    assert "\n".join(filter(None, found)) == ""


@pytest.mark.filterwarnings("ignore::autowisp_xr.errors.AutowispWarning")
def test_a_night_loses_bad_files_by_name_and_no_others(light, tmp_path, monkeypatch, capsys):
    sky = aw.simulate.Night(shape=(40, 48), seed=2, overscan=8)
    monkeypatch.chdir(tmp_path)
    for frames in (sky.bias(3), sky.dark(3), sky.flat(3), sky.objects(2)):
        frames.autowisp.to_fits("raw/{RAWFNAME}.fits")
    lights = [*corpus.entries(*light)]
    lights = [one for one in lights if one.refused or ODD.fullmatch(os.fsdecode(one.name))]
    for entry in lights:
        entry.write(tmp_path / "raw")
    bad = {os.fsdecode(one.name) for one in lights if one.refused}
    good = {os.fsdecode(one.name) for one in lights} - bad
    assert len(bad) > 60
    assert len(good) > 15

    table = aw.open_night("raw").to_dataset()
    reasons = dict(zip(table["path"].values, table.reason.values, strict=True))
    out = {os.path.basename(path) for path, reason in reasons.items() if reason}
    # the sum of a gzip stream is compared once pixels are read
    late = {"gz-sum.fits.gz"}
    assert out == {name.encode(errors="backslashreplace").decode() for name in bad - late}
    assert main(["info", "raw"]) == 0
    printed = capsys.readouterr().out
    for name in bad - late:
        assert addresses.printable(name) in printed

    summary = night.reduce("raw", "out", camera=sky.camera, checks=False)
    assert {os.path.basename(path) for path in summary.left_out} == bad
    assert summary.failed == {}
    made = {os.path.basename(path) for one in summary.made for path in one.inputs}
    assert good <= made
    written = list((tmp_path / "out").rglob("calibrated/**/*.fits"))
    assert len(written) == len(good) + 2
    assert (tmp_path / "out" / "summary.txt").read_text("utf-8")


def test_a_file_that_grows_while_it_is_read_is_refused(raw):
    frame = aw.open_fits(raw())
    with open(frame.path.item(), "ab") as file:
        file.write(bytes(2880))
    with pytest.raises(aw.BadImageError, match=r"a\.fits has changed since it was opened"):
        frame.load()


@pytest.mark.parametrize("kind", ["whole", "band", "tiles"])
@pytest.mark.parametrize("last", [False, True])
def test_damage_inside_gzip_is_noticed_wherever_it_is(tmp_path, kind, last):
    pixels = np.random.default_rng(1).integers(0, 60000, (60, 70)).astype("u2")
    image = fits.CompImageHDU(pixels) if kind == "tiles" else fits.ImageHDU(pixels)
    behind = [] if last else [fits.ImageHDU(np.zeros((400, 400)), name="OTHER")]
    packed = bytearray(gzip.compress(corpus.content_of(fits.PrimaryHDU(), image, *behind), 1))
    packed[-8] ^= 1
    (tmp_path / "a.fits.gz").write_bytes(packed)
    frame = aw.open_fits(tmp_path / "a.fits.gz", hdu=1)
    with pytest.raises(aw.BadImageError, match=r"a\.fits\.gz.* cannot be decompressed .*CRC"):
        (frame.isel(y=slice(3, 50)) if kind == "band" else frame).load()
