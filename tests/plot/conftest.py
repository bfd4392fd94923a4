import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def _no_figures_are_left():
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
