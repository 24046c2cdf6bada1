import dataclasses

import pytest

from bnbench.reporting.sections.epoch_time import say_epoch_time
from bnbench.stats import Estimate
from bnbench.stats.estimates import Method
from tests.reporting.conftest import MakeRun, separate, summarize


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (1.02, 0.95, 1.09, "takes about as long as one of the baseline: +2 % [-5 %, +9 %]"),
        (1.02, 0.85, 1.30, "can't be told apart: +2 % [-15 %, +30 %]"),
        (1.20, 1.10, 1.30, "takes 20 % longer than one of the baseline [+10 %, +30 %]"),
        (0.80, 0.70, 0.90, "takes 20 % less time than one of the baseline [-30 %, -10 %]"),
        (1.20, None, None, "took 20 % longer than that of the baseline"),
    ],
    ids=["equal", "open", "longer", "shorter", "no interval"],
)
def test_times_are_called_equal_only_if_the_interval_is_narrow(
    make_run: MakeRun, value: float, low: float | None, high: float | None, words: str
) -> None:
    (contrast,) = summarize(make_run(separate)).epoch_time
    method = None if low is None else Method.BCA
    ratio = Estimate(value, low, high, 0.95, method, 8)
    result = dataclasses.replace(contrast.result, ratio=ratio)
    sentence = say_epoch_time([dataclasses.replace(contrast, result=result)])
    assert sentence is not None
    assert words in sentence
