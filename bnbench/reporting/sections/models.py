"""A run's exported models in every runtime: the summary, its section and its sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bnbench.records import AgreementRecord, CertificateRecord, VerificationRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.wording import format_count, format_percent, join_words

TITLE = "The same models in other runtimes"


@dataclass(frozen=True)
class VerificationSummary:
    """All models of the run in one other runtime."""

    runtime: str
    num_models: int
    num_agreed: int
    num_predictions: int
    num_disagreements: int
    max_abs_logit_diff: float | None


@dataclass(frozen=True)
class AgreementSummary:
    """All models of one variant in one runtime, held against binary64."""

    runtime: str
    version: str
    variant: str
    num_models: int
    num_agreed: int
    num_predictions: int
    num_differing: int
    num_explained: int
    max_abs_diff: float | None
    max_ulp_diff: float | None
    max_bound_share: float | None


@dataclass(frozen=True)
class CertificateSummary:
    """What is proven about all models of one variant."""

    variant: str
    num_models: int
    num_predictions: int
    num_certified: int | None
    """Predictions that are the same in every binary32 runtime; None where no bound covers the
    network."""
    lowest_certified: float | None
    """The smallest fraction of certified predictions of a model."""
    num_undecided: int | None
    """Hidden units, summed over models and images, whose sign the bound can't decide."""
    largest_bound: float | None


@dataclass(frozen=True)
class ModelsSummary:
    """Everything that is known about a run's exported models."""

    verifications: tuple[VerificationSummary, ...]
    certificates: tuple[CertificateSummary, ...]
    agreements: tuple[AgreementSummary, ...]


def summarize_models(
    verifications: Sequence[VerificationRecord],
    certificates: Sequence[CertificateRecord],
    agreements: Sequence[AgreementRecord],
) -> ModelsSummary:
    """Summarize the verdicts on all models of a run."""
    return ModelsSummary(
        verifications=summarize_verifications(verifications),
        certificates=summarize_certificates(certificates),
        agreements=summarize_agreement(agreements),
    )


def summarize_verifications(
    records: Sequence[VerificationRecord],
) -> tuple[VerificationSummary, ...]:
    """A summary for each runtime, in the order of the records."""
    summaries = []
    for runtime in dict.fromkeys(record.runtime for record in records):
        of_runtime = [record for record in records if record.runtime == runtime]
        summaries.append(
            VerificationSummary(
                runtime=runtime,
                num_models=len(of_runtime),
                num_agreed=sum(record.status == "agreed" for record in of_runtime),
                num_predictions=sum(record.total or 0 for record in of_runtime),
                num_disagreements=sum(record.disagreements or 0 for record in of_runtime),
                max_abs_logit_diff=_find_largest(r.max_abs_logit_diff for r in of_runtime),
            )
        )
    return tuple(summaries)


def summarize_agreement(records: Sequence[AgreementRecord]) -> tuple[AgreementSummary, ...]:
    """A summary for each runtime and variant, in the order of the records."""
    groups: dict[tuple[str, str, str], list[AgreementRecord]] = {}
    for record in records:
        groups.setdefault((record.runtime, record.version, record.variant), []).append(record)
    order = {name: number for number, (name, *_) in enumerate(dict.fromkeys(groups))}
    return tuple(
        AgreementSummary(
            runtime=runtime,
            version=version,
            variant=variant,
            num_models=len(group),
            num_agreed=sum(record.status == "agreed" for record in group),
            num_predictions=sum(record.total or 0 for record in group),
            num_differing=sum(record.differing or 0 for record in group),
            num_explained=sum(record.explained or 0 for record in group),
            max_abs_diff=_find_largest(record.max_abs_diff for record in group),
            max_ulp_diff=_find_largest(record.max_ulp_diff for record in group),
            max_bound_share=_find_largest(record.max_bound_share for record in group),
        )
        for (runtime, version, variant), group in sorted(
            groups.items(), key=lambda item: order[item[0][0]]
        )
    )


def summarize_certificates(records: Sequence[CertificateRecord]) -> tuple[CertificateSummary, ...]:
    """A summary for each variant, in the order of the records."""
    summaries = []
    for variant in dict.fromkeys(record.variant for record in records):
        group = [record for record in records if record.variant == variant]
        known = [record for record in group if record.certified is not None]
        covered = len(known) == len(group)
        summaries.append(
            CertificateSummary(
                variant=variant,
                num_models=len(group),
                num_predictions=sum(record.total for record in group),
                num_certified=sum(r.certified or 0 for r in known) if covered else None,
                lowest_certified=min((r.certified or 0) / r.total for r in known)
                if covered
                else None,
                num_undecided=sum(r.undecided_units or 0 for r in known) if covered else None,
                largest_bound=_find_largest(record.largest_bound for record in group),
            )
        )
    return tuple(summaries)


def compose_models(summary: ModelsSummary) -> Section | None:
    """The section of the report, or None where runtimes were not compared."""
    if not summary.agreements:
        return None
    return Section(
        TITLE,
        (
            "Each trained network was exported to TorchScript, and every test image was classified "
            "again by other programs. Each logit is held against the same weights in binary64, "
            "read from the file without torch, and against a rigorous bound on what rounding to "
            "binary32 can do to it in any order of summation. A prediction that differs is "
            "explained only if that bound reaches the lead of the class; anything else is a "
            "fault. The difference is the largest of a logit, also in units in the last place of "
            "the image's largest logit, and as a share of the bound on that very logit.",
            *(_say_certificate(certificate) for certificate in summary.certificates),
        ),
        table=tabulate_models(summary),
        in_terminal=True,
    )


def tabulate_models(summary: ModelsSummary) -> Table:
    """One row per runtime and variant, as texts."""
    return Table(
        (
            "runtime",
            "version",
            "variant",
            "agree",
            "predictions that differ",
            "unexplained",
            "difference",
            "units in the last place",
            "of bound",
        ),
        tuple(
            (
                agreement.runtime,
                agreement.version,
                agreement.variant,
                f"{agreement.num_agreed}/{agreement.num_models}",
                f"{agreement.num_differing:,} of {agreement.num_predictions:,}",
                f"{agreement.num_differing - agreement.num_explained:,}",
                _format_small(agreement.max_abs_diff),
                "not known" if agreement.max_ulp_diff is None else f"{agreement.max_ulp_diff:.1f}",
                "no bound"
                if agreement.max_bound_share is None
                else format_percent(agreement.max_bound_share),
            )
            for agreement in summary.agreements
        ),
        details=("version", "predictions that differ", "units in the last place"),
    )


def say_models(summary: ModelsSummary) -> tuple[str, ...]:
    """What the answer says about agreement, the first sentence first in importance."""
    sentences = []
    for verification in summary.verifications:
        models = format_count(verification.num_models, "exported model")
        if verification.num_agreed == verification.num_models:
            sentences.append(
                f"Re-evaluated in C++, {models} give the same {verification.num_predictions:,} "
                f"predictions to the last one{_say_certified(summary.certificates)}."
            )
        else:
            sentences.append(
                f"Re-evaluated in C++, {verification.num_models - verification.num_agreed} of "
                f"{models} do NOT agree with Python, in {verification.num_disagreements:,} of "
                f"{verification.num_predictions:,} predictions."
            )
    off = [
        agreement for agreement in summary.agreements if agreement.num_agreed < agreement.num_models
    ]
    if off:
        sentences.append(
            "Rounding can NOT explain what "
            f"{join_words(list(dict.fromkeys(agreement.runtime for agreement in off)))} gives for "
            f"{format_count(sum(a.num_models - a.num_agreed for a in off), 'model')}."
        )
    return tuple(sentences or ["The exported models were not re-evaluated in C++ yet."])


def _say_certified(certificates: Sequence[CertificateSummary]) -> str:
    share = say_share_certified(certificates)
    if share is None:
        return ""
    return f"; {share} of them are proven to be the same in any IEEE 754 binary32 runtime"


def say_share_certified(certificates: Sequence[CertificateSummary]) -> str | None:
    """How many predictions any binary32 runtime must give, in words; None where not known."""
    known = [summary for summary in certificates if summary.num_certified is not None]
    if not known or len(known) < len(certificates):
        return None
    share = sum(s.num_certified or 0 for s in known) / sum(s.num_predictions for s in known)
    # Rounded down: 99.996 % is not all of them.
    return f"{int(share * 10_000) / 100:.2f} %"


def _say_certificate(summary: CertificateSummary) -> str:
    models = format_count(summary.num_models, "model")
    if summary.num_certified is None or summary.lowest_certified is None:
        return (
            f"{summary.variant}: no bound covers this network, so a difference of a logit up to "
            "1e-4 of the image's largest is let pass, and no prediction that differs."
        )
    return (
        f"{summary.variant}: {summary.num_certified:,} of {summary.num_predictions:,} predictions "
        f"of {models} are certified to be the same in every IEEE 754 binary32 runtime "
        f"({int(summary.lowest_certified * 10_000) / 100:.2f} % or more of each model's); "
        f"a logit can be off by {_format_small(summary.largest_bound)} at most, and "
        f"{format_count(summary.num_undecided or 0, 'hidden unit')} of all images have a sign "
        "that rounding could change."
    )


def _find_largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _format_small(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2g}"
