import importlib
import sys

from autowisp_xr.kernels import jit


def test_without_a_place_to_cache_kernels_still_compile(monkeypatch):
    def locked(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    real = jit.njit
    monkeypatch.setattr(jit, "njit", locked)
    assert jit.kernel(lambda x: x + 1)(2) == 3


def test_what_is_cached_is_compiled_anew_when_what_it_calls_has_changed(tmp_path, monkeypatch):
    (tmp_path / "outer_kernel.py").write_text(OUTER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for text in (INNER.format(factor=2), None, INNER.format(factor=5)):
        if text:
            (tmp_path / "inner_kernel.py").write_text(text)
        for name in ("inner_kernel", "outer_kernel"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module = importlib.import_module("outer_kernel")
        found.append((module.outer(1), sum(module.outer.stats.cache_hits.values())))
    assert found == [(3, 0), (3, 1), (6, 0)]


INNER = """
from autowisp_xr.kernels.jit import kernel
FACTOR = {factor}
@kernel
def inner(x):
    return FACTOR * x
"""

OUTER = """
from autowisp_xr.kernels.jit import kernel
from inner_kernel import inner
@kernel
def outer(x):
    return inner(x) + 1
"""
