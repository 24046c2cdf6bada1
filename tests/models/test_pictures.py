import base64

import numpy as np
import pytest

from bnbench.models.pictures import LARGEST_SIDE, find_pictures


def read(text: str) -> list[int]:
    return list(base64.b64decode(text))


def test_gray_bytes_are_drawn_as_they_are() -> None:
    pictures = find_pictures(np.array([[[0, 9]], [[7, 255]]], np.uint8))
    assert pictures is not None
    assert (pictures.size, read(pictures.encode(1))) == ((1, 2), [7, 255])


def test_the_channels_of_a_color_image_are_drawn_pixel_by_pixel() -> None:
    image = np.array([[[1, 2]], [[3, 4]], [[5, 6]]], np.uint8)
    pictures = find_pictures(image[None])
    assert pictures is not None
    assert (pictures.size, read(pictures.encode(0))) == ((1, 2, 3), [1, 3, 5, 2, 4, 6])


def test_floats_are_drawn_from_the_lowest_of_the_data_to_the_highest() -> None:
    pictures = find_pictures(np.array([[[[-1.0, 0.0]]], [[[1.0, 3.0]]]], np.float32))
    assert pictures is not None
    assert (pictures.size, read(pictures.encode(0))) == ((1, 2), [0, 64])
    assert read(pictures.encode(1)) == [128, 255]


def test_equal_floats_are_drawn_black() -> None:
    pictures = find_pictures(np.full((1, 1, 2), 0.5, np.float32))
    assert pictures is not None
    assert read(pictures.encode(0)) == [0, 0]


def test_large_images_are_thinned() -> None:
    pictures = find_pictures(np.zeros((1, 3, 224, 100), np.uint8))
    assert pictures is not None
    assert pictures.size == (75, 34, 3)
    assert max(pictures.size) <= LARGEST_SIDE


@pytest.mark.parametrize("shape", [(2, 64), (2, 5, 4, 4), (2, 3, 4, 4, 4)], ids=str)
def test_other_inputs_are_no_images(shape: tuple[int, ...]) -> None:
    assert find_pictures(np.zeros(shape, np.uint8)) is None
