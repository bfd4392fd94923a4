"""Small nights that were reduced, and the pages about them."""

from html.parser import HTMLParser

import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.night.reducing import reduce

HOSTILE = "<script>alert('&\"1')</script>"
"""What a header may hold, and must stay a text."""

HOSTILE_NAME = "<img src=x onerror=alert(1)>.fits"


class Page(HTMLParser):
    """The elements of a page: name, attributes, and the text that is in it."""

    VOID = ("img", "meta", "link", "br", "input")

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        while self._open and self._open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def of(self, tag, **attributes):
        return [
            one for one in self.elements if one["tag"] == tag and attributes.items() <= one.items()
        ]

    def text(self, tag, **attributes):
        (found,) = self.of(tag, **attributes)
        return " ".join(found["text"].split())


@pytest.fixture(scope="session")
def reduced(tmp_path_factory):
    """A night of which one file is of unknown type, and headers are hostile; without FITS.

    Its flats are doubted, which were taken through other optics.
    """
    folder = tmp_path_factory.mktemp("night")
    sky = aw.simulate.Night(shape=(40, 56), seed=5, gain=0.6, full_well=30_000, overscan=16)
    for frames in (sky.bias(4), sky.dark(3), sky.flat(4), sky.objects(2)):
        aw.to_fits(frames, folder / "raw" / "{RAWFNAME}.fits")
    for path in (folder / "raw").glob("object*"):
        fits.setval(path, "OBJECT", value=HOSTILE)
        fits.setval(path, "FOCALLEN", value=700.0)
    for path in (folder / "raw").glob("flat*"):
        fits.setval(path, "FOCALLEN", value=500.0)
    odd = sky.objects(1)
    (path,) = aw.to_fits(odd, folder / "odd.fits")
    fits.setval(path, "IMAGETYP", value=HOSTILE)
    (folder / "odd.fits").rename(folder / "raw" / HOSTILE_NAME)
    summary = reduce(folder / "raw", folder / "out", fits=False)
    return folder / "out", summary


@pytest.fixture(scope="session")
def page(reduced):
    """The page about that night, as its text and as elements."""
    path = aw.report(reduced[0])
    text = path.read_text(encoding="utf-8")
    return text, Page(text)
