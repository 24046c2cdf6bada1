"""A run's exported models in every runtime: the summary, its section and its sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bnbench.models.contract import CONTRACT
from bnbench.records import CertificateRecord, VerificationRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.wording import format_count, format_percent, join_words, name_variant

TITLE = "The same models in other runtimes"


@dataclass(frozen=True)
class VerificationSummary:
    """All models of one variant in one runtime, compared with binary64."""

    runtime: str
    version: str
    variant: str
    num_models: int
    num_agreed: int
    num_predictions: int
    num_differing: int
    """Predictions that differ from the ones in binary64."""
    num_unexplained: int
    """Differing predictions that rounding cannot explain."""
    max_abs_diff: float | None
    max_bound_share: float | None
    first_reason: str | None
    """Why the first model that does not agree does not; None if all agree."""


@dataclass(frozen=True)
class CertificateSummary:
    """What is proven about all models of one variant."""

    variant: str
    num_models: int
    num_predictions: int
    num_certified: int | None
    """Predictions that rounding cannot change; None if a model is not certified."""
    lowest_certified: float | None
    """The smallest fraction of certified predictions of a model."""
    num_undecided: int | None
    """Hidden units, summed over models and images, whose sign rounding could change."""
    largest_bound: float | None
    refusal: str | None
    """Why the first model that is not certified is not; None if all are."""


@dataclass(frozen=True)
class ModelsSummary:
    """What is known of a run's exported models: one entry per runtime and variant, or variant."""

    verifications: tuple[VerificationSummary, ...]
    certificates: tuple[CertificateSummary, ...]


def summarize_models(
    verifications: Sequence[VerificationRecord], certificates: Sequence[CertificateRecord]
) -> ModelsSummary:
    """Summarize the verification of all models of a run."""
    return ModelsSummary(
        summarize_verifications(verifications), summarize_certificates(certificates)
    )


def summarize_verifications(
    records: Sequence[VerificationRecord],
) -> tuple[VerificationSummary, ...]:
    """A summary for each runtime and variant, in the order of the records."""
    groups: dict[tuple[str, str, str], list[VerificationRecord]] = {}
    for record in records:
        groups.setdefault((record.runtime, record.version, record.variant), []).append(record)
    order = [runtime for runtime, *_ in groups]
    return tuple(
        VerificationSummary(
            *key,
            num_models=len(group),
            num_agreed=sum(record.status == "agreed" for record in group),
            num_predictions=sum(record.total or 0 for record in group),
            num_differing=sum(record.differing or 0 for record in group),
            num_unexplained=sum(record.unexplained or 0 for record in group),
            max_abs_diff=_find_largest(record.max_abs_diff for record in group),
            max_bound_share=_find_largest(record.max_bound_share for record in group),
            first_reason=next(
                (f"{r.model}: {r.reason}" for r in group if r.status != "agreed"), None
            ),
        )
        for key, group in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
    )


def summarize_certificates(records: Sequence[CertificateRecord]) -> tuple[CertificateSummary, ...]:
    """A summary for each variant, in the order of the records."""
    groups: dict[str, list[CertificateRecord]] = {}
    for record in records:
        groups.setdefault(record.variant, []).append(record)
    return tuple(_summarize_certificate(variant, group) for variant, group in groups.items())


def _summarize_certificate(variant: str, group: Sequence[CertificateRecord]) -> CertificateSummary:
    certified = [r.certified for r in group if r.certified is not None]
    num_predictions = sum(record.total for record in group)
    largest = _find_largest(record.largest_bound for record in group)
    refused = [record for record in group if record.status != "bounded"]
    if refused:
        refusal = f"{refused[0].status} ({refused[0].model}: {refused[0].reason})"
        return CertificateSummary(
            variant, len(group), num_predictions, None, None, None, largest, refusal
        )
    return CertificateSummary(
        variant=variant,
        num_models=len(group),
        num_predictions=num_predictions,
        num_certified=sum(certified),
        lowest_certified=min(n / r.total for n, r in zip(certified, group, strict=True)),
        num_undecided=sum(record.undecided_units or 0 for record in group),
        largest_bound=largest,
        refusal=None,
    )


def compose_models(summary: ModelsSummary) -> Section | None:
    """The section of the report, or None if no model was verified."""
    if not summary.verifications:
        return None
    return Section(
        TITLE,
        (
            "Each trained network was exported to TorchScript, and other programs classified every "
            "test image again. Each logit is compared with the same weights in binary64, read from "
            "the file without torch. A rigorous bound says how far rounding to binary32 can move "
            "it, in any order of summation. Rounding explains a prediction that differs only if "
            "the bound reaches the lead of its class; anything else is a fault. The difference is "
            "the largest of a logit, in the last column as a share of the bound on that logit.",
            *(_say_certificate(certificate) for certificate in summary.certificates),
            f"Certified means the same prediction in {CONTRACT.summary}. {CONTRACT.ranges}",
            *(
                f"{verification.runtime} does not agree: {verification.first_reason}"
                for verification in summary.verifications
                if verification.first_reason is not None
            ),
        ),
        table=_tabulate_models(summary),
        in_terminal=True,
    )


def _tabulate_models(summary: ModelsSummary) -> Table:
    """One row per runtime and variant, as texts."""
    return Table.from_rows(
        (
            {
                "runtime, variant": f"{row.runtime}, {row.variant}",
                "agree": f"{row.num_agreed}/{row.num_models}",
                "unexplained": f"{row.num_unexplained:,}",
                "difference": _format_small(row.max_abs_diff),
                "of bound": "no bound"
                if row.max_bound_share is None
                else format_percent(row.max_bound_share),
                "predictions that differ": f"{row.num_differing:,} of {row.num_predictions:,}",
                "version": row.version,
            }
            for row in summary.verifications
        ),
        details=("version", "predictions that differ"),
    )


def say_models(summary: ModelsSummary) -> str:
    """The answer's sentence on the agreement of runtimes."""
    verifications = summary.verifications
    if not verifications:
        return "The exported models were not re-evaluated in other runtimes yet."
    runtimes = list(dict.fromkeys(v.runtime for v in verifications))
    num_models = sum(v.num_models for v in verifications if v.runtime == runtimes[0])
    models = format_count(num_models, "exported model")
    off = [v for v in verifications if v.num_agreed < v.num_models]
    if off:
        num_off = sum(v.num_models - v.num_agreed for v in off)
        names = list(dict.fromkeys(v.runtime for v in off))
        return (
            f"Rounding can NOT explain what {join_words(names)} "
            f"{'gives' if len(names) == 1 else 'give'} in "
            f"{format_count(num_off, 'evaluation')} of {models}."
        )
    num_predictions = sum(v.num_predictions for v in verifications)
    certified = say_certified(summary.certificates)
    return (
        f"All {num_predictions:,} predictions of {models} in {join_words(runtimes)} are those of "
        "the binary64 reference, within rounding." + (f" {certified}" if certified else "")
    )


def say_certified(certificates: Sequence[CertificateSummary]) -> str | None:
    """How many predictions of which variant rounding cannot change; None if nothing is known."""
    if not certificates:
        return None
    proven = [each for each in certificates if each.num_certified is not None]
    unproven = [name_variant(each.variant) for each in certificates if each.num_certified is None]
    if not proven:
        return "No prediction is certified for other runtimes."
    totals = {each.num_predictions for each in proven}
    of_each = "" if len(totals) > 1 else f"Of {totals.pop():,} predictions of each variant, "
    counts = [
        f"{each.num_certified:,} of {name_variant(each.variant)}"
        if of_each
        else f"{each.num_certified:,} of {each.num_predictions:,} of {name_variant(each.variant)}"
        for each in proven
    ]
    none = f", and none of {join_words(unproven)}" if unproven else ""
    return (
        f"{of_each}{'c' if of_each else 'C'}ertified are {join_words(counts)}{none}. Certified "
        f"means that rounding cannot change the prediction in {CONTRACT.summary}."
    )


def _say_certificate(summary: CertificateSummary) -> str:
    models = format_count(summary.num_models, "model")
    if summary.num_certified is None or summary.lowest_certified is None:
        return (
            f"{summary.variant}: not certified, {summary.refusal}; a difference of a logit up to "
            "1e-4 of the image's largest is allowed there."
        )
    return (
        f"{summary.variant}: {summary.num_certified:,} of {summary.num_predictions:,} predictions "
        f"of {models} are certified "
        f"({int(summary.lowest_certified * 10_000) / 100:.2f} % or more of each model's); "
        f"a logit can be off by {_format_small(summary.largest_bound)} at most, and "
        f"{format_count(summary.num_undecided or 0, 'hidden unit')} of all images have a sign "
        "that rounding could change."
    )


def _find_largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _format_small(value: float | None) -> str:
    return "not known" if value is None else f"{value:#.2g}"
