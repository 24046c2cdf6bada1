"""An inspection made by hand: three classes, two seeds, a network with one hidden layer."""

from __future__ import annotations

import base64

from bnbench.inspection import (
    ConfusionRecord,
    DisagreementRecord,
    ImageRecord,
    InspectionRecord,
    Stage,
    ValuesRecord,
)

SHOE = base64.b64encode(bytes(range(196)) * 4).decode()
IMAGE = ImageRecord(7, label=2, answers=(1, 2), votes=(2, 2), correct=(0, 2), pixels=SHOE)
REVERSE = ImageRecord(3, label=0, answers=(0, 1), votes=(2, 1), correct=(2, 0), pixels=SHOE)


def make_values(
    variant: str, layer: str, stage: Stage, spread: float, dead: float | None = None
) -> ValuesRecord:
    quantiles = tuple(spread * place for place in (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0))
    if dead is None:
        sizes = tuple(spread * place for place in (0.0, 0.01, 0.5, 1.0, 2.0, 3.0, 4.0))
        return ValuesRecord(variant, layer, "gradient", stage, sizes, spread, None)
    return ValuesRecord(variant, layer, "input", stage, quantiles, spread, dead)


INSPECTION = InspectionRecord(
    class_names=("cap", "boot", "shoe"),
    num_test_images=20,
    confusions=(
        # Ten caps, six boots and four shoes; two seeds.
        ConfusionRecord(
            "baseline",
            "cpu",
            seeds=(0, 1),
            counts=((20, 0, 0), (0, 9, 3), (0, 6, 2)),
            correct=((10, 5, 1), (10, 4, 1)),
        ),
        ConfusionRecord(
            "batchnorm",
            "cpu",
            seeds=(0, 1),
            counts=((19, 1, 0), (0, 9, 3), (0, 2, 6)),
            correct=((10, 5, 3), (9, 4, 3)),
        ),
    ),
    disagreements=(
        DisagreementRecord(
            "baseline",
            "batchnorm",
            "cpu",
            num_seeds=2,
            num_ahead=2,
            num_behind=1,
            image_deviation=0.004,
            ahead=(IMAGE, IMAGE),
            behind=(REVERSE,),
        ),
    ),
    batch_images=100,
    value_seeds=(0, 1),
    values=(
        make_values("baseline", "activation1", "before", 0.25, dead=0.125),
        make_values("baseline", "activation1", "after", 2.0, dead=0.0),
        make_values("baseline", "linear1", "before", 0.01),
        make_values("baseline", "linear1", "after", 0.02),
        make_values("batchnorm", "activation1", "before", 1.0, dead=0.0),
        make_values("batchnorm", "activation1", "after", 1.5, dead=0.0),
        make_values("batchnorm", "linear1", "before", 0.1),
        make_values("batchnorm", "linear1", "after", 0.02),
    ),
)
