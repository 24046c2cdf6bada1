"""The peers there are. A further one is one more entry in `PEERS`."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field

REFERENCE = "reference"
"""The peer every other is compared with; it is always measured."""
LIMIT = "limit"
"""The row that says how fast the arithmetic alone can be; it is always measured."""
NOTEBOOK = "notebook"


@dataclass(frozen=True)
class PeerSpec:
    """A peer: which module trains, how many trials at once, and what has to be installed."""

    name: str
    """As the command line and the files call it."""
    title: str
    """As tables call it."""
    module: str
    """Where its ``make_trainer`` is."""
    flavor: str = ""
    """Which of the module's ways is meant."""
    num_trials: int = 1
    """Trials trained at once."""
    packages: tuple[str, ...] = ()
    """What has to be importable beside bnbench's own dependencies."""
    normalizations: tuple[str, ...] = ("none", "batch")
    """Which variants it can train."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables its process is started with."""


def _describe_jax(name: str, title: str, flavor: str, num_trials: int) -> PeerSpec:
    return PeerSpec(name, title, "bench.peers.jax_scan", flavor, num_trials, ("jax",))


def _describe_keras(backend: str, title: str) -> PeerSpec:
    return PeerSpec(
        f"keras-{backend}",
        f"Keras on {title}",
        "bench.peers.keras_fit",
        backend,
        packages=("keras", backend),
        environment={"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


PEERS: dict[str, PeerSpec] = {
    peer.name: peer
    for peer in (
        PeerSpec(NOTEBOOK, "notebook loop", "bench.peers.notebook_loop"),
        PeerSpec(
            "sklearn",
            "scikit-learn MLP",
            "bench.peers.sklearn_mlp",
            packages=("sklearn",),
            normalizations=("none",),
        ),
        PeerSpec("lightning", "Lightning", "bench.peers.lightning_fit", packages=("lightning",)),
        _describe_keras("tensorflow", "TensorFlow"),
        _describe_keras("jax", "JAX"),
        PeerSpec(REFERENCE, "bnbench reference", "bench.peers.engine_trials", "reference"),
        PeerSpec(
            "torch-vmap-8",
            "torch.compile + vmap",
            "bench.peers.torch_vmap",
            num_trials=8,
            # Compiled code of an earlier run would make the compile time a matter of chance.
            environment={"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"},
        ),
        _describe_jax("jax-1", "JAX scan", "vmap", 1),
        _describe_jax("jax-8", "JAX vmap + scan", "vmap", 8),
        _describe_jax("jax-32", "JAX vmap + scan", "vmap", 32),
        _describe_jax("jax-cores-8", "JAX scan, one a core", "cores", 8),
        _describe_jax("jax-cores-32", "JAX scan, one a core", "cores", 32),
        PeerSpec("native-1", "bnbench native", "bench.peers.engine_trials", "native", 1),
        PeerSpec("native-8", "bnbench native", "bench.peers.engine_trials", "native", 8),
        PeerSpec("native-32", "bnbench native", "bench.peers.engine_trials", "native", 32),
        PeerSpec(LIMIT, "limit (torch's sgemm)", "bench.peers.matrix_product"),
    )
}

_REQUIREMENTS = {
    "jax": "jax",
    "keras": "keras",
    "lightning": "lightning",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow-cpu",
}
"""What pip calls a package, by the name it is imported by."""


def find_missing_packages(peer: PeerSpec) -> list[str]:
    """The packages `peer` needs and this environment lacks, as pip calls them."""
    return [
        _REQUIREMENTS.get(package, package)
        for package in peer.packages
        if importlib.util.find_spec(package) is None
    ]
