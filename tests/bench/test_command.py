import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.peers.catalog import LIMIT, PEERS, REFERENCE
from bench.peers.command import PeerNames, peers
from bench.peers.process import PROJECT_ROOT


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--peers", "jax-1,nobody"], "got 'nobody'"),
        (["--rounds", "0"], "--rounds"),
        (["--out", "peers.json"], "--out: expected a Markdown file, got peers.json"),
        (["--data-dir", __file__], "expected a folder for the data, got a file"),
    ],
    ids=["peers", "rounds", "out", "data-dir"],
)
def test_wrong_usage_ends_with_two_and_says_what_is_wrong(
    arguments: list[str], complaint: str
) -> None:
    result = CliRunner().invoke(peers, arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_the_reference_and_the_limit_are_always_measured() -> None:
    chosen = PeerNames().convert("native-1", None, None)
    assert [peer.name for peer in chosen] == [REFERENCE, "native-1", LIMIT]


def test_help_imports_no_numeric_library_and_every_peer_has_a_module() -> None:
    program = (
        "import sys; from bench.peers.command import peers; "
        "assert not {'torch', 'pandas', 'numpy', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, check=True)
    for peer in PEERS.values():
        assert (PROJECT_ROOT / (peer.module.replace(".", "/") + ".py")).is_file()
