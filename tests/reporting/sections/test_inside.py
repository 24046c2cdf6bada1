import dataclasses

from bnbench.reporting.sections.inside import compose_gradients, compose_inputs
from tests.inspections import INSPECTION, make_values


def test_the_spread_of_inputs_is_compared_over_layers_and_training() -> None:
    section = compose_inputs(INSPECTION)
    assert section is not None
    # From 0.25 to 2 and from 1 to 1.5; an eighth of the baseline's units is dead at first.
    assert section.paragraphs[0] == (
        "Over layers and training, the spread of what an activation gets varies by a factor of "
        "8 in the baseline and 1.5 in batch normalization. At most 12.5 % of a layer's units are "
        "dead, in the baseline."
    )
    assert "first 100 training images" in section.paragraphs[1]
    assert section.table is not None
    assert section.table.rows == (
        ("1, baseline", "0.25 → 2.0", "12.5 → 0.0"),
        ("1, batchnorm", "1.0 → 1.5", "0.0 → 0.0"),
    )


def test_a_gradient_and_the_first_step_are_compared_with_the_baselines() -> None:
    rates = {"baseline": 0.4, "batchnorm": 0.1}
    section = compose_gradients(INSPECTION, rates)
    assert section is not None
    # 0.1 against 0.01 before, 0.02 against 0.02 after; times the rates 0.01 against 0.004.
    assert section.paragraphs[0] == (
        "Batch normalization has 10 times the gradient of the baseline in the first layer before "
        "training, and 1 times after it. At learning rate 0.1 against 0.4, its first step there is "
        "2.5 times as large."
    )
    assert section.table is not None
    assert section.table.rows[0] == ("linear1, baseline", "0.010 → 0.020")


def test_at_one_learning_rate_the_rate_is_said_once() -> None:
    section = compose_gradients(INSPECTION, {"baseline": 0.1, "batchnorm": 0.1})
    assert section is not None
    assert "At learning rate 0.1, its first step" in section.paragraphs[0]


def test_values_that_were_not_finite_are_called_so() -> None:
    values = tuple(v for v in INSPECTION.values if (v.variant, v.stage) != ("baseline", "after"))
    inspection = dataclasses.replace(INSPECTION, values=values)
    inputs, gradients = compose_inputs(inspection), compose_gradients(inspection, {})
    assert inputs is not None
    assert inputs.table is not None
    assert inputs.table.rows[0] == ("1, baseline", "0.25 → not finite", "12.5 → no ReLU")
    assert gradients is not None
    # A ratio is said only where both stages have one.
    assert len(gradients.paragraphs) == 1


def test_only_gradients_of_the_same_layer_are_compared_and_the_output_comes_last() -> None:
    stages = ("before", "after")
    shallow = tuple(make_values("linear", "output", stage, 0.5) for stage in stages)
    deep = tuple(
        make_values("deep", layer, stage, 0.1)
        for layer in ("linear1", "linear2", "output")
        for stage in stages
    )
    values = (*INSPECTION.values, *shallow, *deep)
    section = compose_gradients(dataclasses.replace(INSPECTION, values=values), {})
    assert section is not None
    assert not [text for text in section.paragraphs if text.startswith("linear has")]
    assert "deep has 10 times" in section.paragraphs[1]
    assert section.table is not None
    assert [row[0] for row in section.table.rows] == [
        *("linear1, baseline", "linear1, batchnorm", "linear1, deep"),
        *("linear2, deep", "output, linear", "output, deep"),
    ]


def test_networks_without_a_hidden_layer_have_gradients_alone() -> None:
    values = tuple(value for value in INSPECTION.values if value.kind == "gradient")
    inspection = dataclasses.replace(INSPECTION, values=values)
    assert compose_inputs(inspection) is None
    assert compose_gradients(inspection, {}) is not None


def test_what_was_not_inspected_has_no_section() -> None:
    assert compose_inputs(None) is compose_gradients(None, {}) is None
