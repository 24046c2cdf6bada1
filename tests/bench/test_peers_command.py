import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench.peers.catalog import LIMIT, PEERS, REFERENCE
from bench.peers.command import peers
from bench.peers.process import PROJECT_ROOT


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--peers", "jax-1,nobody"], "got 'nobody'"),
        (["--variants", "layernorm"], "expected some of baseline, batchnorm"),
        (["--variants", ","], "expected some of baseline, batchnorm"),
        (["--rounds", "0"], "--rounds"),
        (["--rounds", "many"], "--rounds"),
        (["--epochs-per-round", "-1"], "--epochs-per-round"),
        (["--out", "peers.json"], "expected a Markdown file"),
        (["surplus"], "surplus"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_ends_with_two(
    arguments: list[str], complaint: str
) -> None:
    result = CliRunner().invoke(peers, arguments)
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output


def test_the_reference_and_the_limit_are_always_measured() -> None:
    from bench.peers.command import _choose_peers

    assert [peer.name for peer in _choose_peers("native-1")] == [REFERENCE, "native-1", LIMIT]
    assert [peer.name for peer in _choose_peers(None)] == list(PEERS)


def test_usage_errors_and_help_need_no_torch() -> None:
    program = (
        "import sys; from bench.peers.command import peers; "
        "assert not {'torch', 'jax', 'keras', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, check=True)


def test_the_program_itself_ends_with_two_and_no_traceback() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bench.peers", "--peers", "nobody"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "--peers" in result.stderr
    assert "Traceback" not in result.stderr
