import pytest

from bnbench.reporting.sections.losses import compose_losses
from tests.reporting.conftest import MakeRun, diverge, separate, summarize


def test_losses_are_means_over_the_trials_that_finished_the_epoch(make_run: MakeRun) -> None:
    baseline, batchnorm = summarize(make_run(separate)).losses
    assert (baseline.variant, batchnorm.variant, baseline.device) == (
        "baseline",
        "batchnorm",
        "cpu",
    )
    # The invented trials have training losses of 1 and 1/2, and test losses of 1.1 and 0.55.
    assert [estimate.value for estimate in baseline.train] == pytest.approx([1.0, 0.5])
    assert [estimate.value for estimate in baseline.test] == pytest.approx([1.1, 0.55])
    assert baseline.test[0].count == 3


def test_the_section_says_when_each_loss_is_measured(make_run: MakeRun) -> None:
    section = compose_losses(summarize(make_run(separate)).losses)
    assert section is not None
    assert section.paragraphs[0].startswith(
        "The baseline ends at a training loss of 0.500 [0.500, 0.500] and a test loss of 0.550"
    )
    assert "while the weights still change, test loss after the epoch" in section.paragraphs[1]


def test_a_variant_that_never_finished_an_epoch_has_no_loss(make_run: MakeRun) -> None:
    losses = summarize(make_run(diverge)).losses
    assert [loss.variant for loss in losses] == ["batchnorm"]
    assert compose_losses(summarize(make_run(lambda trial: None)).losses) is None
