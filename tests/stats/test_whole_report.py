"""The statistics of a whole report: quick, repeatable, plain, and never a NaN."""

import dataclasses
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bnbench import stats


def compute_report(baseline: np.ndarray, candidate: np.ndarray, seed: int = 0) -> str:
    """Compute everything from accuracies of shape (num_seeds, num_epochs), and write it as JSON."""
    noise = np.random.default_rng(1).lognormal(0, 0.05, size=(2, *baseline.shape))
    baseline_seconds = np.where(np.isnan(baseline), np.nan, 3.0 * noise[0])
    candidate_seconds = np.where(np.isnan(candidate), np.nan, 3.6 * noise[1])
    generator = np.random.default_rng(seed)
    improvement = stats.estimate_improvement(baseline[:, -1], candidate[:, -1], generator)
    target = stats.choose_target(baseline) or 0.8
    rates = np.geomspace(1e-3, 4.0, 12)
    by_rate = 0.9 - 0.1 * np.log10(rates / 0.1)[:, None] ** 2 + np.zeros((12, 3))
    answers: list[Any] = [
        *stats.summarize_curve(baseline, generator),
        *stats.summarize_curve(candidate, generator),
        *stats.compare_pairs(baseline, candidate, generator),
        stats.summarize_pairing(baseline[:, -1], candidate[:, -1]),
        improvement,
        stats.decide_improvement(improvement.probability),
        stats.summarize_convergence(baseline, baseline_seconds, target, 938),
        stats.summarize_convergence(candidate, candidate_seconds, target, 938),
        stats.estimate_speed_up(
            baseline,
            candidate,
            baseline_seconds,
            candidate_seconds,
            generator,
            target_accuracy=target,
            baseline_steps_per_epoch=938,
            candidate_steps_per_epoch=938,
        ),
        stats.compare_epoch_time(baseline_seconds, candidate_seconds, generator),
        stats.summarize_sensitivity(rates, by_rate, generator),
        stats.summarize_sensitivity(rates, by_rate, generator),
    ]
    return json.dumps([dataclasses.asdict(answer) for answer in answers], allow_nan=False)


def make_accuracies(num_seeds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    curve = np.array([0.5, 0.6, 0.65, 0.7, 0.72])
    baseline = curve + generator.normal(0, 0.02, size=(num_seeds, 5))
    return baseline, baseline + 0.1 + generator.normal(0, 0.02, size=(num_seeds, 5))


@pytest.fixture(autouse=True)
def _no_warning_reaches_the_user() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert compute_report(*make_accuracies()) == compute_report(*make_accuracies())
    assert compute_report(*make_accuracies()) != compute_report(*make_accuracies(), seed=1)


def test_a_whole_report_takes_no_more_than_two_seconds() -> None:
    start = time.process_time()  # of this process alone: other work on the machine does not count
    compute_report(*make_accuracies())
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5, 6, 9, 10])
def test_a_study_of_few_seeds_gives_answers_without_nan(num_seeds: int) -> None:
    compute_report(*make_accuracies(num_seeds))


def test_a_variant_that_diverged_entirely_gives_answers_without_nan() -> None:
    baseline, candidate = make_accuracies()
    compute_report(np.full_like(baseline, np.nan), candidate)
    compute_report(baseline, np.full_like(candidate, np.nan))


def test_trials_that_diverge_on_the_way_give_answers_without_nan() -> None:
    baseline, candidate = make_accuracies()
    baseline[3, 2:] = np.nan
    baseline[7] = np.nan
    candidate[7, 4] = np.nan
    compute_report(baseline, candidate)


def test_identical_variants_give_answers_without_nan() -> None:
    baseline, _ = make_accuracies()
    compute_report(baseline, baseline)


def test_trials_that_never_vary_give_answers_without_nan() -> None:
    compute_report(np.full((30, 5), 0.5), np.full((30, 5), 0.75))


def test_statistics_import_neither_torch_nor_the_rest_of_bnbench() -> None:
    script = (
        "import sys, bnbench.stats\n"
        "foreign = [name for name in sys.modules if name.split('.')[0] in ('torch', 'pandas')\n"
        "           or name.startswith('bnbench.') and not name.startswith('bnbench.stats')]\n"
        "sys.exit(', '.join(foreign) or 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
