"""The libtorch runtime: the C++ program ``bnbench-eval``, which shares no Python with us.

It reads models, manifests and the test set by itself, so that is verified as well.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import DataError, RuntimeUnavailableError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Evaluation, Runtime
from bnbench.models.runtimes.test_files import list_data_options

BINARY = "bnbench-eval"


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
        f"expected the C++ program {BINARY}, got none at {' or '.join(candidates)}; "
        "'pip install .' builds it (or name it by the environment variable BNBENCH_EVAL)"
    )


class LibTorchRuntime(Runtime):
    """Evaluates all models that it is given in one call of the program."""

    name = "libtorch"

    def __init__(self, data_folder: Path) -> None:
        """Find the program, and ask it for its version."""
        self._binary = find_binary()
        self._data_folder = data_folder
        answer = subprocess.run([self._binary, "--version"], capture_output=True, text=True)
        if answer.returncode != 0:
            raise RuntimeUnavailableError(
                f"{BINARY}: expected its version, got exit code {answer.returncode}: "
                f"{answer.stderr.strip()}; build it again with 'pip install .'"
            )
        self.version = answer.stdout.strip()

    def evaluate(
        self, models: Sequence[ExportedModel], images: NDArray[np.uint8]
    ) -> Iterator[Evaluation]:
        """See `Runtime`; each status is what the program says of the model and its manifest.

        Raises:
            RuntimeUnavailableError: the program gives no answer.
            DataError: the program refuses the test set, or has one of another size.
        """
        answers, logits = self._run([str(model.path) for model in models])
        if logits.shape[1] != len(images):
            raise DataError(
                f"{self._data_folder}: expected the test set of {len(images):,} images, got one "
                f"of {logits.shape[1]:,} in {BINARY}"
            )
        for answer, of_model in zip(answers, logits, strict=True):
            usable = answer["status"] != "unusable"
            yield Evaluation(of_model if usable else None, answer["status"], answer["reason"])

    def _run(self, paths: Sequence[str]) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
        """The program's answer for each model, and logits.

        Logits have the shape (num_models, num_inputs, num_classes).
        """
        with tempfile.TemporaryDirectory(prefix="bnbench-") as folder:
            output = Path(folder) / "logits.npy"
            options = [*list_data_options(self._data_folder), "--logits", str(output), "--json"]
            result = subprocess.run(
                [str(self._binary), *paths, *options], capture_output=True, text=True
            )
            try:
                answer: dict[str, Any] = json.loads(result.stdout)
            except ValueError:
                raise RuntimeUnavailableError(
                    f"expected an answer in JSON from {self._binary}, got exit code "
                    f"{result.returncode} and: {result.stderr.strip() or 'nothing'}"
                ) from None
            if answer.get("error"):
                raise DataError(str(answer["error"]))
            logits: NDArray[np.float32] = np.load(output)
        return answer["models"], logits.reshape(len(paths), -1, logits.shape[-1])
