import dataclasses

import pytest

from bnbench.reporting.sections.epoch_time import compose_epoch_time, say_epoch_time
from bnbench.stats import Estimate
from bnbench.stats.estimates import Method
from tests.reporting.conftest import MakeRun, separate, summarize


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (1.02, 0.95, 1.09, "takes about as long as one of the baseline: +2 % [-5 %, +9 %]"),
        (
            1.02,
            0.85,
            1.30,
            "can't be told apart: an epoch of batch normalization takes between 15 % less "
            "and 30 % more time than one of the baseline",
        ),
        (1.20, 1.10, 1.30, "takes 20 % longer than one of the baseline [+10 %, +30 %]"),
        (0.80, 0.70, 0.90, "takes 20 % less time than one of the baseline [-30 %, -10 %]"),
        (1.20, None, None, "took 20 % longer than one of the baseline"),
    ],
    ids=["equal", "open", "longer", "shorter", "no interval"],
)
def test_times_are_called_equal_only_if_the_interval_is_narrow(
    make_run: MakeRun, value: float, low: float | None, high: float | None, words: str
) -> None:
    (contrast,) = summarize(make_run(separate)).epoch_time
    method = None if low is None else Method.BCA
    ratio = Estimate(value, low, high, 0.95, method, 8)
    result = dataclasses.replace(contrast.result, paired_ratio=ratio)
    sentence = say_epoch_time([dataclasses.replace(contrast, result=result)], "batchnorm")
    assert sentence is not None
    assert words in sentence


def test_the_ratio_within_pairs_comes_first_and_that_of_the_medians_after_it(
    make_run: MakeRun,
) -> None:
    (contrast,) = summarize(make_run(separate)).epoch_time
    result = dataclasses.replace(
        contrast.result,
        paired_ratio=Estimate(1.1, None, None, 0.95, None, 3),
        ratio=Estimate(0.7, None, None, 0.95, None, 3),
    )
    section = compose_epoch_time([dataclasses.replace(contrast, result=result)])
    assert section is not None
    assert "takes 1.10 times as long as one of the baseline" in section.paragraphs[0]
    assert "The ratio of the medians of all epochs is 0.70." in section.paragraphs[0]


def test_times_of_a_row_have_equal_digits(make_run: MakeRun) -> None:
    (contrast,) = summarize(make_run(separate)).epoch_time
    time = dataclasses.replace(
        contrast.result.baseline,
        median_seconds=3.9,
        lower_quartile_seconds=0.401,
        upper_quartile_seconds=10.71,
    )
    result = dataclasses.replace(contrast.result, baseline=time)
    section = compose_epoch_time([dataclasses.replace(contrast, result=result)])
    assert section is not None
    assert section.table is not None
    assert section.table.constants == "engine reference, device cpu"
    assert section.table.rows[0][:3] == ("baseline", "3.90 s", "0.40 – 10.71 s")
