"""The libtorch runtime: the C++ program ``bnbench-eval``, which shares no Python with us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bnbench.errors import DataError, RuntimeUnavailableError
from bnbench.records import VerificationRecord

NAME = "libtorch"
BINARY = "bnbench-eval"
MODELS_A_CALL = 200  # well below any system's limit on the length of a command line


def find_binary() -> Path:
    """Find ``bnbench-eval``: named by ``BNBENCH_EVAL``, beside this Python, or on the PATH.

    Raises:
        RuntimeUnavailableError: it is nowhere.
    """
    named = os.environ.get("BNBENCH_EVAL")
    candidates = [named] if named else [f"{sysconfig.get_path('scripts')}/{BINARY}", BINARY]
    for candidate in candidates:
        found = shutil.which(candidate)
        if found is not None:
            return Path(found)
    raise RuntimeUnavailableError(
        f"required the C++ program {BINARY}, found none at {' or '.join(candidates)}; "
        "'pip install .' builds it (or name it by the environment variable BNBENCH_EVAL)"
    )


def verify_models(models: Sequence[Path], data_folder: Path) -> Iterator[VerificationRecord]:
    """Have the program evaluate `models` and hold each against its manifest.

    Raises:
        RuntimeUnavailableError: the program is missing or does not run.
        DataError: the program refuses the data.
    """
    binary = find_binary()
    for first in range(0, len(models), MODELS_A_CALL):
        chunk = models[first : first + MODELS_A_CALL]
        command = [str(binary), *map(str, chunk), "--data", str(data_folder), "--json"]
        result = subprocess.run(command, capture_output=True, text=True)
        try:
            answer: dict[str, Any] = json.loads(result.stdout)
        except ValueError:
            raise RuntimeUnavailableError(
                f"required an answer in JSON from {binary}, found exit code "
                f"{result.returncode} and: {result.stderr.strip() or 'nothing'}"
            ) from None
        if answer.get("error"):
            raise DataError(str(answer["error"]))
        for model in answer["models"]:
            yield VerificationRecord(
                model=Path(model["model"]).name,
                runtime=NAME,
                correct=model["correct"],
                total=model["total"],
                accuracy=model["accuracy"],
                expected_correct=model["expected_correct"],
                disagreements=model["disagreements"],
                max_abs_logit_diff=model["max_abs_logit_diff"],
                status=model["status"],
                reason=model["reason"],
            )
