"""A pytest plugin that tests another build of ``_native``, such as one with sanitizers.

``BNBENCH_NATIVE=/path/to/_native.so python -m pytest -p tests.cpp.native_build`` takes the place of
the package's own build. Programs that a test starts use the package's own build as before.
"""

from __future__ import annotations

import importlib.util
import os
import sys

spec = importlib.util.spec_from_file_location("bnbench._native", os.environ["BNBENCH_NATIVE"])
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
sys.modules["bnbench._native"] = module
spec.loader.exec_module(module)

import bnbench  # noqa: E402

bnbench._native = module  # type: ignore[attr-defined]
