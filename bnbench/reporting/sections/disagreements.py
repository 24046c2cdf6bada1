"""The test images on which the networks disagree."""

from __future__ import annotations

from bnbench.inspection import DisagreementRecord, InspectionRecord
from bnbench.reporting.content import Section
from bnbench.reporting.wording import format_count, name_variant, start_sentence


def compose_disagreements(inspection: InspectionRecord | None) -> Section | None:
    """The section of the report, or None if there is nothing to compare."""
    if inspection is None or not inspection.disagreements:
        return None
    total = inspection.num_test_images
    rule = (
        "Most seeds means more than half of those that both networks have. Of these images, the "
        "figure shows the ones with the largest difference in right answers, equal ones in the "
        "order of the test set, and at most two of each class."
    )
    sentences = [_say_counts(each, total) for each in inspection.disagreements]
    return Section(
        "The images on which the networks disagree", (*sentences, rule), figure="disagreements"
    )


def _say_counts(each: DisagreementRecord, total: int) -> str:
    candidate, baseline = name_variant(each.candidate), name_variant(each.baseline)
    return start_sentence(
        f"{candidate} is right and {baseline} wrong, in most of "
        f"{format_count(each.num_seeds, 'seed')}, on {each.num_ahead:,} of {total:,} test images. "
        f"The reverse holds on {each.num_behind:,}."
    )
