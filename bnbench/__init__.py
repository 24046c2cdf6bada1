"""bnbench: what batch normalization does to the training of a small network.

The package is used through its command line (``bnbench --help``) or as a library::

    from bnbench.data import load_fashion_mnist
    from bnbench.training.study import run_study

``docs/architecture.md`` shows which module has which duty.
"""

__version__ = "0.1.0"
