"""FashionMNIST: found, checked against its SHA-256 and held in memory as bytes.

The images are those of Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
Benchmarking Machine Learning Algorithms" (arXiv 1708.07747).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch

from bnbench.errors import DataError, SpecError
from bnbench.specs import TuningSpec

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
TORCHVISION_LAYOUT = Path("FashionMNIST") / "raw"
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

CONTENT_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of each file's decompressed content; any gzip compression of it is accepted."""


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images and their classes, in memory as stored: one byte per pixel and label."""

    images: torch.Tensor
    """uint8, shape (num_images, 28, 28), 0 black to 255 white."""
    labels: torch.Tensor
    """uint8, shape (num_images,), classes 0 to 9."""
    images_sha256: str
    """SHA-256 of the images' decompressed IDX file; empty if no file holds these images."""
    labels_sha256: str
    """SHA-256 of the labels' decompressed IDX file; empty if no file holds these labels."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set and the images its models are evaluated on."""

    name: str
    """Name for records and reports."""
    train: LabeledImages
    """Images to train on."""
    test: LabeledImages
    """Images to evaluate on: the test set, or a validation split."""
    folder: Path | None
    """Folder of the files, for programs that read them themselves; None if in memory only."""
    source: str
    """Description of where the files came from."""


def load_fashion_mnist(data_dir: Path | None = None, download: bool = True) -> Dataset:
    """Load FashionMNIST from the first source that has it, and check every byte.

    The sources, in order:

    1. `data_dir`, or else the folder in the environment variable ``BNBENCH_DATA``: raw or ``.gz``
       files, directly or in torchvision's layout;
    2. Debian's package;
    3. the folder of earlier downloads;
    4. if `download` is true, torchvision's download, then Debian's package unpacked without root.

    Raises:
        DataError: a file is altered, truncated or missing, or no source has the files.
    """
    folder, source = locate_fashion_mnist(data_dir, download)
    contents = {name: read_checked(folder, name) for name in CONTENT_SHA256}

    def parse(prefix: str) -> LabeledImages:
        images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
        # The hashes were checked, so the headers of 16 and 8 bytes can be skipped.
        return LabeledImages(
            torch.frombuffer(contents[images], dtype=torch.uint8)[16:].reshape(-1, 28, 28),
            torch.frombuffer(contents[labels], dtype=torch.uint8)[8:],
            CONTENT_SHA256[images],
            CONTENT_SHA256[labels],
        )

    return Dataset("FashionMNIST", parse("train"), parse("t10k"), folder, source)


def locate_fashion_mnist(data_dir: Path | None = None, download: bool = True) -> tuple[Path, str]:
    """Find the folder with the four files; download them if no folder has them.

    Returns:
        The folder, and where its files came from.

    Raises:
        DataError: `data_dir` holds some of the files but not all, or no source has them.
    """
    if data_dir is None and os.environ.get("BNBENCH_DATA"):
        data_dir = Path(os.environ["BNBENCH_DATA"])
    debian = (DEBIAN_FOLDER, f"Debian's package {DEBIAN_PACKAGE}")
    if data_dir is None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bnbench"
        sources = [debian, (root, f"an earlier download in {root}")]
    else:
        root = data_dir
        sources = [(root, f"the data folder {root}"), debian]
        if root.exists() and not root.is_dir():
            raise DataError(f"{root}: expected a folder for the data, got a file; name its folder")
    for place, source in sources:
        folder = _find_complete_folder(place)
        if folder is not None:
            return folder, source
    if not download:
        raise DataError(
            f"FashionMNIST: expected its four files, got none in {root} or {DEBIAN_FOLDER}; "
            "run 'bnbench data' to fetch it, or name its folder by --data-dir"
        )
    return _download(root)


def cut_validation_split(dataset: Dataset, tuning: TuningSpec) -> Dataset:
    """Cut validation images from the training set, the same number of each class.

    Returns:
        A data set that trains on the rest and evaluates on the images cut; it holds no test image.

    Raises:
        SpecError: a class has too few images.
    """
    labels = dataset.train.labels
    generator = torch.Generator().manual_seed(tuning.split_seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    per_class = tuning.num_validation_images // len(CLASS_NAMES)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(CLASS_NAMES)):
        of_class = shuffled[labels[shuffled] == label]
        if len(of_class) <= per_class:
            raise SpecError(
                f"num_validation_images: expected fewer than {len(of_class)} images per class, "
                f"got {per_class}"
            )
        chosen[of_class[:per_class]] = True

    def select(mask: torch.Tensor) -> LabeledImages:
        return LabeledImages(dataset.train.images[mask], labels[mask], "", "")

    return Dataset(
        f"{dataset.name}, validation split", select(~chosen), select(chosen), None, dataset.source
    )


def read_checked(folder: Path, name: str) -> bytearray:
    """Read one of the four files, raw or ``.gz``, and check its content's SHA-256.

    Raises:
        DataError: the file is missing, unreadable, truncated or altered.
    """
    path = folder / name
    if not path.exists():
        path = folder / f"{name}.gz"
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a file of FashionMNIST, got one that cannot be read or unpacked "
            f"({error}); delete it and run 'bnbench data'"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != CONTENT_SHA256[name]:
        raise DataError(
            f"{path}: expected content with SHA-256 {CONTENT_SHA256[name]}, got {found}; the "
            "file is truncated or altered: delete it and run 'bnbench data'"
        )
    return bytearray(content)


def _find_complete_folder(root: Path) -> Path | None:
    """Find the folder under `root` with all four files; an incomplete set is an error."""
    for folder in (root / TORCHVISION_LAYOUT, root):
        present = [
            name
            for name in CONTENT_SHA256
            if (folder / name).exists() or (folder / f"{name}.gz").exists()
        ]
        if len(present) == len(CONTENT_SHA256):
            return folder
        if present:
            missing = [name for name in CONTENT_SHA256 if name not in present]
            raise DataError(
                f"{folder}: expected all four files of FashionMNIST, got no "
                f"{' and no '.join(missing)} (nor .gz); add what is missing or delete the rest"
            )
    return None


def _download(root: Path) -> tuple[Path, str]:
    """Download all files into `root`, checked and in torchvision's layout, or none."""
    failures = []
    for source, fetch in (
        ("torchvision's download", _fetch_by_torchvision),
        (f"Debian's package {DEBIAN_PACKAGE}, fetched without root", _fetch_debian_package),
    ):
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
                fetched = fetch(Path(scratch))
                draft = Path(scratch) / "checked"
                draft.mkdir()
                for name in CONTENT_SHA256:
                    (draft / name).write_bytes(read_checked(fetched, name))
                folder = root / TORCHVISION_LAYOUT
                folder.parent.mkdir(exist_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                draft.rename(folder)
            return folder, source
        except (DataError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            lines = str(getattr(error, "stderr", "") or error).strip().splitlines()
            failures.append(f"{source}: {lines[0] if lines else repr(error)}")
    raise DataError(
        f"FashionMNIST: expected a source that has it, got none ({'; '.join(failures)}); put the "
        f"four files into a folder and name it by --data-dir, or install {DEBIAN_PACKAGE}"
    )


def _fetch_by_torchvision(scratch: Path) -> Path:
    # Imported here: it costs over a second and is needed only for the download.
    from torchvision.datasets import FashionMNIST

    FashionMNIST(str(scratch), train=True, download=True)
    return scratch / TORCHVISION_LAYOUT


def _fetch_debian_package(scratch: Path) -> Path:
    run = functools.partial(
        subprocess.run, cwd=scratch, capture_output=True, text=True, timeout=300, check=True
    )
    run(["apt-get", "download", DEBIAN_PACKAGE])
    run(["dpkg-deb", "-x", next(scratch.glob("*.deb")), "unpacked"])
    return scratch / "unpacked" / DEBIAN_FOLDER.relative_to("/")
