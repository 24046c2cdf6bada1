"""Running ``bnbench-eval`` and making the files that it is given."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bnbench.models.manifest import seal_manifest
from bnbench.models.runtimes.libtorch import find_binary

BARE = ("--no-manifest", "--unchecked-data")
"""Options for a model of which nothing is known."""


def evaluate(
    *arguments: object, env: dict[str, str] | None = None, preexec: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(find_binary()), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=env, preexec_fn=preexec)
    assert result.returncode >= 0, f"ended by signal {-result.returncode}"
    assert "frame #" not in result.stderr
    return result


def rewrite_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    del content["manifest_sha256"]
    change(content)
    path.write_bytes(seal_manifest(content))


def seal_again(model: Path) -> None:
    """Make the model's manifest one of the file as it is now."""
    raw = model.read_bytes()
    rewrite_manifest(
        model.with_suffix(".json"),
        lambda content: content["model"].update(
            sha256=hashlib.sha256(raw).hexdigest(), size_bytes=len(raw)
        ),
    )


def save(network: nn.Module, path: Path) -> Path:
    torch.jit.script(network).save(str(path))
    return path


def rewrite_archive(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Give every entry of an archive the content that `change` makes of its name and content."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))
    return path
