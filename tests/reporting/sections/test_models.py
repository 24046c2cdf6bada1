import dataclasses

from bnbench.models.contract import CONTRACT
from bnbench.records import CertificateRecord, VerificationRecord
from bnbench.reporting.sections.models import (
    compose_models,
    say_certified,
    say_models,
    summarize_certificates,
    summarize_models,
    summarize_verifications,
)

AGREED = VerificationRecord(
    model="baseline-seed0-cpu.pt",
    variant="baseline",
    runtime="eager",
    version="torch 2",
    total=100,
    correct=80,
    differing=1,
    accuracy=0.8,
    expected_correct=80,
    unexplained=0,
    max_abs_diff=2e-6,
    max_bound_share=0.01,
    status="agreed",
)
CERTIFICATE = CertificateRecord("baseline-seed0-cpu.pt", "baseline", 100, 80, 99, 4, 0.002)
OUT_OF_RANGE = CertificateRecord(
    model="baseline-seed1-cpu.pt",
    variant="baseline",
    total=100,
    correct=80,
    certified=None,
    undecided_units=None,
    largest_bound=None,
    status="out of range",
    reason="linear1.weight: too large",
)


def test_models_of_a_variant_are_summed_up_in_each_runtime() -> None:
    records = [
        AGREED,
        dataclasses.replace(AGREED, variant="batchnorm"),
        dataclasses.replace(AGREED, runtime="libtorch"),
        dataclasses.replace(
            AGREED, max_abs_diff=5e-6, differing=2, unexplained=2, reason="off", status="disagreed"
        ),
    ]
    first, second, third = summarize_verifications(records)
    assert (first.runtime, first.variant, first.num_models) == ("eager", "baseline", 2)
    assert (first.num_agreed, first.num_differing, first.num_unexplained) == (1, 3, 2)
    assert (first.num_predictions, first.max_abs_diff) == (200, 5e-6)
    assert (second.runtime, second.variant) == ("eager", "batchnorm")
    assert (third.runtime, third.num_agreed) == ("libtorch", 1)


def test_a_model_that_was_not_evaluated_does_not_count_as_agreed() -> None:
    unusable = VerificationRecord(
        "b.pt", "baseline", "eager", "torch 2", status="unusable", reason="gone"
    )
    (summary,) = summarize_verifications([AGREED, unusable])
    assert (summary.num_models, summary.num_agreed, summary.num_predictions) == (2, 1, 100)


def test_the_worst_model_stands_beside_the_sum_of_certified_predictions() -> None:
    (summary,) = summarize_certificates(
        [CERTIFICATE, dataclasses.replace(CERTIFICATE, certified=95, largest_bound=0.1)]
    )
    assert (summary.num_certified, summary.num_predictions) == (194, 200)
    assert (summary.lowest_certified, summary.largest_bound) == (0.95, 0.1)
    assert summary.num_undecided == 8


def test_one_model_without_a_bound_leaves_its_variant_without_a_certificate() -> None:
    (summary,) = summarize_certificates([CERTIFICATE, OUT_OF_RANGE])
    assert summary.refusal == "out of range (baseline-seed1-cpu.pt: linear1.weight: too large)"
    assert (summary.num_certified, summary.lowest_certified) == (None, None)
    assert say_certified([summary]) == "No prediction is certified for other runtimes."


def test_a_network_without_a_certificate_is_not_covered_by_anothers() -> None:
    cnn = dataclasses.replace(OUT_OF_RANGE, variant="cnn", model="cnn-seed0-cpu.pt")
    batchnorm = dataclasses.replace(CERTIFICATE, variant="batchnorm", certified=98)
    said = say_certified(summarize_certificates([CERTIFICATE, batchnorm, cnn]))
    assert said is not None
    assert said.startswith(
        "Of 100 predictions of each variant, certified are 99 of the baseline and 98 of batch "
        "normalization, and none of cnn. Certified means that rounding cannot change"
    )


def test_variants_with_other_numbers_of_predictions_each_name_theirs() -> None:
    more = dataclasses.replace(CERTIFICATE, variant="batchnorm", total=200, certified=200)
    said = say_certified(summarize_certificates([CERTIFICATE, more]))
    assert said is not None
    assert said.startswith(
        "Certified are 99 of 100 of the baseline and 200 of 200 of batch normalization."
    )


def test_the_section_has_a_row_for_each_runtime_and_variant() -> None:
    section = compose_models(summarize_models([AGREED], [CERTIFICATE]))
    assert section is not None
    assert section.table is not None
    row = dict(zip(section.table.columns, section.table.rows[0], strict=True))
    assert row == {
        "runtime, variant": "eager, baseline",
        "agree": "1/1",
        "unexplained": "0",
        "difference": "2.0e-06",
        "of bound": "1.00 %",
        "predictions that differ": "1 of 100",
        "version": "torch 2",
    }
    assert "99 of 100 predictions of 1 model are certified" in section.paragraphs[1]


def test_the_section_names_the_tensor_that_is_out_of_range() -> None:
    section = compose_models(summarize_models([AGREED], [OUT_OF_RANGE]))
    assert section is not None
    said = (
        "baseline: not certified, out of range (baseline-seed1-cpu.pt: linear1.weight: too large)"
    )
    assert section.paragraphs[1].startswith(said)


def test_the_contract_stands_beside_what_is_certified() -> None:
    section = compose_models(summarize_models([AGREED], [CERTIFICATE]))
    assert section is not None
    assert CONTRACT.summary in section.paragraphs[2]
    assert CONTRACT.ranges in section.paragraphs[2]
    assert CONTRACT.summary in say_models(summarize_models([AGREED], [CERTIFICATE]))


def test_the_section_gives_the_reason_of_a_disagreement() -> None:
    off = dataclasses.replace(AGREED, status="disagreed", reason="pixels_scaled: left as bytes")
    section = compose_models(summarize_models([off], []))
    assert section is not None
    reason = "eager does not agree: baseline-seed0-cpu.pt: pixels_scaled: left as bytes"
    assert section.paragraphs[-1] == reason


def test_a_run_that_was_not_verified_has_no_section() -> None:
    assert compose_models(summarize_models([], [])) is None


def test_the_answer_says_whether_all_runtimes_agree_and_under_which_condition() -> None:
    other = dataclasses.replace(AGREED, runtime="libtorch")
    assert "not re-evaluated" in say_models(summarize_models([], []))
    sentence = say_models(summarize_models([AGREED, other], [CERTIFICATE]))
    assert "All 200 predictions of 1 exported model in eager and libtorch are those of" in sentence
    assert (
        "within rounding. Of 100 predictions of each variant, certified are 99 of the baseline. "
        in sentence
    )
    off = dataclasses.replace(other, status="disagreed", reason="off")
    sentence = say_models(summarize_models([AGREED, off], [CERTIFICATE]))
    assert "can NOT explain what libtorch gives in 1 evaluation of 1 exported model" in sentence
