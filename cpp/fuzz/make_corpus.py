"""Writes the seeds of the fuzz targets into ``corpus/``: small inputs of every kind, good and bad.

Run as ``python cpp/fuzz/make_corpus.py``; the files are committed, and always the same. Inputs that
a fuzzer found something with lie beside them under names that start with ``found-``.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def encode_idx(shape: tuple[int, ...], values: bytes) -> bytes:
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    return header + values


def list_idx_seeds() -> dict[str, bytes]:
    images, labels = encode_idx((2, 3, 4), bytes(range(24))), encode_idx((5,), bytes(range(5)))
    return {
        "images": images,
        "labels": labels,
        "images.gz": gzip.compress(images, mtime=0),
        "labels-in-two-members.gz": gzip.compress(labels[:6], mtime=0)
        + gzip.compress(labels[6:], mtime=0),
        "truncated": images[:-1],
        "trailing": labels + b"x",
        "huge": encode_idx((0xFFFFFFFF,) * 3, b"x"),
        "wraps-round": encode_idx((1 << 22, 1 << 21, 1 << 21), b""),
        "no-values": encode_idx((0, 28, 28), b""),
        "header-only": images[:16],
        "empty": b"",
        "cut.gz": gzip.compress(images, mtime=0)[:-6],
    }


def list_gzip_seeds() -> dict[str, bytes]:
    packed = gzip.compress(b"what was compressed comes back", mtime=0)
    return {
        "text": b"what was compressed comes back",
        "zeros": bytes(500),
        "one-member.gz": packed,
        "two-members.gz": packed + packed,
        "trailing.gz": packed + b"x",
        "cut.gz": packed[:-4],
        "bomb.gz": gzip.compress(bytes(1 << 20), mtime=0),
        "magic": b"\x1f\x8b",
        "with-name.gz": packed[:3] + b"\x08" + packed[4:10] + b"name\x00" + packed[10:],
    }


def list_manifest_seeds() -> dict[str, bytes]:
    digits = "0123456789"
    content = {
        "format_version": 1,
        "model": {"file": "a.pt", "sha256": "0" * 64, "size_bytes": 11},
        "versions": {"torch": "2.14.1"},
        "data": {"name": "n", "test_images_sha256": "a" * 64, "test_labels_sha256": "b" * 64},
        "expected": {
            "total": 10,
            "correct": 9,
            "predictions": digits,
            "predictions_sha256": hashlib.sha256(digits.encode()).hexdigest(),
            "probes": {"indices": [3], "logits": [[0.5, -1.25, 1e-7, 0, 1, 2, 3, 4, 5, 6]]},
        },
    }
    body = json.dumps(content, indent=1).removesuffix("\n}").encode()
    seal = b',\n  "manifest_sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'
    return {
        "body": body,
        "sealed": body + seal,
        "empty": b"",
        "object": b'{"format_version": 1',
        "newer": b'{"format_version": 2',
        "nested": b'{"a": ' + b"[" * 500 + b"]" * 500,
        "unclosed": b'{"a": ' + b"[" * 500,
        "nul": b'{"a": "\x00',
        "no-utf-8": b'{"a": "\xff"',
        "large-number": body.replace(b"0.5", b"1e999"),
        "no-probes": body.replace(b"[\n    3\n   ]", b"[]"),
        "many-probes": body.replace(b"[\n    3\n   ]", b"[" + b"3," * 20_000 + b"3]"),
    }


def list_second_manifest_seeds() -> dict[str, bytes]:
    classes = [0, 1, 46]
    packed = b"".join(label.to_bytes(8, "little") for label in classes)
    content = {
        "format_version": 2,
        "model": {"file": "a.pt", "sha256": "0" * 64, "size_bytes": 11, "format": "torchscript"},
        "input": {
            "shape": [3, 8],
            "dtype": "uint8",
            "preprocessing": [
                {"step": "divide", "by": 255.0},
                {"step": "normalize", "mean": [0.5, 0.25, 0.1], "std": [1.0, 2.0, 3.0]},
                {"step": "reshape", "shape": [24]},
                {"step": "scale", "factor": 0.1},
                {"step": "cast", "dtype": "float16"},
            ],
        },
        "output": {"kind": "probabilities", "num_classes": 47, "element": "scores"},
        "data": {"name": "n", "inputs_sha256": "a" * 64, "targets_sha256": "b" * 64},
        "expected": {
            "total": 3,
            "correct": 2,
            "predictions": classes,
            "predictions_sha256": hashlib.sha256(packed).hexdigest(),
            "probes": {"indices": [1], "logits": [[0.5] * 47]},
        },
    }
    body = json.dumps(content, indent=1).removesuffix("\n}").encode()
    labels = body.replace(b"probabilities", b"labels").replace(
        b'"probes": {', b'"probes": null, "x": {'
    )
    return {
        "second": body,
        "second-labels": labels,
        "second-index": body.replace(b'"scores"', b"1"),
    }


def list_npz_seeds() -> dict[str, bytes]:
    array = encode_npy("<f4", "(2, 3)", bytes(24))
    seeds = {"array": array, "scalar": encode_npy("|u1", "()", b"x"), "cut": array[:-1]}
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for member in ("x.npy", "y.npy"):
                # As numpy.savez writes them: with sizes of 64 bits in the local header.
                entry = zipfile.ZipInfo(member)
                entry.compress_type = method
                with archive.open(entry, "w", force_zip64=True) as file:
                    file.write(array)
        seeds[name] = buffer.getvalue()
    seeds["trailing"] = seeds["stored"] + b"x"
    seeds["cut-archive"] = seeds["deflated"][:-9]
    return seeds


def encode_npy(descr: str, shape: str, values: bytes) -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values


def list_safetensors_seeds() -> dict[str, bytes]:
    def encode(header: dict[str, object], values: bytes) -> bytes:
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + values

    x = {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}
    y = {"dtype": "I64", "shape": [1], "data_offsets": [12, 20]}
    return {
        "two": encode({"x": x, "y": y, "__metadata__": {"format": "pt"}}, bytes(20)),
        "overlap": encode({"x": x, "y": {**y, "data_offsets": [8, 16]}}, bytes(20)),
        "gap": encode({"x": x}, bytes(20)),
        "none": encode({}, b""),
        "huge": encode({"x": {**x, "shape": [1 << 40, 1 << 40]}}, bytes(12)),
        "long-header": (1 << 60).to_bytes(8, "little") + b"{}",
    }


def list_npy_seeds() -> dict[str, bytes]:
    return {
        "floats": bytes([1, 2, 3, 4]) + bytes(range(48)),
        "bytes": bytes([0, 1, 7]) + bytes(range(7)),
        "three-dimensions": bytes([1, 3, 2, 3, 10]) + b"\x00\x00\xc0\x7f",
        "scalar": bytes([1, 0]) + b"abcd",
        "no-values": bytes([0, 2, 0, 9]),
        "many-dimensions": bytes([0, 60]) + b"\x01" * 60 + b"x",
    }


def encode_reference(key: bytes, count: bytes) -> bytes:
    def encode_text(text: bytes) -> bytes:
        return b"X" + len(text).to_bytes(4, "little") + text

    return (
        b"("
        + encode_text(b"storage")
        + b"ctorch\nFloatStorage\n"
        + encode_text(key)
        + encode_text(b"cpu")
        + count
        + b"tQ"
    )


def list_pickle_seeds() -> dict[str, bytes]:
    reference = encode_reference(b"0", b"K\x05")
    remembered = b"(" + b"h\x01h\x02" + b"X\x01\x00\x00\x007h\x03M\x00\x01tQ"
    return {
        "object": b"\x80\x02c__torch__\nModel\nq\x00)\x81}(X\x01\x00\x00\x00aq\x01\x89ub.",
        "reference": b"\x80\x02" + reference + b".",
        "remembered": b"\x80\x02" + reference + remembered + b".",
        "long-key": b"\x80\x02" + encode_reference(b"0" * 100, b"K\x05") + b".",
        "huge": b"\x80\x02" + encode_reference(b"0", b"\x8a\x08" + b"\xff" * 7 + b"\x7f") + b".",
        "negative": b"\x80\x02" + encode_reference(b"0", b"J\xff\xff\xff\xff") + b".",
        "no-tuple": b"\x80\x02Q.",
        "nested": b"\x80\x02" + b"]" * 500 + b"a" * 499 + b".",
        "cut": b"\x80\x02" + reference[:-8],
        "instruction": b"\x80\x02\x94.",
    }


def list_answer_seeds() -> dict[str, bytes]:
    text = (5).to_bytes(4, "little") + b"fault"
    benchmark = struct.pack("<Q3dB", 12, 0.5, 0.25, 0.75, 1)
    scores = struct.pack("<2dBQ8f", 0.125, 0.5, 1, 2, *range(8))
    results = b"\x00\x01" + text + b"\x01" + text + benchmark + scores
    error = b"\x01\x04" + text + text
    return {
        "results": results,
        "error": error,
        "cut": results[:-1],
        "more": error + b"x",
        "nan": results[:-4] + b"\x00\x00\xc0\x7f",
        "no-such-code": b"\x01\x06" + text + text,
        "long-text": b"\x01\x04\xff\xff\xff\xff",
        "empty": b"",
    }


def main() -> None:
    seeds = {
        "answer": list_answer_seeds(),
        "gzip": list_gzip_seeds(),
        "idx": list_idx_seeds(),
        "manifest": list_manifest_seeds() | list_second_manifest_seeds(),
        "npy": list_npy_seeds(),
        "npz": list_npz_seeds(),
        "pickle": list_pickle_seeds(),
        "safetensors": list_safetensors_seeds(),
    }
    for target, inputs in seeds.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
