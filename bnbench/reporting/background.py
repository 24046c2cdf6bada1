"""The report's background: method, environment, and how to run it again."""

from __future__ import annotations

from bnbench.reporting.content import Section, Table
from bnbench.reporting.sections.nodes import TimedNode
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.wording import format_count

REFERENCES = (
    "Ioffe and Szegedy (2015), Batch Normalization: Accelerating Deep Network Training by "
    "Reducing Internal Covariate Shift, arXiv 1502.03167",
    "Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a Novel Image Dataset for Benchmarking "
    "Machine Learning Algorithms, arXiv 1708.07747",
    "Bouthillier et al. (2021), Accounting for Variance in Machine Learning Benchmarks, "
    "arXiv 2103.03098",
    "Efron (1987), Better Bootstrap Confidence Intervals, JASA 82(397)",
    "Kaplan and Meier (1958), Nonparametric Estimation from Incomplete Observations, JASA 53(282)",
)


def compose_method(summary: RunSummary) -> Section:
    """How it was trained, compared and timed, with references."""
    study, recipe = summary.study, summary.study.recipe
    sizes = "; ".join(
        f"{variant.name}: 784 → {' → '.join(map(str, variant.hidden_sizes))} → 10, "
        f"{variant.activation}, "
        + {
            "none": "no normalization",
            "batch": "BatchNorm1d before each activation",
            "layer": "LayerNorm before each activation",
        }[variant.normalization]
        for variant in study.variants
    )
    training = (
        f"Networks ({sizes}) are trained with cross-entropy and SGD (batch size "
        f"{recipe.batch_size}, momentum {recipe.momentum:g}, weight decay "
        f"{recipe.weight_decay:g}) for {format_count(recipe.epochs, 'epoch')} on "
        f"{summary.data.num_train_images:,} images with pixels in [0, 1], shuffled every epoch, "
        f"and evaluated on {summary.data.num_test_images:,} test images after every epoch. "
        "Within a seed all variants start from the same random state, so trials are paired by seed."
    )
    statistics = (
        "Brackets hold 95 % confidence intervals: BCa bootstrap over seeds for means, differences "
        "and probabilities (Efron 1987), Kaplan and Meier's for times to a target, with trials "
        "that never arrive kept as censored. The verdict follows Bouthillier et al. (2021): "
        "better, if the probability that a new trial wins is above 0.5 for certain and may be "
        "above 0.75; not meaningfully better, if it is below 0.75 for certain; otherwise no "
        "conclusion."
    )
    timing = (
        "Time per epoch is that of training alone, on a monotonic clock, the device synchronized "
        "before each reading, after a warm-up that is thrown away; variants alternate (AB, BA, …) "
        "so that drift of the machine meets both alike."
    )
    timing += "".join(_say_what_is_left_out(each) for each in summary.timed_nodes)
    return Section(
        "Method",
        (training, statistics, timing, "References: " + "; ".join(REFERENCES) + "."),
    )


def compose_environment(summary: RunSummary) -> Section:
    """What it was run on."""
    environment = summary.environment
    memory = environment.memory_bytes
    rows = [
        ("CPU", environment.cpu),
        ("cores, threads", f"{environment.cores}, {environment.threads}"),
        ("instruction set", environment.instruction_set or "not known"),
        ("memory", "not known" if memory is None else f"{memory / 2**30:.0f} GiB"),
        *((f"device {name}", maker) for name, maker in environment.devices.items()),
        ("system", environment.system),
        *environment.versions.items(),
        ("commit", environment.commit or "not known"),
        ("begun", environment.started_at),
        *(
            (
                f"node {node.name}",
                f"{format_count(node.num_trials, 'trial')}: {node.environment.cpu}, "
                f"{format_count(node.environment.cores, 'core')}, "
                f"{node.environment.instruction_set}, "
                + ", ".join(f"{name} {maker}" for name, maker in node.environment.devices.items()),
            )
            for node in summary.nodes
        ),
    ]
    return Section("Environment", table=Table(("what", "found"), tuple(rows)))


def _say_what_is_left_out(timed: TimedNode) -> str:
    purpose = {"time": "timed alone", "score": "scored", "tune": "of the tuning"}[timed.purpose]
    return (
        f" Of the trials {purpose} ({timed.engine} engine, {timed.device}), times are those of "
        f"node {timed.node} alone: {format_count(timed.num_left_out, 'trial')} ran on other nodes, "
        "and times of different nodes are never compared."
    )


def compose_reproduction(summary: RunSummary) -> Section:
    """The one command that runs it again."""
    threads = summary.environment.threads
    return Section(
        "Reproduce it",
        ("The study stands in run.json. In this folder, with the same versions:",),
        code=f"bnbench run --study run.json --threads {threads} --out ../again",
    )
