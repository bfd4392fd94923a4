import importlib
import sys

import numpy as np

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


def test_what_two_processes_compile_at_a_time_is_never_taken_for_one_another(tmp_path, monkeypatch):
    (tmp_path / "doubled.py").write_text(DOUBLED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def fresh():
        """The function as another process has it, which has compiled nothing."""
        sys.modules.pop("doubled", None)
        importlib.invalidate_caches()
        return importlib.import_module("doubled").doubled

    signed, unsigned = fresh(), fresh()
    values = np.array([40000], np.uint16)
    as_signed = values.view(np.int16)
    write = jit._index_of(unsigned)._save_data

    def after_the_other(name, data):
        signed(as_signed)
        write(name, data)

    # one looked at the index before the other wrote to it, and this writes its code last
    monkeypatch.setattr(jit._index_of(signed), "_load_index", dict)
    monkeypatch.setattr(jit._index_of(unsigned), "_save_data", after_the_other)
    assert unsigned(values).tolist() == [80000]
    for _ in range(2):
        assert fresh()(values).tolist() == [80000]
        assert fresh()(as_signed).tolist() == [2 * (40000 - 65536)]


DOUBLED = """
import numpy as np
from autowisp_xr.kernels.jit import kernel
@kernel
def doubled(values):
    return values.astype(np.int64) * 2
"""

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
