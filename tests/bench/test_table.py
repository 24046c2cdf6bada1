import json
from pathlib import Path

import pytest

from bench.peers.measure import PeerRecord
from bench.peers.table import PeersReport, encode_json, render_markdown, summarize_peers

DOCS = Path(__file__).parents[2] / "docs"


def make_record(
    peer: str, seconds: tuple[float, ...], first: float = 3.0, accuracy: float = 0.7
) -> PeerRecord:
    accuracies = (accuracy, accuracy)
    return PeerRecord(
        peer, peer.title(), "baseline", 2, "measured", None, first, seconds, accuracies
    )


# The second round is twice as slow for all, the third one for the native engine and JAX alone.
NOTEBOOK = make_record("notebook", (3.0, 6.0, 3.0))
REFERENCE = make_record("reference", (0.6, 1.2, 0.6))
JAX = make_record("jax-8", (0.15, 0.3, 0.3))
NATIVE = make_record("native-32", (0.1, 0.2, 0.2), first=4.0)
LIMIT = PeerRecord("limit", "Limit", "baseline", 1, "measured", None, 0.1, (0.08, 0.16, 0.08))
MISSING = PeerRecord("sklearn", "MLP", "baseline", 1, "missing", "ModuleNotFoundError: sklearn")
BROKEN = PeerRecord("jax-1", "JAX", "baseline", 1, "failed", "Error: a | b", 0.1, (0.1,))
RECORDS = [NOTEBOOK, REFERENCE, JAX, NATIVE, LIMIT]


def test_figures_are_medians_and_ratios_are_taken_within_rounds() -> None:
    native = summarize_peers(RECORDS, num_epochs=4).loc["native-32"]
    assert native.seconds == pytest.approx(0.2)
    assert (native.lower, native.upper) == pytest.approx((0.15, 0.2))
    assert native.speed == pytest.approx(6)  # of 6, 6 and 3
    assert native.limit == pytest.approx(0.8)  # of 0.8, 0.8 and 0.4
    assert native.compile == pytest.approx(3.6)  # 4 s, less two trials of 0.2 s
    assert native.problem is None


@pytest.mark.parametrize(
    ("accuracy", "num_epochs", "is_accepted"),
    [
        (0.66, 11, True),
        (0.74, 11, True),
        (0.64, 11, False),
        (0.80, 11, False),
        (0.64, 2, True),
        (0.10, 2, False),
    ],
)
def test_a_peer_has_to_learn_as_the_reference_engine_does(
    accuracy: float, num_epochs: int, is_accepted: bool
) -> None:
    peer = make_record("jax-8", (0.1, 0.1, 0.1), accuracy=accuracy)
    problem = summarize_peers([REFERENCE, LIMIT, peer], num_epochs).problem["jax-8"]
    assert (problem is None) == is_accepted
    assert is_accepted or "reference engine's 70.0 %, got" in problem


def test_markdown_has_a_row_per_peer_and_names_what_went_wrong() -> None:
    markdown = render_markdown(PeersReport({"Machine": "slow"}, [*RECORDS, MISSING, BROKEN]))
    assert "after 4 epochs" in markdown
    assert "- Machine: slow" in markdown
    assert "| Native-32 | 2 | 0.200 | 0.150-0.200 | 6.00x | 80 % | 70.0 % | 3.6 s |" in markdown
    assert "| Limit | 1 | 0.080 | 0.080-0.120 | 7.50x | 100 % | - | - |" in markdown
    assert "| MLP (**missing: ModuleNotFoundError: sklearn**) | 1 | - | - | - |" in markdown
    assert "| JAX (**failed: Error: a \\| b**) | 1 | - | - | - |" in markdown


def test_sentences_compare_native_only_with_peers_that_learn() -> None:
    idle = make_record("jax-32", (0.01, 0.01, 0.01), accuracy=0.1)
    markdown = render_markdown(PeersReport({}, [*RECORDS, idle]))
    assert "Native-32 (2 at once) is 30.00 times as fast as Notebook" in markdown
    assert "Native-32 (2 at once) is 1.50 times as fast as Jax-8" in markdown
    assert "as fast as Jax-32" not in markdown


def test_a_missing_peer_is_no_failure_but_a_broken_one_or_no_reference_is() -> None:
    assert not PeersReport({}, [*RECORDS, MISSING]).has_failures()
    assert PeersReport({}, [*RECORDS, BROKEN]).has_failures()
    untrained = PeerRecord("reference", "Reference", "baseline", 1, "missing", "no torch")
    report = PeersReport({}, [untrained, JAX, LIMIT])
    assert report.has_failures()
    assert "accuracy: not checked" in render_markdown(report)


def test_the_published_table_is_that_of_the_published_rounds() -> None:
    text = (DOCS / "peers.json").read_text()
    content = json.loads(text)
    records = [PeerRecord(**record) for record in content["records"]]
    report = PeersReport(content["conditions"], records)
    assert (DOCS / "peers.md").read_text() == render_markdown(report)
    assert text == encode_json(report)
