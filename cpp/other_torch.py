"""Builds bnbench-eval against another LibTorch and holds it against models of this environment's.

Run as ``python cpp/other_torch.py torch==2.11.0`` in the environment that bnbench is installed in
('make other-torch' does). Ends with exit code 5 if the two programs disagree.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

from bnbench.data import load_fashion_mnist
from bnbench.models.runtimes.libtorch import find_binary

ROOT = Path(__file__).resolve().parents[1]
TORCH_LIBRARY = Path("torch/lib/libtorch_cpu.so")


def call(*command: object, **options: Any) -> str:
    """Run a command that must succeed; return what it prints."""
    result = subprocess.run([str(part) for part in command], text=True, check=False, **options)
    if result.returncode != 0:
        sys.exit(
            f"{command[0]}: expected exit code 0, got {result.returncode}: "
            f"{' '.join(map(str, command))}"
        )
    return result.stdout or ""


def install_torch(requirement: str, folder: Path) -> None:
    """Install torch into `folder` with the CUDA libraries that it loads at start, and no more.

    A CUDA build's other requirements, several gigabytes, are for GPUs and for Python.
    """
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder)
    if not (folder / TORCH_LIBRARY).exists():
        call(*pip, requirement)
    libraries = folder / "nvidia"
    installed = Path(sysconfig.get_path("purelib")) / "nvidia"
    if list_missing(folder) and not libraries.exists() and installed.exists():
        libraries.symlink_to(installed)  # those of this environment's torch will often do
    if missing := list_missing(folder):
        if libraries.is_symlink():
            libraries.unlink()
        call(*pip, *find_cuda_packages(folder))
        missing = list_missing(folder)
    if missing:
        sys.exit(
            f"{requirement}: expected its libraries, got no {', '.join(missing)}; install a "
            "CPU build of torch instead, from PyTorch's index"
        )


def list_missing(folder: Path) -> list[str]:
    """The libraries libtorch_cpu needs and the dynamic linker does not find."""
    return re.findall(
        r"^\s*(\S+) => not found", call("ldd", folder / TORCH_LIBRARY, stdout=-1), re.M
    )


def find_cuda_packages(folder: Path) -> list[str]:
    """The wheel's own requirements of CUDA's runtime and profiling interface, as pip takes them."""
    (metadata,) = folder.glob("torch-*.dist-info/METADATA")
    names = re.findall(
        r"^Requires-Dist: (nvidia-cuda-(?:cupti|runtime)\S*?==[\d.]+)", metadata.read_text(), re.M
    )
    return names or ["nvidia-cuda-cupti", "nvidia-cuda-runtime"]


def build_program(folder: Path, build: Path) -> Path:
    """Configure and build bnbench-eval alone."""
    call(
        "cmake",
        "-S",
        ROOT,
        "-B",
        build,
        f"-DLIBTORCH_DIR={folder / 'torch'}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBNBENCH_BUILD_TESTS=OFF",
        stdout=subprocess.DEVNULL,
    )
    call(
        "cmake",
        "--build",
        build,
        "--parallel",
        os.cpu_count() or 1,
        "--target",
        "bnbench-eval",
        stdout=subprocess.DEVNULL,
    )
    return build / "cpp" / "app" / "bnbench-eval"


def export_models(run: Path) -> list[Path]:
    """One model of every kind of network, trained for an epoch and exported by this torch."""
    if not run.exists():
        call(
            "bnbench",
            "run",
            "--seeds",
            "0",
            "--epochs",
            1,
            "--variants",
            "baseline,batchnorm,layernorm",
            "--out",
            run,
            stdout=subprocess.DEVNULL,
        )
    return sorted((run / "models").glob("*.pt"))


def evaluate(program: Path, models: list[Path], data: Path, logits: Path) -> dict[str, Any]:
    """What a program says of the models, their logits left in a file."""
    command = [program, *models, "--data", data, "--logits", logits, "--json"]
    result = subprocess.run(list(map(str, command)), stdout=-1, text=True, check=False)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def main() -> int:
    """Build, evaluate with both programs, and print how far they agree."""
    requirement = sys.argv[1]
    work = ROOT / "build" / re.sub(r"\W+", "-", f"other-{requirement}")
    work.mkdir(parents=True, exist_ok=True)
    install_torch(requirement, work / "packages")
    program = build_program(work / "packages", work / "cmake")
    models, data = export_models(work / "run"), load_fashion_mnist().folder
    assert data is not None
    answers = [
        evaluate(binary, models, data, work / f"{name}.npy")
        for name, binary in (("this", find_binary()), ("other", program))
    ]
    here, there = np.load(work / "this.npy"), np.load(work / "other.npy")
    print(f"evaluated by torch {answers[0]['torch_version']} and {answers[1]['torch_version']}")
    for index, (model, ours, theirs) in enumerate(zip(models, here, there, strict=True)):
        found = answers[1]["models"][index]
        differing = int((ours.argmax(1) != theirs.argmax(1)).sum())
        print(
            f"{model.name}: exported by torch {found['exporter_torch_version']}; "
            f"{found['status']}, "
            f"{differing} of {len(ours)} predictions differ, "
            f"logits by at most {np.abs(ours - theirs).max():.3g}"
        )
    return max(answer["exit_code"] for answer in answers)


if __name__ == "__main__":
    sys.exit(main())
