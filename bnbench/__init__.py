"""bnbench: what a training technique does to a network, measured across seeds.

The names below are the library; ``bnbench --help`` is the command line over it::

    study = bnbench.Study(["baseline", "batchnorm"], seeds=range(10))
    run = study.run("runs/mine")

``docs/use-as-a-library.md`` shows more, ``docs/architecture.md`` which module has which duty.
"""

import importlib

__version__ = "0.1.0"

_EXPORTS = {
    "BnbenchError": ("bnbench.errors", "BnbenchError"),
    "Model": ("bnbench.library.run", "Model"),
    "Recipe": ("bnbench.recipes", "RecipeSpec"),
    "RecipeChange": ("bnbench.recipes", "RecipeChange"),
    "Run": ("bnbench.library.run", "Run"),
    "Study": ("bnbench.library.study", "Study"),
    "Timing": ("bnbench.specs", "TimingSpec"),
    "Tuning": ("bnbench.specs", "TuningSpec"),
    "Variant": ("bnbench.specs", "VariantSpec"),
    "own_callable": ("bnbench.library.callables", "own_callable"),
    "open_run": ("bnbench.library.run", "open_run"),
}
"""Each exported name, with its module and its name there; ``__init__.pyi`` has the types."""

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> object:
    """Import an exported name when it is first used, so that ``import bnbench`` is fast."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _EXPORTS[name]
    found: object = getattr(importlib.import_module(module), original)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
