"""Has Python import a revision's packages from that revision, whatever is installed.

Python imports this file by itself where its folder is on ``PYTHONPATH``. An editable
installation may put a finder in front of the path, which then finds the packages of the checkout
that was installed and not those of the revision; so this one goes in front of that. It answers
for the packages that lie in the folders of ``GATE_ROOTS`` and for nothing else. What such a
package has no file for (an extension module that was not built) is left to the others.
"""

import importlib.machinery
import os
import sys
from collections.abc import Sequence

_ROOTS = [root for root in os.environ.get("GATE_ROOTS", "").split(os.pathsep) if root]


class RevisionFinder:
    """Finds the packages of the revision in `GATE_ROOTS`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        if path is None:
            path = _ROOTS
        elif not any(str(folder).startswith(tuple(_ROOTS)) for folder in path):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        # A folder without __init__.py is a namespace package to Python: any folder of the
        # checkout (docs, build) would hide an installed package of its name.
        return spec if spec is not None and spec.origin is not None else None


if _ROOTS:
    sys.meta_path.insert(0, RevisionFinder)
