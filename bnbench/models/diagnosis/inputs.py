"""Mistakes in the network's input: how bytes become pixels, and images become rows of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.diagnosis.hypothesis import Hypothesis, Values
from bnbench.models.reference import compute_logits, evaluate
from bnbench.models.stored_network import Images, StoredNetwork

_NORMALIZATIONS = (
    (0.5, 0.5, "the usual 0.5 and 0.5"),
    (0.2860, 0.3530, "FashionMNIST's"),
    (0.2860, 0.3205, "FashionMNIST's, by another account"),
    (0.1307, 0.3081, "MNIST's"),
    (0.4850, 0.2290, "ImageNet's first channel"),
    (0.2860, 1.0, "FashionMNIST's mean alone"),
    (0.0, 0.3530, "FashionMNIST's deviation alone"),
)


def list_input_mistakes(images: Images) -> Iterator[Hypothesis]:
    """All mistakes that can be made with these inputs; none with inputs that are no bytes."""
    if images.dtype == np.uint8:
        yield from _list_scalings()
        yield from _list_turns(images.shape)
        yield _read_header_as_pixels(images.shape)


def _list_scalings() -> Iterator[Hypothesis]:
    # A function of bytes as numbers 0 to 255, shape (num_images, num_inputs).
    yield _feed("pixels_scaled", "left as bytes, 0 to 255", lambda b: b)
    yield _feed("pixels_scaled", "divided by 256", lambda b: b / 256)
    yield _feed("pixels_scaled", "divided by 255 twice", lambda b: b / 255 / 255)
    yield _feed("pixels_scaled", "made 0 or 1", lambda b: (b >= 128).astype(np.float64))
    yield _feed("pixels_inverted", "inverted, white for black", lambda b: 1 - b / 255)
    yield _feed("pixels_inverted", "inverted and left as bytes", lambda b: 255 - b)
    for mean, deviation, source in _NORMALIZATIONS:
        yield suppose_normalization(mean, deviation, source)
    yield _feed("pixels_normalized", "normalized image by image", _normalize_each_image)
    yield _feed(
        "byte_order",
        "read as binary32 with their bytes in the other order, so write and read little-endian",
        lambda b: (b / 255).astype(np.float32).byteswap().astype(np.float64),
    )


def _list_turns(shape: tuple[int, ...]) -> Iterator[Hypothesis]:
    """Other orders of the bytes of images of this shape."""
    if len(shape) == 3 and shape[1] == shape[2]:
        yield from _list_turns_of_squares()
    for width in (2, 4, 8):
        if math.prod(shape) % width == 0:
            yield _turn(
                "byte_order",
                f"read in words of {width} bytes in the other byte order",
                lambda i, width=width: i.reshape(-1, width)[:, ::-1].reshape(i.shape),  # type: ignore[misc]
            )


def _list_turns_of_squares() -> Iterator[Hypothesis]:
    yield _turn("images_transposed", "transposed, columns for rows", lambda i: i.transpose(0, 2, 1))
    yield _turn("images_flipped", "mirrored, left for right", lambda i: i[:, :, ::-1])
    yield _turn("images_flipped", "upside down", lambda i: i[:, ::-1])
    yield _turn("images_flipped", "turned by 180 degrees", lambda i: i[:, ::-1, ::-1])
    yield _turn("images_flipped", "turned left by 90 degrees", lambda i: np.rot90(i, 1, (1, 2)))
    yield _turn("images_flipped", "turned right by 90 degrees", lambda i: np.rot90(i, 3, (1, 2)))


def suppose_normalization(mean: float, deviation: float, source: str) -> Hypothesis:
    """That pixels were normalized with a mean and a standard deviation, and whose these are."""
    how = f"normalized with mean {mean:.4f} and standard deviation {deviation:.4f} ({source})"
    return _feed("pixels_normalized", how, lambda b: (b / 255 - mean) / deviation)


def _feed(name: FaultName, how: str, make_pixels: Callable[[Values], Values]) -> Hypothesis:
    def compute(network: StoredNetwork, images: Images) -> Values:
        with np.errstate(all="ignore"):  # some results are not finite
            flat = images.reshape(len(images), -1).astype(np.float64)
            return evaluate(network, make_pixels(flat))

    text = f"the pixels were {how}; divide each byte by 255 and do nothing else"
    return Hypothesis(Fault(name, text), compute)


def _normalize_each_image(pixels: Values) -> Values:
    deviation = np.maximum(pixels.std(axis=1, keepdims=True), 1e-12)
    result: Values = (pixels - pixels.mean(axis=1, keepdims=True)) / deviation
    return result


def _turn(name: FaultName, how: str, turn: Callable[[Images], Images]) -> Hypothesis:
    text = f"the images were {how}; hand them over row by row, from the top left"
    return Hypothesis(
        Fault(name, text), lambda network, images: compute_logits(network, turn(images))
    )


def _read_header_as_pixels(shape: tuple[int, ...]) -> Hypothesis:
    header = b"\x00\x00\x08" + bytes([len(shape)])
    header += b"".join(size.to_bytes(4, "big") for size in shape)

    def compute(network: StoredNetwork, images: Images) -> Values:
        content = np.frombuffer(header + images.tobytes(), dtype=np.uint8)
        return compute_logits(network, content[: images.size].reshape(images.shape))

    text = f"the pixels were read from the file's start; skip the {len(header)} bytes of its header"
    return Hypothesis(Fault("images_shifted", text), compute, group_size=shape[0])
