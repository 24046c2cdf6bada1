"""Joins a Ray cluster, or starts a Ray on this machine, and lists its nodes."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

from bnbench.errors import RunError, SpecError
from bnbench.machine import count_cores

CONNECT_SECONDS = 5.0
LOCAL_STORE_BYTES = 512 * 2**20
"""Object store of a Ray started here; holds two data sets of 55 MB and models in transit."""


def require_ray() -> None:
    """Check that Ray is installed.

    Raises:
        SpecError: it is not; the text says which command installs it.
    """
    if importlib.util.find_spec("ray") is None:
        raise SpecError(
            "executor: expected Ray for 'ray', got that it is not installed; install it with: "
            "pip install 'bnbench[ray]'"
        )


@contextlib.contextmanager
def join_cluster(address: str | None) -> Iterator[None]:
    """Join the cluster at an address, and leave it in the end.

    Args:
        address: ``HOST:PORT``, ``auto`` for the one this machine belongs to; None starts a Ray
            on this machine, which ends with the block.

    Raises:
        SpecError: the address has another form.
        RunError: nothing answers there, or the cluster cannot be joined.
    """
    # Ray reads these when it is imported: no usage statistics; leave GPUs visible to CPU tasks.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address not in (None, "auto"):
        _require_answer(str(address))
    import ray

    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": count_cores(),
            "include_dashboard": False,
            "object_store_memory": LOCAL_STORE_BYTES,
        }
    try:
        ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise RunError(
            f"address: expected a Ray cluster that can be joined at {address or 'this machine'}, "
            f"got: {str(error).strip().splitlines()[0]}; 'ray start --head' starts one"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def list_nodes() -> dict[str, dict[str, float]]:
    """List the resources of each node that is up, such as ``CPU`` and ``GPU``, by its id."""
    import ray

    return {node["NodeID"]: dict(node["Resources"]) for node in ray.nodes() if node["Alive"]}


def _require_answer(address: str) -> None:
    """Check that something listens at an address; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise SpecError(f"address: expected auto or HOST:PORT, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RunError(
            f"address: expected a Ray cluster at {address}, got none: {error}; "
            "'ray status' on its head node tells whether it is up"
        ) from None
