"""The report's background: method, environment, and how to run it again."""

from __future__ import annotations

from bnbench.records import DataRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.description import describe_network
from bnbench.reporting.sections.nodes import list_nodes, say_nodes
from bnbench.reporting.sections.training import say_training
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.wording import format_count

REFERENCES = (
    "Ioffe and Szegedy (2015), Batch Normalization: Accelerating Deep Network Training by "
    "Reducing Internal Covariate Shift, arXiv 1502.03167",
    "Bouthillier et al. (2021), Accounting for Variance in Machine Learning Benchmarks, "
    "arXiv 2103.03098",
    "Efron (1987), Better Bootstrap Confidence Intervals, JASA 82(397)",
    "Dunn (1961), Multiple Comparisons Among Means, JASA 56(293)",
    "Kaplan and Meier (1958), Nonparametric Estimation from Incomplete Observations, JASA 53(282)",
)


FASHION_MNIST_REFERENCE = (
    "Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a Novel Image Dataset for Benchmarking "
    "Machine Learning Algorithms, arXiv 1708.07747"
)


def _list_references(data: DataRecord) -> list[str]:
    first, *others = REFERENCES
    return [first, *([FASHION_MNIST_REFERENCE] if data.name == "FashionMNIST" else []), *others]


def compose_method(summary: RunSummary) -> Section:
    """How networks were trained, compared and timed, with references."""
    study, recipe, data = summary.study, summary.study.recipe, summary.data
    has_own = any(variant.own_code is not None for variant in study.variants)
    sizes = "; ".join(
        f"{variant.name}: {describe_network(variant, data.shape)}" for variant in study.variants
    )
    networks = "in the table below" if has_own else sizes
    training = (
        f"Networks ({networks}) are trained with cross-entropy loss, batch size "
        f"{recipe.batch_size}, {format_count(recipe.epochs, 'epoch')}. "
        f"The {data.num_train_images:,} training {data.noun}s {_say_scale(data)} and are shuffled "
        f"every epoch. The {data.num_test_images:,} test {data.noun}s are evaluated after every "
        "epoch. For one seed, all variants start from the same random state, so "
        "trials are paired by seed."
    )
    intervals = (
        "Brackets hold 95 % confidence intervals. Means, differences and probabilities use the "
        "BCa bootstrap over seeds (Efron 1987); with few seeds, means use Student's t. Ratios of "
        "times, and differences that cover the choice of learning rates, use the percentile "
        "bootstrap. Times to a target use the Kaplan-Meier estimator; trials that never reach the "
        "target are censored."
    )
    verdict = (
        "The verdict follows Bouthillier et al. (2021) and rests on the probability that a new "
        "trial of the candidate wins. Better: the interval lies above 0.5 and reaches above 0.75. "
        "Not meaningfully better: the interval lies below 0.75. Worse: the candidate loses by the "
        "same rule. Otherwise there is no conclusion."
    )
    timing = (
        "Time per epoch is training alone, without evaluation, on a monotonic clock. The device is "
        "synchronized before each reading, and a warm-up is thrown away. Variants alternate "
        "(AB, BA, …), so drift of the machine affects all alike. Times are compared within such "
        "pairs."
    )
    return Section(
        "Method",
        (
            training,
            *say_training(summary.training, study),
            intervals,
            *_say_correction(summary),
            verdict,
            timing,
            *say_nodes(summary.nodes),
            "References: " + "; ".join(_list_references(data)) + ".",
        ),
        table=_tabulate_networks(summary) if has_own else None,
    )


def _say_scale(data: DataRecord) -> str:
    """Say which numbers a network is given, after "the images"."""
    sizes = " × ".join(map(str, data.input_shape))
    if data.input_dtype == "uint8":
        return "have pixels in [0, 1]" if data.noun == "image" else f"are {sizes} bytes over 255"
    return f"are {sizes} numbers as they are"


def _tabulate_networks(summary: RunSummary) -> Table:
    """Every variant's network and its number of parameters, with the code of own networks."""
    rows = []
    for variant in summary.study.variants:
        number = summary.num_parameters.get(variant.name)
        rows.append(
            {
                "variant": variant.name,
                "network": describe_network(variant, summary.data.shape),
                "parameters": "not known" if number is None else f"{number:,}",
                "SHA-256 of its code": (variant.source_sha256 or "–")[:12],
            }
        )
    return Table.from_rows(rows)


def _say_correction(summary: RunSummary) -> tuple[str, ...]:
    """How intervals are widened where the study makes several comparisons."""
    number = len(summary.study.devices) * (len(summary.study.variants) - 1)
    if summary.ranking:
        number = summary.ranking[0].num_contrasts
    contrasts = summary.accuracy.contrasts
    if number <= 1 or not contrasts:
        return ()
    level = 100 * contrasts[0].decision.probability.confidence
    best_two = ", and the best two with each other" if summary.ranking else ""
    return (
        f"The study makes {number} comparisons: each variant with the first one on each device"
        f"{best_two}. Their differences, probabilities and ratios of time have intervals of "
        f"{level:.4g} % each. So all {number} differences hold together in at least 95 % of "
        "studies, and likewise all probabilities, and all ratios of one engine (Dunn 1961). "
        "Means, losses and times to a target are not compared by a verdict and have "
        "95 % intervals of their own. Variants are ranked by mean accuracy after the last epoch, "
        f"where a failed trial counts as chance ({100 * summary.data.chance:.3g} %).",
    )


def compose_environment(summary: RunSummary) -> Section:
    """The machine and software of the run."""
    environment = summary.environment
    memory = environment.memory_bytes
    rows = [
        ("CPU", environment.cpu),
        ("cores", str(environment.cores)),
        *(
            (f"threads of the {engine} engine", str(threads))
            for engine, threads in (
                ("reference", environment.threads),
                ("native", environment.native_threads),
            )
            if threads is not None
        ),
        ("instruction set", environment.instruction_set or "not known"),
        ("memory", "not known" if memory is None else f"{memory / 2**30:.0f} GiB"),
        *((f"device {name}", model) for name, model in environment.devices.items()),
        ("system", environment.system),
        *environment.versions.items(),
        ("commit", environment.commit or "not known"),
        ("started", environment.started_at),
        *list_nodes(summary.nodes),
    ]
    return Section("Environment", table=Table(("what", "found"), tuple(rows)))


def compose_reproduction(summary: RunSummary) -> Section:
    """The command that repeats the run."""
    threads = summary.environment.threads
    # run.json holds the threads that were asked for; older versions left the choice to torch.
    option = "" if summary.study.threads or threads == 1 else f" --threads {threads}"
    return Section(
        "Reproduce it",
        ("run.json holds the study. With the same versions installed, run this in its folder:",),
        code=f"bnbench run --study run.json{option} --out ../again",
    )
