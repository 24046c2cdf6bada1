"""From the summary of a run to the content of its report."""

from __future__ import annotations

from bnbench.reporting.answer import (
    compose_answer,
    name_variant,
    say_decision,
    say_probability,
)
from bnbench.reporting.background import (
    compose_environment,
    compose_method,
    compose_reproduction,
)
from bnbench.reporting.content import ReportContent, Section, Table
from bnbench.reporting.sections.models import compose_models
from bnbench.reporting.summary import (
    ContrastSummary,
    RunSummary,
    SensitivitySummary,
    TimeContrast,
    VariantSummary,
)
from bnbench.reporting.wording import (
    format_accuracy,
    format_count,
    format_number,
    format_percent,
    format_points,
    format_seconds,
    join_words,
)


def compose_report(summary: RunSummary) -> ReportContent:
    """Put the whole report together."""
    sections = [
        _compose_accuracy(summary),
        _compose_learning_rate(summary),
        _compose_convergence(summary),
        _compose_time(summary),
        compose_models(summary.models),
        _compose_failures(summary),
        compose_method(summary),
        compose_environment(summary),
        compose_reproduction(summary),
    ]
    names = join_words([variant.name for variant in summary.study.variants])
    return ReportContent(
        title=f"{names} on {summary.data.name}: the {summary.study.name} study",
        answer=compose_answer(summary),
        sections=tuple(section for section in sections if section is not None),
    )


def _compose_accuracy(summary: RunSummary) -> Section:
    paragraphs = [_analyse_contrast(contrast) for contrast in summary.contrasts]
    rows = tuple(
        (
            variant.variant,
            variant.device,
            variant.engine,
            f"{variant.learning_rate:.3g}",
            f"{variant.num_trials - variant.num_failed}/{variant.num_trials}",
            format_accuracy(variant.curve[0].mean),
            format_accuracy(variant.curve[-1].mean),
            _format_range(variant),
        )
        for variant in summary.variants
    )
    columns = (
        "variant",
        "device",
        "engine",
        "learning rate",
        "finished",
        "after the first",
        f"after epoch {summary.study.recipe.epochs}",
        "lowest – highest",
    )
    return Section(
        "Test accuracy by epoch",
        tuple(paragraphs),
        figure="accuracy",
        table=Table(columns, rows, details=("after the first", "lowest – highest"))
        if rows
        else None,
        in_terminal=True,
    )


def _analyse_contrast(contrast: ContrastSummary) -> str:
    first, last = contrast.differences[0], contrast.differences[-1]
    text = (
        f"On {contrast.device}, {say_decision(contrast)}; {say_probability(contrast)} "
        f"({contrast.improvement.num_wins} wins, {contrast.improvement.num_ties} ties and "
        f"{contrast.improvement.num_losses} losses seed by seed). "
    )
    if first.value is not None and last.value is not None:
        text += f"The difference is {format_points(first)} after the first epoch"
        if len(contrast.differences) > 1:
            text += f" and {format_points(last)} after the last"
        text += ". "
    return text + _say_pairing(contrast)


def _say_pairing(contrast: ContrastSummary) -> str:
    pairing = contrast.pairing
    if pairing.correlation.value is None or pairing.variance_ratio is None:
        return "Whether pairing by seed helped can't be told from so few pairs."
    effect = {
        True: "pairing by seed sharpened the comparison",
        False: "pairing by seed blurred the comparison",
        None: "whether pairing by seed helped is not certain",
    }[pairing.helped]
    return (
        f"The variants' accuracies correlate at {format_number(pairing.correlation)} over seeds: "
        f"{effect} (variance of the difference {pairing.variance_ratio:.2f} times that of "
        "unpaired trials)."
    )


def _compose_learning_rate(summary: RunSummary) -> Section | None:
    if not summary.sensitivities or summary.study.tuning is None:
        return None
    tuning = summary.study.tuning
    paragraphs = [
        f"Each variant was trained at {len(tuning.learning_rates)} learning rates from "
        f"{tuning.learning_rates[0]:g} to {tuning.learning_rates[-1]:g} with "
        f"{format_count(len(tuning.seeds), 'seed')}, on the training set less "
        f"{tuning.num_validation_images:,} validation images, which alone were looked at. "
        "A rate works if its accuracy is within "
        f"{summary.sensitivities[0].result.tolerance * 100:g} points of the variant's best.",
        *(_analyse_sensitivity(sensitivity) for sensitivity in summary.sensitivities),
    ]
    by_rate = {
        (s.variant, s.device, rate.learning_rate): rate
        for s in summary.sensitivities
        for rate in s.result.rates
    }
    columns = [f"{s.variant}, {s.device}" for s in summary.sensitivities]
    rows = []
    for learning_rate in tuning.learning_rates:
        row = [f"{learning_rate:.3g}"]
        for s in summary.sensitivities:
            rate = by_rate[s.variant, s.device, learning_rate]
            text = format_accuracy(rate.accuracy)
            if rate.num_diverged:
                text += f", {rate.num_diverged}/{rate.num_trials} failed to learn"
            row.append(text)
        rows.append(tuple(row))
    return Section(
        "Validation accuracy by learning rate",
        tuple(paragraphs),
        figure="learning_rate",
        table=Table(("learning rate", *columns), tuple(rows)),
    )


def _analyse_sensitivity(sensitivity: SensitivitySummary) -> str:
    result, name = sensitivity.result, name_variant(sensitivity.variant)
    where = f"On {sensitivity.device}, {name}"
    if result.best_rate is None or result.band is None:
        return f"{where} learnt at no rate of the grid."
    band = result.band
    text = (
        f"{where} does best at {result.best_rate:.3g}; the rates from {band.low_rate:.3g} to "
        f"{band.high_rate:.3g} work, a band of {band.decades:.1f} decades"
    )
    ends = [
        end
        for end, reached in (
            ("lower", band.reaches_lowest),
            ("upper", band.reaches_highest),
        )
        if reached
    ]
    if ends:
        text += f" that may go on beyond the {join_words(ends)} end of the grid"
    if result.half_diverge_rate is not None:
        text += (
            f"; from {result.half_diverge_rate:.3g} on at least half of its trials fail to learn"
        )
    return text + "."


def _compose_convergence(summary: RunSummary) -> Section | None:
    variants = [variant for variant in summary.variants if variant.convergence is not None]
    if not variants:
        return None
    paragraphs = []
    for device, target in summary.targets.items():
        if target is None:
            continue
        how = (
            "the study's target"
            if summary.study.target_accuracy is not None
            else f"the level that half of the trials of "
            f"{name_variant(summary.study.variants[0].name)} reach"
        )
        paragraphs.append(f"On {device} the target is {format_percent(target)}, {how}.")
    paragraphs.extend(
        _analyse_speed_up(contrast) for contrast in summary.contrasts if contrast.speed_up
    )
    rows = []
    for variant in variants:
        found = variant.convergence
        if found is None:
            continue
        rows.append(
            (
                variant.variant,
                variant.device,
                f"{found.num_arrived}/{found.num_trials}",
                format_number(found.epochs, 0) if found.epochs.value else "not by half",
                format_number(found.steps, 0) if found.steps.value else "not by half",
                format_number(found.train_seconds) if found.train_seconds.value else "not by half",
            )
        )
    return Section(
        "Time to the target accuracy",
        tuple(paragraphs),
        figure="time_to_target",
        table=Table(
            ("variant", "device", "arrived", "epochs", "steps", "seconds of training"),
            tuple(rows),
            details=("epochs",),
        ),
        in_terminal=True,
    )


def _analyse_speed_up(contrast: ContrastSummary) -> str:
    speed_up = contrast.speed_up
    name = name_variant(contrast.candidate)
    if speed_up is None or speed_up.fewer_steps.value is None:
        return (
            f"On {contrast.device}, how much sooner {name} gets there can't be said, since less "
            "than half of one variant's trials arrive."
        )
    return (
        f"On {contrast.device}, {name} needs {format_number(speed_up.fewer_steps)} times fewer "
        f"steps than {name_variant(contrast.baseline)}, each of which takes "
        f"{format_number(speed_up.costlier_steps)} times as long: in seconds it is there "
        f"{format_number(speed_up.speed_up)} times as fast. Arrival is seen at the end of an "
        f"epoch only; seconds are those of the {contrast.engine} engine."
    )


def _compose_time(summary: RunSummary) -> Section | None:
    if not summary.times:
        return None
    rows = [
        (
            name,
            time.device,
            time.engine,
            format_seconds(of_variant.median_seconds),
            f"{format_seconds(of_variant.lower_quartile_seconds)} – "
            f"{format_seconds(of_variant.upper_quartile_seconds)}",
            str(of_variant.num_epochs),
            str(len(of_variant.outliers)),
        )
        for time in summary.times
        for name, of_variant in (
            (time.baseline, time.result.baseline),
            (time.candidate, time.result.candidate),
        )
    ]
    return Section(
        "Time per epoch",
        tuple(_analyse_time(time) for time in summary.times),
        figure="epoch_time",
        table=Table(
            ("variant", "device", "engine", "median", "quartiles", "epochs", "outliers"),
            tuple(dict.fromkeys(rows)),
            details=("quartiles", "epochs", "outliers"),
        ),
        in_terminal=True,
    )


def _analyse_time(time: TimeContrast) -> str:
    slow = len(time.result.baseline.outliers) + len(time.result.candidate.outliers)
    text = (
        f"{time.engine} engine on {time.device}: an epoch of {name_variant(time.candidate)} takes "
        f"{format_number(time.result.ratio)} times as long as one of "
        f"{name_variant(time.baseline)} (medians over "
        f"{format_count(time.result.ratio.count, 'pair')} of trials, run one at a time in "
        f"alternation; ratio within pairs {format_number(time.result.paired_ratio)})."
    )
    if slow:
        text += (
            f" {format_count(slow, 'epoch')} took much longer than is usual; they are listed in "
            "summary.json and counted in every figure."
        )
    return text


def _compose_failures(summary: RunSummary) -> Section | None:
    failures = [failure for failure in summary.failures if failure.purpose != "tune"]
    if not failures:
        return None
    return Section(
        "Trials that failed",
        (
            f"{format_count(len(failures), 'trial')} failed. A failed trial counts as lost against "
            "every other in the probabilities above, and is missing from the mean accuracies.",
        ),
        table=Table(
            ("variant", "device", "seed", "learning rate", "epochs", "reason"),
            tuple(
                (
                    failure.variant,
                    failure.device,
                    str(failure.seed),
                    f"{failure.learning_rate:.3g}",
                    str(failure.num_epochs),
                    failure.reason,
                )
                for failure in failures
            ),
        ),
    )


def _format_range(variant: VariantSummary) -> str:
    last = variant.curve[-1]
    if last.lowest is None or last.highest is None:
        return "not known"
    return f"{last.lowest * 100:.2f} – {last.highest * 100:.2f} %"
