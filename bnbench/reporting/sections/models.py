"""How the runtimes agree about a run's exported models: the summary and its section."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bnbench.records import AgreementRecord, CertificateRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.wording import format_count, format_percent

TITLE = "The same models in other runtimes"


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


def compose_agreement(
    agreements: Sequence[AgreementSummary], certificates: Sequence[CertificateSummary]
) -> Section | None:
    """The section of the report, or None where runtimes were not compared."""
    if not agreements:
        return None
    rows = tuple(
        (
            summary.runtime,
            summary.version,
            summary.variant,
            f"{summary.num_agreed}/{summary.num_models}",
            f"{summary.num_differing:,} of {summary.num_predictions:,}",
            f"{summary.num_differing - summary.num_explained:,}",
            _format_small(summary.max_abs_diff),
            "not known" if summary.max_ulp_diff is None else f"{summary.max_ulp_diff:.1f}",
            format_percent(summary.max_bound_share)
            if summary.max_bound_share is not None
            else "no bound",
        )
        for summary in agreements
    )
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
            *(_say_certificate(summary) for summary in certificates),
        ),
        table=Table(
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
            rows,
        ),
    )


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
