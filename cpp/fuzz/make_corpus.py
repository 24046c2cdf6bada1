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
import zlib
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


def encode_stored_zip(records: dict[str, bytes]) -> bytes:
    """A zip file as torch writes it: records stored, their sizes behind them."""
    body, directory = b"", b""
    for name, content in records.items():
        sizes = struct.pack("<3L", zlib.crc32(content), len(content), len(content))
        entry = struct.pack("<5H", 0, 0x0808, 0, 0, 0)
        directory += b"PK\x01\x02\0\0" + entry + sizes + struct.pack("<5H", len(name), 0, 0, 0, 0)
        directory += struct.pack("<2L", 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + entry + bytes(12) + struct.pack("<2H", len(name), 8)
        body += name.encode() + b"FB\x04\0ZZZZ" + content + b"PK\x07\x08" + sizes
    places = (len(records), len(records), len(directory), len(body))
    end64 = b"PK\x06\x06" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, *places)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, len(body) + len(directory), 1)
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, *places, 0)
    return body + directory + end64 + locator + end


def list_stored_zip_seeds() -> dict[str, bytes]:
    two = encode_stored_zip({"m/a": b"some bytes", "m/b": b"others"})
    return {
        "two": two,
        "none": encode_stored_zip({}),
        "empty-record": encode_stored_zip({"m/a": b""}),
        "same-name": encode_stored_zip({"m/a": b"x"})[:-98] + two,
        "truncated": two[:-1],
        "trailing": two + b"x",
        "no-64": two[:-98] + two[-22:],
        "end": two[-22:],
    }


def describe_tensor(*sizes: int | str) -> dict[str, object]:
    """A tensor of float32 in a graph; a text is the name of a dynamic size."""
    dims = [
        {"as_int": size} if isinstance(size, int) else {"as_expr": {"expr_str": size}}
        for size in sizes
    ]
    return {
        "dtype": 7,
        "sizes": dims,
        "strides": dims,
        "storage_offset": {"as_int": 0},
        "layout": 7,
    }


def encode_node(target: str, output: str, **arguments: object) -> dict[str, object]:
    """A node; arguments that are texts are tensors."""
    kinds = {str: "as_tensor", int: "as_int", float: "as_float", bool: "as_bool", list: "as_ints"}
    inputs = [
        {
            "name": name,
            "arg": {kinds[type(value)]: {"name": value} if type(value) is str else value},
        }
        for name, value in arguments.items()
    ]
    outputs = [{"as_tensor": {"name": output}}]
    return {"target": f"torch.ops.aten.{target}", "inputs": inputs, "outputs": outputs}


def encode_model(values: dict[str, tuple[int, ...]], *nodes: dict[str, object]) -> bytes:
    """A graph with input ``x`` and the last node's output; `values` are shapes for one input."""
    arg = {"as_tensor": nodes[-1]["outputs"][0]["as_tensor"]}  # type: ignore[index]
    parameters = [
        {"parameter": {"arg": {"name": f"p_{name}"}, "parameter_name": name}}
        for name in ("weight", "bias")
    ]
    user = {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}
    signature = {
        "input_specs": [*parameters, user],
        "output_specs": [{"user_output": {"arg": arg}}],
    }
    graph = {
        "nodes": nodes,
        "tensor_values": {name: describe_tensor("s0", *shape) for name, shape in values.items()},
    }
    document = {
        "schema_version": {"major": 8, "minor": 20},
        "opset_version": {"aten": 10},
        "torch_version": "2.14.1",
        "graph_module": {"graph": graph, "signature": signature},
    }
    return json.dumps(document).encode()


def list_program_seeds() -> dict[str, bytes]:
    linear = encode_node("linear.default", "y", input="x", weight="p_weight", bias="p_bias")
    tiny = encode_model({"x": (3,), "y": (2,)}, linear)
    image = {"x": (1, 4, 4), "y": (1, 2, 2)}
    pooling = {"kernel_size": [2, 2], "stride": [2, 2]}
    return {
        "linear": tiny,
        "in-place": encode_model(
            {"x": (2,), "n": (2,), "r": (2,), "y": (2,)},
            encode_node("neg.default", "n", self="x"),
            encode_node("relu_.default", "r", self="n"),
            encode_node("add.Tensor", "y", self="n", other="r"),
        ),
        "max-pool": encode_model(
            image, encode_node("max_pool2d.default", "y", self="x", **pooling)
        ),
        "average-pool": encode_model(
            image, encode_node("avg_pool2d.default", "y", self="x", **pooling)
        ),
        "adaptive": encode_model(
            image, encode_node("adaptive_avg_pool2d.default", "y", self="x", output_size=[2, 2])
        ),
        "pad": encode_model(
            {"x": (3,), "y": (3,)}, encode_node("pad.default", "y", self="x", pad=[1, -1])
        ),
        "softmax": encode_model(
            {"x": (3,), "y": (3,)}, encode_node("softmax.int", "y", self="x", dim=1)
        ),
        "mean": encode_model(
            {"x": (3, 2), "y": (3,)}, encode_node("mean.dim", "y", self="x", dim=[2])
        ),
        "permute": encode_model(
            {"x": (3, 2), "y": (2, 3)},
            encode_node("permute.default", "y", self="x", dims=[0, 2, 1]),
        ),
        "slice": encode_model(
            {"x": (3,), "y": (2,)},
            encode_node("slice.Tensor", "y", self="x", dim=1, start=0, end=2),
        ),
        "view": encode_model(
            {"x": (3, 2), "y": (6,)}, encode_node("reshape.default", "y", self="x", shape=[-1, 6])
        ),
        "layer-norm": encode_model(
            {"x": (3,), "y": (3,)},
            encode_node("layer_norm.default", "y", input="x", normalized_shape=[3], eps=1e-5),
        ),
        "divide": encode_model(
            {"x": (3,), "y": (3,)}, encode_node("div.Tensor", "y", self="x", other=255)
        ),
        "dropout": encode_model(
            {"x": (3,), "y": (3,)},
            encode_node("dropout.default", "y", input="x", p=0.5, train=False),
        ),
        "huge": tiny.replace(b'"as_int": 3', b'"as_int": 4611686018427387904'),
        "newer": tiny.replace(b'"minor": 20', b'"minor": 21'),
        "nested": b"[" * 500,
        "empty": b"",
    }


def encode_pt2(model: bytes) -> bytes:
    """An archive with this graph and the tensors of a linear layer from 3 to 2."""
    config = {
        name: {
            "path_name": f"weight_{number}",
            "use_pickle": False,
            "tensor_meta": {
                **describe_tensor(*shape),
                "strides": [{"as_int": stride} for stride in strides],
            },
        }
        for number, (name, shape, strides) in enumerate(
            [("weight", (2, 3), (3, 1)), ("bias", (2,), (1,))]
        )
    }
    records = {
        "data/weights/weight_0": struct.pack("<6f", 1, 2, 3, -1, 0, 1),
        "data/weights/weight_1": struct.pack("<2f", 0.5, -4),
        "data/weights/model_weights_config.json": json.dumps({"config": config}).encode(),
        "data/constants/model_constants_config.json": b'{"config": {}}',
        "models/model.json": model,
        "archive_format": b"pt2",
        "archive_version": b"0",
        "byteorder": b"little",
    }
    return encode_stored_zip({f"m/{name}": content for name, content in records.items()})


def list_pt2_seeds() -> dict[str, bytes]:
    models = list_program_seeds()
    archive = encode_pt2(models["linear"])
    return {
        "linear": archive,
        "in-place": encode_pt2(models["in-place"]),
        "max-pool": encode_pt2(models["max-pool"]),
        "no-graph": encode_pt2(b"{}"),
        "cut": archive[: len(archive) // 2],
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
        "program": list_program_seeds(),
        "pt2": list_pt2_seeds(),
        "stored_zip": list_stored_zip_seeds(),
        "safetensors": list_safetensors_seeds(),
    }
    for target, inputs in seeds.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
