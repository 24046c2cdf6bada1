"""The manifest beside an exported model: its text form and the proof that nobody altered it.

The file is JSON whose last entry is the SHA-256 of all bytes before that entry, so that a
program in any language checks it without having to agree on how JSON is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnbench.errors import RunError

FORMAT_VERSION = 1
_SEAL_START = b',\n  "manifest_sha256": "'
_SEAL_END = b'"\n}\n'
_SEAL_LENGTH = len(_SEAL_START) + 64 + len(_SEAL_END)


def seal_manifest(content: Mapping[str, Any]) -> bytes:
    """Write `content` as JSON, format version first and its own SHA-256 last."""
    document = json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2, allow_nan=False)
    body = document.removesuffix("\n}").encode()
    return body + _SEAL_START + hashlib.sha256(body).hexdigest().encode() + _SEAL_END


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest after its seal and its format version were checked.

    Raises:
        RunError: the file is missing, was altered, or has another format version.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: expected a manifest, got none: {error.strerror}") from None
    body, seal = raw[:-_SEAL_LENGTH], raw[-_SEAL_LENGTH:]
    digest = hashlib.sha256(body).hexdigest().encode()
    if seal != _SEAL_START + digest + _SEAL_END:
        raise RunError(
            f"{path}: expected a bnbench manifest, which ends with the SHA-256 of the rest, got "
            "another file or an altered one; export the model again"
        )
    try:
        content: dict[str, Any] = json.loads(raw)
    except (ValueError, RecursionError):
        raise RunError(
            f"{path}: expected JSON, got none, though the SHA-256 is right; export the model again"
        ) from None
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        age = "newer" if isinstance(version, int) and version > FORMAT_VERSION else "older"
        raise RunError(
            f"{path}: expected manifest format {FORMAT_VERSION}, got {version!r}, which is "
            f"{age}; use the version of bnbench that wrote it"
        )
    return content
