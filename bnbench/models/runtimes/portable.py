"""The portable runtime: the C++ program ``bnbench-eval-portable``, which needs no LibTorch.

It reads the ``.pt2`` beside a model. Where there is none, one is exported for the occasion from the
weights in the model's file.
"""

from __future__ import annotations

from pathlib import Path

from bnbench.files import replace_file
from bnbench.models.exported_model import ExportedModel, name_manifest
from bnbench.models.runtimes.program import ProgramRuntime


class PortableRuntime(ProgramRuntime):
    """Evaluates torch.export archives."""

    name = "portable"
    program = "bnbench-eval-portable"

    def find_file(self, model: ExportedModel, folder: Path) -> Path:
        """See `ProgramRuntime`."""
        archive = model.path.with_suffix(".pt2")
        if archive.exists() and name_manifest(archive).exists():
            return archive
        # Imported here: archives that are there need no torch.
        from bnbench.models.archives import make_archive_files

        files = make_archive_files(model)
        for name, content in files.items():
            replace_file(folder / name, content)
        return folder / next(iter(files))
