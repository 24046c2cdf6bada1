import base64
import dataclasses
import re

from bnbench.reporting.figures import Figure
from tests.inspections import IMAGE, INSPECTION
from tests.reporting.figures.conftest import Drawer, read_texts


def test_images_are_drawn_pixel_by_pixel_with_the_answers_below(
    inspected: dict[str, Figure],
) -> None:
    figure = inspected["disagreements"]
    assert figure.svg.count("<image") == 3
    assert "image-rendering:pixelated" in figure.svg
    texts = read_texts(figure)
    assert texts.count("boot 2") == texts.count("shoe 2") == 2
    assert {"batchnorm right, baseline wrong", "baseline right, batchnorm wrong"} <= set(texts)
    assert figure.alt.count("baseline says boot (2 of 2), batchnorm says shoe (2 of 2)") == 2
    assert [row["image"] for row in figure.rows] == [7, 7, 3]
    assert figure.rows[2]["right"] == "baseline"
    embedded = re.findall(r'href="data:image/png;base64,([^"]*)"', figure.svg)
    assert all(base64.b64decode(png).startswith(b"\x89PNG") for png in embedded)


def test_several_candidates_have_one_strip_per_direction(drawer: Drawer) -> None:
    (found,) = INSPECTION.disagreements
    many = dataclasses.replace(found, ahead=(IMAGE,) * 6, behind=())
    one = drawer.draw_inspection(dataclasses.replace(INSPECTION, disagreements=(many,)))
    two = drawer.draw_inspection(dataclasses.replace(INSPECTION, disagreements=(many, many)))
    assert one["disagreements"].svg.count("<image") == two["disagreements"].svg.count("<image") == 6


def test_networks_that_never_disagree_have_no_strip(drawer: Drawer) -> None:
    (found,) = INSPECTION.disagreements
    none = dataclasses.replace(found, ahead=(), behind=())
    drawn = drawer.draw_inspection(dataclasses.replace(INSPECTION, disagreements=(none,)))
    assert "disagreements" not in drawn


def test_images_in_color_keep_their_shape(drawer: Drawer) -> None:
    (found,) = INSPECTION.disagreements
    pixels = base64.b64encode(bytes(range(24))).decode()
    image = dataclasses.replace(IMAGE, pixels=pixels)
    wide = dataclasses.replace(
        INSPECTION,
        disagreements=(dataclasses.replace(found, ahead=(image,), behind=()),),
        image_size=(2, 4, 3),
    )
    svg = drawer.draw_inspection(wide)["disagreements"].svg
    (width,) = re.findall(r'<image[^>]*? width="([\d.]+)"', svg)
    (height,) = re.findall(r'<image[^>]*? height="([\d.]+)"', svg)
    assert float(width) > 1.5 * float(height)


def test_inputs_that_are_no_images_have_no_figure(drawer: Drawer) -> None:
    (found,) = INSPECTION.disagreements
    image = dataclasses.replace(IMAGE, pixels=None)
    features = dataclasses.replace(
        INSPECTION,
        disagreements=(dataclasses.replace(found, ahead=(image,), behind=()),),
        image_size=None,
    )
    assert "disagreements" not in drawer.draw_inspection(features)
