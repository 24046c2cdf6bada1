"""What the runtimes ``libtorch`` and ``portable`` share: a C++ program, which shares no Python.

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

from bnbench.errors import DataError, RunError, RuntimeUnavailableError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Evaluation, Runtime
from bnbench.models.runtimes.test_files import list_data_options


def find_program(name: str) -> Path:
    """Find a C++ program: named by a variable, beside this Python, or on the PATH.

    The variable is the name in capitals: ``BNBENCH_EVAL`` for ``bnbench-eval``.

    Raises:
        RuntimeUnavailableError: it is nowhere.
    """
    variable = name.upper().replace("-", "_")
    named = os.environ.get(variable)
    candidates = [named] if named else [f"{sysconfig.get_path('scripts')}/{name}", name]
    for candidate in candidates:
        found = shutil.which(candidate)
        if found is not None:
            return Path(found)
    raise RuntimeUnavailableError(
        f"expected the C++ program {name}, got none at {' or '.join(candidates)}; "
        f"'pip install .' builds it (or name it by the environment variable {variable})"
    )


class ProgramRuntime(Runtime):
    """Evaluates all models that it is given in one call of a program."""

    program: str
    """The program's name."""

    def __init__(self, data_folder: Path) -> None:
        """Find the program, and ask it for its version."""
        self._binary = find_program(self.program)
        self._data_folder = data_folder
        answer = subprocess.run([self._binary, "--version"], capture_output=True, text=True)
        if answer.returncode != 0:
            raise RuntimeUnavailableError(
                f"{self.program}: expected its version, got exit code {answer.returncode}: "
                f"{answer.stderr.strip()}; build it again with 'pip install .'"
            )
        self.version = answer.stdout.strip()

    def find_file(self, model: ExportedModel, folder: Path) -> Path:  # noqa: ARG002
        """The file that the program reads, beside its manifest; `folder` is for new ones.

        Raises:
            RunError: there is none, and none can be made.
        """
        return model.path

    def evaluate(
        self, models: Sequence[ExportedModel], images: NDArray[np.uint8]
    ) -> Iterator[Evaluation]:
        """See `Runtime`; each status is what the program says of the model and its manifest.

        Raises:
            RuntimeUnavailableError: the program gives no answer.
            DataError: the program refuses the test set, or has one of another size.
        """
        with tempfile.TemporaryDirectory(prefix="bnbench-") as folder:
            files: list[Path | RunError] = []
            for model in models:
                try:
                    files.append(self.find_file(model, Path(folder)))
                except RunError as error:
                    files.append(error)
            answers, logits = self._run(
                [str(file) for file in files if isinstance(file, Path)], Path(folder)
            )
        if len(answers) and logits.shape[1] != len(images):
            raise DataError(
                f"{self._data_folder}: expected the test set of {len(images):,} images, got one "
                f"of {logits.shape[1]:,} in {self.program}"
            )
        evaluated = zip(answers, logits, strict=True)
        for file in files:
            if isinstance(file, RunError):
                yield Evaluation(None, "unusable", str(file))
                continue
            answer, of_model = next(evaluated)
            usable = answer["status"] != "unusable"
            yield Evaluation(of_model if usable else None, answer["status"], answer["reason"])

    def _run(
        self, paths: Sequence[str], folder: Path
    ) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
        """The program's answers, and logits of shape (num_models, num_images, num_classes)."""
        if not paths:
            return [], np.empty((0, 0, 0), dtype=np.float32)
        output = folder / "logits.npy"
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
