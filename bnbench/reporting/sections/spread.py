"""The spread of the test accuracy over seeds, and which source of randomness it comes from.

A source is found by comparing recipes: a variant that fixes the order of another one varies the
initialization alone. So any study with such variants gets the shares, whatever their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bnbench import stats
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, share_seeds
from bnbench.reporting.wording import (
    format_count,
    format_interval,
    format_number,
    format_percent,
    join_words,
    name_variant,
)
from bnbench.specs import TrialSpec
from bnbench.stats import Estimate

TITLE = "Where the spread comes from"
WIDEST_FACTOR = 10.0
"""Upper over lower end of an interval, above which the headline calls a share unknown."""


@dataclass(frozen=True)
class Source:
    """One source of randomness, and what a recipe does that sets it apart from the others."""

    name: str
    is_alone: bool
    """Whether this source is the only one left, or is itself left out."""
    setting: str
    """What the recipe does, in a table and within a sentence."""


SOURCES: dict[str, Source] = {
    "order_seed": Source("initialization", True, "initialization alone"),
    "initialization_seed": Source("the order of batches", True, "order of batches alone"),
    "drop_last": Source("the remainder batch", False, "no remainder batch"),
    "evaluation_statistics": Source("the running statistics", False, "precise statistics"),
}
"""Each source by the field of `RecipeSpec` that sets it apart where it is not the default."""


@dataclass(frozen=True)
class ShareSummary:
    """A variant against the one from which it differs in one source alone."""

    source: str
    """Field of the recipe in which they differ, a key of `SOURCES`."""
    whole: str
    """The other variant, in which all sources vary."""
    variance_ratio: Estimate
    """Variance of the accuracy over that of `whole`, over the seeds that both have."""


@dataclass(frozen=True)
class SpreadSummary:
    """The accuracies of one variant on one device after the last epoch, over its seeds."""

    variant: str
    device: str
    engine: str
    deviation: Estimate
    """Standard deviation over the seeds of the trials that finished, a fraction."""
    sampling_deviation: float | None
    """Deviation of one network's accuracy over other samples of as many test images, a fraction;
    None if no trial finished."""
    share: ShareSummary | None
    """None where no variant differs from this one in one source alone."""


def summarize_spread(trials: RunTrials) -> tuple[SpreadSummary, ...]:
    """Summarize the spread of each variant; empty for one variant, or for fewer than 5 seeds."""
    if len(trials.study.variants) < 2:
        return ()
    found = tuple(_summarize(trials, records) for records in trials.scored)
    return found if any(each.deviation.count >= stats.MIN_SEEDS for each in found) else ()


def find_source(part: TrialSpec, whole: TrialSpec) -> str | None:
    """Find the only source in which two trials differ; None if more or nothing does.

    Args:
        part: a trial whose recipe sets the source apart.
        whole: a trial whose recipe does not.

    Returns:
        The field of the recipe, a key of `SOURCES`.
    """
    if _strip(part) != _strip(whole):
        return None
    for field in SOURCES:
        default = getattr(RecipeSpec(), field)
        is_apart = getattr(part.recipe, field) != default
        if is_apart and replace(part.recipe, **{field: default}) == whole.recipe:
            return field
    return None


def compose_spread(spread: Sequence[SpreadSummary], num_test_images: int) -> Section | None:
    """The section of the report, or None where there are too few seeds."""
    if not spread:
        return None
    has_shares = any(each.share for each in spread)
    images = _say_images(spread, num_test_images)
    if not has_shares:
        images += " The variance study tells which source of randomness the spread comes from."
    return Section(
        TITLE,
        (*say_sources(spread), images),
        figure="spread",
        table=Table.from_rows(
            (_tabulate(each, has_shares) for each in spread),
            details=("by test images, points", "what varies"),
            qualifiers=("device", "engine"),
        ),
        in_terminal=has_shares,
    )


def say_shares(spread: Sequence[SpreadSummary]) -> str | None:
    """The headline of a study that varies sources alone; None of any other study."""
    shares = [
        each.share
        for each in _list_on_first_device(spread)
        if each.share is not None and SOURCES[each.share.source].is_alone
    ]
    if not shares:
        return None
    parts: list[str] = []
    for source in dict.fromkeys(share.source for share in shares):
        given = [
            _format_share(share) if _is_known(share.variance_ratio) else "an unknown part"
            for share in shares
            if share.source == source
        ]
        alone = "" if parts else "alone gives "
        parts.append(f"{SOURCES[source].name} {alone}{join_words(given)}")
    seeds = format_count(max(share.variance_ratio.count for share in shares), "seed")
    wholes = ", ".join(dict.fromkeys(share.whole for share in shares))
    return f"Of the variance over {seeds}, {', '.join(parts)} ({wholes})."


def say_sources(spread: Sequence[SpreadSummary]) -> tuple[str, ...]:
    """What each source does to the variance, one paragraph per network, and how to read it."""
    on_first = _list_on_first_device(spread)
    shares = [each.share for each in on_first if each.share is not None]
    if not shares:
        return ()
    caution = (
        "A source alone varies while the others keep one value, and another value may give another "
        "share. So shares need not add up to 100 %, and one can exceed it. A variant with a fixed "
        "seed is no technique: that seed decides its mean accuracy."
    )
    threads = (
        "The share of threads is exactly zero: the native engine's bits do not depend on them."
        if on_first[0].engine == "native"
        else "The reference engine's bits depend on its threads. All trials ran on the same "
        "number, so the share of threads is not in these numbers."
    )
    wholes = dict.fromkeys(share.whole for share in shares)
    networks = [_say_network([s for s in shares if s.whole == whole], whole) for whole in wholes]
    return (*networks, f"{caution} {threads}")


def _list_on_first_device(spread: Sequence[SpreadSummary]) -> list[SpreadSummary]:
    return [each for each in spread if each.device == spread[0].device]


def _summarize(trials: RunTrials, records: list[TrialRecord]) -> SpreadSummary:
    trial = records[0].trial
    accuracy = trials.tabulate(records).accuracy[:, -1]
    finished = accuracy[accuracy >= 0]
    return SpreadSummary(
        trial.variant.name,
        trial.device,
        trial.engine,
        stats.estimate_deviation(accuracy),
        stats.find_sampling_deviation(float(finished.mean()), trials.data.num_test_images)
        if finished.size
        else None,
        _summarize_share(trials, records),
    )


def _summarize_share(trials: RunTrials, records: list[TrialRecord]) -> ShareSummary | None:
    for others in trials.scored:
        source = find_source(records[0].trial, others[0].trial)
        seeds = share_seeds(records, others)
        if source is not None and seeds:
            part, whole = (
                trials.tabulate(each, seeds).accuracy[:, -1] for each in (records, others)
            )
            ratio = stats.estimate_variance_ratio(part, whole)
            return ShareSummary(source, others[0].trial.variant.name, ratio)
    return None


def _strip(trial: TrialSpec) -> tuple[object, ...]:
    """What two trials that differ in their recipes alone have in common."""
    network = replace(trial.variant, name="network", recipe=RecipeChange())
    return network, trial.device, trial.engine


def _say_network(shares: Sequence[ShareSummary], whole: str) -> str:
    """What the sources do to the variance of one network."""
    name = name_variant(whole)
    alone = [share for share in shares if SOURCES[share.source].is_alone]
    known = [share for share in alone if share.variance_ratio.value is not None]
    left_out = [share for share in shares if share not in alone]
    sentences = [
        f"{_capitalize(SOURCES[share.source].name)} alone gives {_format_share(share)}"
        f"{format_interval(share.variance_ratio, 100, '.0f')} of the variance of {name} over seeds."
        for share in known
    ]
    return " ".join([*sentences, *(_say_change(share, name) for share in left_out)])


def _say_change(share: ShareSummary, whole: str) -> str:
    """Whether the variance of a network changes where a source is left out."""
    ratio, source = share.variance_ratio, SOURCES[share.source].name
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return f"What {source} {'do' if source.endswith('s') else 'does'} is not known."
    if ratio.low <= 1.0 <= ratio.high:
        verb = "change" if source.endswith("s") else "changes"
        return f"Whether {source} {verb} the variance of {whole} is open."
    change = format_percent(abs(ratio.value - 1.0), 0)
    direction = "lower" if ratio.value < 1.0 else "higher"
    return f"Without {source}, the variance of {whole} is {change} {direction}."


def _say_images(spread: Sequence[SpreadSummary], num_images: int) -> str:
    """How far other test images would move an accuracy, and why that is no part of the spread."""
    known = [s.sampling_deviation for s in spread if s.sampling_deviation is not None]
    low, high = (f"{100 * each:.2f}" for each in (min(known), max(known)))
    return (
        f"A new sample of {format_count(num_images, 'test image')} would move the accuracy of one "
        f"network by {high if low == high else f'{low} to {high}'} points (one standard "
        "deviation). All networks here share the test images, so this is no part of the spread "
        "over seeds."
    )


def _tabulate(summary: SpreadSummary, has_shares: bool) -> dict[str, str]:
    deviation, images, share = summary.deviation, summary.sampling_deviation, summary.share
    by_seeds = "not known"
    if deviation.value is not None:
        by_seeds = f"{100 * deviation.value:.2f}{format_interval(deviation, 100)}"
    row = {
        "variant": summary.variant,
        "device": summary.device,
        "engine": summary.engine,
        "deviation, points": by_seeds,
        "by test images, points": "not known" if images is None else f"{100 * images:.2f}",
    }
    if has_shares:
        row["what varies"] = "all" if share is None else SOURCES[share.source].setting
        row["variance against all"] = "–" if share is None else format_number(share.variance_ratio)
    return row


def _is_known(ratio: Estimate) -> bool:
    """Whether the interval of a ratio is narrow enough for a headline."""
    return (
        ratio.low is not None and ratio.high is not None and ratio.high <= WIDEST_FACTOR * ratio.low
    )


def _capitalize(text: str) -> str:
    return text[0].upper() + text[1:]


def _format_share(share: ShareSummary) -> str:
    return format_percent(share.variance_ratio.value, 0)
