"""The peers. A new one is an entry in `PEERS` and a module with ``make_trainer``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from bnbench.machine import count_cores

REFERENCE = "reference"
"""The peer that all others are compared with. It is always measured."""
LIMIT = "limit"
"""The row that shows how fast the matrix products alone are. It is always measured."""


@dataclass(frozen=True)
class PeerSpec:
    """How one peer trains."""

    name: str
    """Its name on the command line and in files."""
    title: str
    """Its name in the table."""
    module: str
    """The module that has its ``make_trainer``."""
    num_trials: int = 1
    """Trials trained at once."""
    way: str = ""
    """Which of the module's ways to train is meant."""
    variants: tuple[str, ...] = ("baseline", "batchnorm")
    """Networks that it can train."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that its process starts with."""


def _make_keras(backend: str, title: str) -> PeerSpec:
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return PeerSpec(
        f"keras-{backend}", f"Keras on {title}", "bench.peers.keras_fit", environment=environment
    )


def _make_jax_on_cores(num_trials: int) -> PeerSpec:
    num_devices = max(n for n in range(1, count_cores() + 1) if num_trials % n == 0)
    flags = f"--xla_force_host_platform_device_count={num_devices}"
    environment = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()}
    name, title = f"jax-cores-{num_trials}", "JAX scan, one a core"
    return PeerSpec(
        name, title, "bench.peers.jax_scan", num_trials, "in turn", environment=environment
    )


PEERS = {
    peer.name: peer
    for peer in (
        PeerSpec("notebook", "notebook loop", "bench.peers.notebook_loop"),
        PeerSpec("sklearn", "scikit-learn MLP", "bench.peers.sklearn_mlp", variants=("baseline",)),
        PeerSpec("lightning", "Lightning", "bench.peers.lightning_fit"),
        _make_keras("tensorflow", "TensorFlow"),
        _make_keras("jax", "JAX"),
        PeerSpec(REFERENCE, "bnbench reference", "bench.peers.own_engine", way="reference"),
        PeerSpec(
            "torch-vmap-8",
            "torch.compile + vmap",
            "bench.peers.torch_vmap",
            num_trials=8,
            # Code compiled by an earlier run would make the compile time a matter of chance.
            environment={"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"},
        ),
        PeerSpec("jax-1", "JAX scan", "bench.peers.jax_scan", 1, "in turn"),
        PeerSpec("jax-8", "JAX vmap + scan", "bench.peers.jax_scan", 8, "vmap"),
        PeerSpec("jax-32", "JAX vmap + scan", "bench.peers.jax_scan", 32, "vmap"),
        _make_jax_on_cores(8),
        _make_jax_on_cores(32),
        *(
            PeerSpec(
                f"native-{number}", "bnbench native", "bench.peers.own_engine", number, "native"
            )
            for number in (1, 8, 32)
        ),
        PeerSpec(LIMIT, "limit (torch's sgemm)", "bench.peers.matrix_product"),
    )
}
