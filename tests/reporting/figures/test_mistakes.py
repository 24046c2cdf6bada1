import dataclasses

import pytest

from bnbench.inspection import ConfusionRecord
from bnbench.reporting.figures import Figure
from bnbench.reporting.figures.mistakes import MOST_CLASSES
from tests.inspections import INSPECTION
from tests.reporting.figures.conftest import Drawer, read_texts


def test_the_matrix_shows_the_change_in_points_and_its_sign(inspected: dict[str, Figure]) -> None:
    texts = read_texts(inspected["mistakes"])
    # Shoes taken for boots: 6 of 8 against 2 of 8; caps taken for boots: 0 against 1 of 20.
    # Row by row, the hardest class first: shoes, boots without a change, caps.
    changes = [text for text in texts if text[0] in "+\N{MINUS SIGN}"]
    assert changes == ["+50", "\N{MINUS SIGN}50", "+5.0", "\N{MINUS SIGN}5.0"]
    assert "batchnorm minus baseline, points" in texts
    # The hardest class comes first.
    assert inspected["mistakes"].alt.startswith(
        "What the networks get wrong: baseline: shoe 25.0 %;"
    )
    rows = inspected["mistakes"].rows
    assert len(rows) == 2 * 3 * 3
    assert rows[0]["share"] == rows[0]["low"] == 1.0


def make_confusions(num_classes: int) -> tuple[ConfusionRecord, ...]:
    """One image of each class; the baseline takes it for the next class, the candidate is right."""

    def count(shift: int) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(int(column == (row + shift) % num_classes) for column in range(num_classes))
            for row in range(num_classes)
        )

    return tuple(
        ConfusionRecord(name, "cpu", (0,), count(shift), ((right,) * num_classes,))
        for name, shift, right in (("baseline", 1, 0), ("batchnorm", 0, 1))
    )


@pytest.mark.parametrize("num_classes", [2, 47, 60])
def test_many_classes_have_a_matrix_without_numbers(num_classes: int, drawer: Drawer) -> None:
    inspection = dataclasses.replace(
        INSPECTION,
        class_names=tuple(f"class{number}" for number in range(num_classes)),
        confusions=make_confusions(num_classes),
        disagreements=(),
    )
    figure = drawer.draw_inspection(inspection)["mistakes"]
    texts = read_texts(figure)
    assert any(text[0] in "+\N{MINUS SIGN}" for text in texts) == (num_classes == 2)
    shown = {text for text in texts if text.startswith("class")}
    assert len(shown) == min(num_classes, MOST_CLASSES)
    assert len(figure.rows) == 2 * num_classes**2
    assert ("without the numbers" in figure.caption) == (num_classes > 2)
    assert (f"the hardest 50 of {num_classes} classes" in figure.caption) == (num_classes > 50)
