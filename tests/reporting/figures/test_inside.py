import dataclasses
import re

import pytest

from bnbench.reporting.figures import Figure
from tests.inspections import INSPECTION, make_values
from tests.reporting.figures.conftest import Drawer, read_texts


def test_distributions_stand_before_and_after_training_layer_by_layer(
    inspected: dict[str, Figure],
) -> None:
    texts = read_texts(inspected["activations"])
    rows = ["baseline before", "baseline after", "batchnorm before", "batchnorm after"]
    assert [text for text in texts if text in rows] == rows
    assert "input of activation 1" in texts
    assert "gradient of linear1" in read_texts(inspected["gradients"])
    assert "baseline after training: median 0, from -4 to 4" in inspected["activations"].alt
    assert inspected["activations"].rows[0]["quantile_0.05"] == -0.5


@pytest.mark.parametrize("spread", [0.0, 1e-12, 1e12], ids=["zero", "tiny", "huge"])
def test_gradients_of_any_size_can_be_drawn(drawer: Drawer, spread: float) -> None:
    values = tuple(
        make_values("baseline", "output", stage, spread) for stage in ("before", "after")
    )
    drawn = drawer.draw_inspection(dataclasses.replace(INSPECTION, values=values))
    assert not re.search("nan|inf", " ".join(re.findall(r' d="([^"]*)"', drawn["gradients"].svg)))


def test_of_many_layers_the_first_and_the_last_are_drawn(drawer: Drawer) -> None:
    values = tuple(
        make_values("baseline", f"activation{n}", "before", 1.0, dead=0.0) for n in range(1, 10)
    )
    figure = drawer.draw_inspection(dataclasses.replace(INSPECTION, values=values))["activations"]
    shown = [text for text in read_texts(figure) if text.startswith("input of")]
    assert shown == [f"input of activation {n}" for n in (1, 2, 3, 7, 8, 9)]
    assert "3 layers in the middle are left out" in figure.caption
    assert len(figure.rows) == 9
