import importlib.util
import socket

import pytest

from bnbench.errors import RunError, SpecError
from bnbench.training.executors.ray_cluster import join_cluster, require_ray


def test_without_ray_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"pip install 'bnbench\[ray\]'"):
        require_ray()


@pytest.mark.parametrize("address", ["nowhere", "ray://a:1", "host:", "host:port"])
def test_what_is_no_address_is_told_before_anything_is_tried(address: str) -> None:
    with pytest.raises(SpecError, match="expected auto or HOST:PORT"), join_cluster(address):
        pass


def test_where_nothing_answers_it_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(RunError, match=f"expected a Ray cluster at {address}, got none"),
            join_cluster(address),
        ):
            pass
