"""The libtorch runtime: the C++ program ``bnbench-eval``, which shares no Python with us."""

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

from bnbench.errors import DataError, RunError, RuntimeUnavailableError
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
        f"expected the C++ program {BINARY}, got none at {' or '.join(candidates)}; "
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
                f"expected an answer in JSON from {binary}, got exit code "
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


class LibTorchRuntime:
    """Asks the program for the logits of all models at once, when the first is loaded.

    The program reads the test set by itself: that it sees the same images is part of what is
    verified.
    """

    name = NAME

    def __init__(self, models: Sequence[Path], data_folder: Path) -> None:
        """Take the models that will be loaded and the folder of the test set.

        Raises:
            RuntimeUnavailableError: the program is missing or does not run.
        """
        self._models = list(models)
        self._data_folder = data_folder
        self._logits: dict[Path, NDArray[np.float32]] = {}
        answer = subprocess.run([find_binary(), "--version"], capture_output=True, text=True)
        if answer.returncode != 0:
            raise RuntimeUnavailableError(f"{BINARY} does not run: {answer.stderr.strip()}")
        self.version = answer.stdout.strip()

    def load(self, model: Path) -> LibTorchModel:
        """See `Runtime`."""
        if model not in self._logits:
            first = self._models.index(model)
            chunk = self._models[first : first + MODELS_A_CALL]
            self._logits = dict(zip(chunk, self._compute_logits(chunk), strict=True))
        return LibTorchModel(self._logits[model])

    def _compute_logits(self, models: Sequence[Path]) -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory(prefix="bnbench-") as folder:
            output = Path(folder) / "logits.npy"
            command = [find_binary(), *models, "--data", self._data_folder, "--logits", output]
            result = subprocess.run([*map(str, command), "--json"], capture_output=True, text=True)
            if not output.exists():
                raise RunError(
                    f"expected logits from {BINARY}, got exit code {result.returncode} and: "
                    f"{result.stderr.strip() or 'nothing'}"
                )
            logits: NDArray[np.float32] = np.load(output)
        return logits.reshape(len(models), -1, 10)


class LibTorchModel:
    """What the program computed for one model."""

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self._logits = logits

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `LoadedModel`; the images are the program's own.

        Raises:
            RunError: the program evaluated another number of images.
        """
        if len(self._logits) != len(images):
            raise RunError(
                f"expected the logits of {len(images)} images from {BINARY}, got those of "
                f"{len(self._logits)}"
            )
        return self._logits


def open_runtime(models: Sequence[Path], data_folder: Path) -> LibTorchRuntime:
    """See `bnbench.models.runtimes`."""
    return LibTorchRuntime(models, data_folder)
