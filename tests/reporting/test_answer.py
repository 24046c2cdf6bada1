from bnbench.reporting.answer import compose_answer
from bnbench.reporting.summary import summarize_run
from bnbench.specs import TuningSpec
from tests.reporting.conftest import MakeRun, diverge, overlap, separate

THIRTY = tuple(range(30))
TUNING = TuningSpec((0.1, 1.0), (100,), 20)
RATES = {("baseline", "cpu"): 1.0, ("batchnorm", "cpu"): 0.1}


def test_at_one_learning_rate_the_first_sentence_says_so_and_claims_no_more(
    make_run: MakeRun,
) -> None:
    answer = compose_answer(summarize_run(make_run(separate, seeds=THIRTY)))
    assert answer[0].startswith(
        "At learning rate 0.1 for both, batch normalization is better than the baseline: "
        "+20.00 points"
    )
    assert "This holds at this learning rate only" in answer[0]


def test_where_the_tuned_contrast_supports_it_batch_normalization_is_better(
    make_run: MakeRun,
) -> None:
    store = make_run(separate, seeds=THIRTY, tuning=TUNING, rates=RATES)
    answer = compose_answer(summarize_run(store))
    assert answer[0].startswith(
        "With the learning rate chosen for each network on validation images (1 for the baseline, "
        "0.1 for batch normalization), batch normalization is better than the baseline: +20.00"
    )


def test_where_the_tuned_contrast_does_not_support_it_nothing_says_better(
    make_run: MakeRun,
) -> None:
    store = make_run(overlap, seeds=THIRTY, tuning=TUNING, rates=RATES)
    answer = compose_answer(summarize_run(store))
    assert "batch normalization is not meaningfully better than the baseline" in answer[0]
    assert "is better" not in answer[0]


def test_with_few_seeds_the_answer_is_how_many_more_to_run(make_run: MakeRun) -> None:
    answer = compose_answer(summarize_run(make_run(separate, seeds=(0, 1))))
    assert "is open (no conclusion: run 27 more seeds)" in answer[0]


def test_the_second_sentence_is_about_time_by_the_plain_loop(make_run: MakeRun) -> None:
    answer = compose_answer(summarize_run(make_run(separate, engine="native", seeds=THIRTY)))
    assert answer[1].startswith("An epoch of batch normalization takes 20 % longer than one")
    assert "plain PyTorch loop on cpu" in answer[1]


def test_the_third_sentence_is_about_the_other_runtime(make_run: MakeRun) -> None:
    store = make_run(separate, seeds=THIRTY)
    assert "not re-evaluated" in compose_answer(summarize_run(store))[2]


def test_an_interrupted_run_says_so_first(make_run: MakeRun) -> None:
    store = make_run(separate, only=lambda trial: trial.seed == 0)
    answer = compose_answer(summarize_run(store))
    assert answer[0].startswith("This run is not complete: 4 trials of its study are still")


def test_where_nothing_trained_the_answer_says_so(make_run: MakeRun) -> None:
    answer = compose_answer(summarize_run(make_run(lambda trial: None)))
    assert "is open" in answer[0]
    assert "no seed of 3 seeds finished 2 epochs in both networks" in answer[0]


def test_a_variant_that_always_diverges_loses(make_run: MakeRun) -> None:
    answer = compose_answer(summarize_run(make_run(diverge, seeds=THIRTY)))
    assert "batch normalization is better than the baseline" in answer[0]
    assert "no seed of 30 seeds finished 2 epochs in both networks" in answer[0]


def test_a_variant_alone_is_not_compared(make_run: MakeRun, small_study) -> None:  # type: ignore[no-untyped-def]
    store = make_run(separate, variants=small_study.variants[1:])
    answer = compose_answer(summarize_run(store))
    assert answer[0].startswith("There is only one network with results")
