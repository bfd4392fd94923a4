import math

import pytest
from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.coordinates import filter_name
from autowisp_xr.headers.readout import read_setting
from autowisp_xr.headers.values import Cards


def header(text):
    """Header of 7 x 5 pixels and cards, such as "DETSEC='[1:7,1:5]'; XBINNING=2"."""
    cards = [("NAXIS1", 7), ("NAXIS2", 5)]
    for card in filter(None, text.split(";")):
        keyword, _, value = card.strip().partition("=")
        value, _, comment = value.partition(" / ")
        value = value.strip()
        if value in ("T", "F"):
            value = value == "T"
        elif value.startswith("'"):
            value = value.strip("'")
        else:
            value = float(value) if "." in value else int(value)
        cards.append((keyword.strip(), value, comment.strip()))
    return fits.Header(cards)


def setting(text):
    return read_setting(Cards(header(text), KeywordAliases()))


@pytest.mark.parametrize(
    ("cards", "window"),
    [
        ("", ""),
        ("DETSEC='[501:507,301:305]'", "[501:507,301:305]"),
        ("CCDSEC=' [507:501, 305:301]'", "[501:507,301:305]"),
        ("SUBRECT='501, 507, 305, 301'", "[501:507,301:305]"),
        ("XORGSUBF=500; YORGSUBF=300", "[501:507,301:305]"),
        ("XORGSUBF=250; YORGSUBF=150; XBINNING=2; YBINNING=2", "[501:514,301:310]"),
        ("CCDSUBFL=500; CCDSUBFT=300", "[501:507,301:305]"),
        ("XSTART=500; YSTART=300", "[501:507,301:305]"),
        ("FRAMEX=500; FRAMEY=300; XBINNING=2; YBINNING=1", "[501:514,301:305]"),
        ("HIERARCH ESO DET WIN1 STRX=501; HIERARCH ESO DET WIN1 STRY=301", "[501:507,301:305]"),
        ("X1=501; Y1=301; X2=507; Y2=305", "[501:507,301:305]"),
        ("X1=501; Y1=301", ""),
        ("LTV1=-500.0; LTV2=-300.0", "[501:507,301:305]"),
        ("LTV1=-249.75; LTV2=-149.75; LTM1_1=0.5; LTM2_2=0.5", "[501:514,301:310]"),
        ("LTV1=-500.3; LTV2=-300.0", ""),
        ("XORGSUBF=0; YORGSUBF=0", "[1:7,1:5]"),
        ("XORGSUBF=0; YORGSUBF=0; DETSEC='[501:507,301:305]'", "[501:507,301:305]"),
        ("DETSEC='[1:7,1:5]'; XORGSUBF=500; YORGSUBF=300", "[501:507,301:305]"),
        ("XORGSUBF=-1; YORGSUBF=0", ""),
        ("DETSEC='UNKNOWN'", ""),
        ("ROI='500,300,7,5'", "[501:507,301:305]"),
        ("WINDOW='(500, 300, 14, 10)'; XBINNING=2; YBINNING=2", "[501:514,301:310]"),
        ("ROI='500,300,8,5'", ""),
        ("WINDOW='F'", ""),
        ("XORGSUBF=500; YORGSUBF=300; IMAGAREA='2 < x < 9, 1 < y < 6'", "[501:509,301:306]"),
    ],
)
def test_windows_are_sections_of_the_sensor_in_unbinned_pixels(cards, window):
    assert setting(cards)["window"] == window


@pytest.mark.parametrize(
    ("cards", "orientation"),
    [
        ("", ""),
        ("ROWORDER='TOP-DOWN'", "TOP-DOWN"),
        ("ROWORDER='bottom_up'", "BOTTOM-UP"),
        ("ROWORDER='UNKNOWN'", ""),
        ("FLIPSTAT=''", "not flipped"),
        ("FLIPSTAT='Flip/Mirror'", "Flip/Mirror"),
        ("FLIPPED=F", "not flipped"),
        ("FLIPPED=T", "flipped"),
        ("XFLIP=1; YFLIP=0", "flipped in x"),
        ("FLIP_X='no'; FLIP_Y='yes'", "flipped in y"),
        ("ROWORDER='TOP-DOWN'; XFLIP=T; YFLIP=T", "TOP-DOWN, flipped in x, flipped in y"),
        ("ROWORDER='TOP-DOWN'; FLIPSTAT=''", "TOP-DOWN"),
    ],
)
def test_orientation_gives_rows_and_flips(cards, orientation):
    assert setting(cards)["orientation"] == orientation


@pytest.mark.parametrize(
    ("cards", "name", "value"),
    [
        ("OFFSET=30", "offset", 30),
        ("BLKLEVEL=64", "offset", 64),
        ("BRIGHTNE='12'", "offset", 12),
        ("OFFSET=3.5 / [arcsec] of the dither", "offset", math.nan),
        ("PEDESTAL=-100", "offset", math.nan),
        ("READOUTM='Monochrome'", "readout_mode", "Monochrome"),
        ("READMODE=3", "readout_mode", "3"),
        ("READOUTM='N/A'; RDMODE='fast'", "readout_mode", "fast"),
        ("READSPD='1 MHz'", "readout_speed", "1 MHz"),
        ("ADCSPEED='5 MHz'", "readout_speed", "5 MHz"),
        ("GAIN='High'", "readout_mode", "GAIN High"),
        ("GAIN='100'; READMODE='Image'; PREAMP='4x'", "readout_mode", "Image, PREAMP 4x"),
        ("QREADMOD=1; PRE-AMP=4; BINMODE='sum'", "readout_mode", "1, PRE-AMP 4, BINMODE sum"),
        ("GAIN='n/a'", "readout_mode", ""),
        ("ISO='ISO 800'", "gain_setting", 800),
        ("GAIN='Gain 120'", "gain_setting", 120),
        ("GAIN='12.5 dB'", "gain_setting", 12.5),
        ("GAIN='12 apples'", "gain_setting", math.nan),
        ("READMODE=3.0", "readout_mode", "3"),
        ("BINNING='Bin2'", "binning", "2x2"),
        ("USBLIMIT=40", "readout_speed", ""),
        ("EGAIN=0.25", "egain", 0.25),
        ("GAIN=1.5", "egain", math.nan),
        ("EGAIN=0", "egain", math.nan),
        ("EGAIN='0.25 e-/ADU'", "egain", 0.25),
        ("EGAIN=0.25 / Electronic gain in e-/ADU", "egain", 0.25),
        ("EGAIN=4.0 / [adu/electron]", "egain", 0.25),
        ("EGAIN=4.0 / DN per e-", "egain", 0.25),
        ("EGAIN='4.0 ADU/e-'", "egain", 0.25),
        ("EGAIN='4.0 V'", "egain", math.nan),
        ("NCOADD=4", "coadds", 4),
        ("COADDS=4", "coadds", 4),
        ("CO_ADDS=4", "coadds", 4),
        ("HIERARCH ESO DET NDIT=4", "coadds", 4),
        ("NUMEXP=4; NFRAMES=9", "coadds", math.nan),
        ("DETECTOR='E2V 42-40'", "detector", "E2V 42-40"),
        ("INSTRUME='cam'; DETNAM='unknown'; CCDNAME='b'", "detector", "b"),
        ("INSTRUME='cam'; INSTRSN=7", "camera", "cam (7)"),
        ("GAIN=120", "gain_setting", 120),
        ("BINNING='2*2'", "binning", "2x2"),
    ],
)
def test_settings_of_the_camera_are_read(cards, name, value):
    found = setting(cards)[name]
    assert found == value or (found != found and value != value)


@pytest.mark.parametrize(
    ("cards", "name"),
    [
        ("", ""),
        ("FILTER='V'", "V"),
        ("FILTER=3.0", "3"),
        ("FILTER='NO_FILTER'; FILTER2='Bessel R'", "Bessel R"),
        ("FILTER='Open'; FILTNAM1='Ha'; FILTNAM2='empty'", "Ha"),
        ("FILTER1='CLEAR1L'; FILTER2='F606W'", "F606W"),
        ("FILTER1='R'; FILTER2='ND2'", "R+ND2"),
        ("FILTER1='open1-6'; FILTER2='r_G0303'", "r_G0303"),
        ("HIERARCH ESO INS FILT1 NAME='free'; HIERARCH ESO INS FILT2 NAME='R#642'", "R#642"),
        ("FILTER='air'; FILTER1='air'; FILTER2='NOTPRESENT'", "air"),
        ("FILTER='Clear'", "Clear"),
        ("FILTER='rp'; FILTER1='air'; FILTER2='rp'", "rp"),
        ("FILTER='B+OPEN'; FILTER1='B'; FILTER2='OPEN'", "B+OPEN"),
        ("FILTER='V'; FILTER1=3", "V"),
        ("FILTER1=3; FILTER2=1", "3+1"),
        ("FILTER1='656'; FILTER2='ND'", "656+ND"),
        ("FILTER='Halpha'; FILTER2='H'", "Halpha+H"),
        ("FILTERS=48", "48"),
        ("FILTER1='dia'; FILTER2='V'", "V"),
        ("ALFLTNM='R_Bes'; FAFLTNM='Open'; FBFLTNM='Open'", "R_Bes"),
        ("FILT-1='HaOIII'", "HaOIII"),
    ],
)
def test_filters_of_all_wheels_make_the_name(cards, name):
    assert filter_name(Cards(header(cards), KeywordAliases())) == name


def test_the_filter_card_of_the_user_is_the_only_one_that_is_asked():
    mine = KeywordAliases().extended(filter="MYBAND")
    assert filter_name(Cards(header("FILTER='V'; FILTER2='R'; MYBAND='B'"), mine)) == "B"
