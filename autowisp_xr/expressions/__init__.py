"""Expressions over header keywords, such as ``EXPTIME / 2``."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.expressions.evaluation import check_expression, evaluate

__all__ = ["check_expression", "evaluate"]

__getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, f"{__name__}.evaluation"))
