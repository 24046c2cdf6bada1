"""The shortest Python program that prints a model's accuracy, to compare ``bnbench-eval`` with.

Run as ``python bench/first_accuracy.py MODEL.pt DATA_FOLDER``; prints the number of correct images.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import torch


def read_values(folder: Path, name: str, header_size: int) -> torch.Tensor:
    packed, raw = folder / f"{name}.gz", folder / name
    content = raw.read_bytes() if raw.exists() else gzip.decompress(packed.read_bytes())
    return torch.frombuffer(bytearray(content[header_size:]), dtype=torch.uint8)


def main() -> None:
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)  # as in the C++ program
    network = torch.jit.load(str(model))
    images = read_values(folder, "t10k-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = read_values(folder, "t10k-labels-idx1-ubyte", 8)
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        batches = [network(batch.float().div_(255)).argmax(1) for batch in images.split(1000)]
    print(int((torch.cat(batches) == labels).sum()))  # noqa: T201 - it is the result


if __name__ == "__main__":
    main()
