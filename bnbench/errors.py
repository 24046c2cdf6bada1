"""What bnbench says when it cannot go on: what was expected, what it got, what to do."""

from __future__ import annotations


class BnbenchError(Exception):
    """An error whose text is meant for the person at the terminal; it ends the program.

    The text is one or two lines and says ``KEY: expected WHAT, got WHAT; DO THIS``.
    """

    exit_code = 2


class SpecError(BnbenchError):
    """A study, recipe, variant or option that cannot be carried out."""


class DataError(BnbenchError):
    """FashionMNIST is missing, incomplete or not what its SHA-256 says."""


class RunError(BnbenchError):
    """A run folder that cannot be made, read or continued."""


class RuntimeUnavailableError(BnbenchError):
    """A runtime (for instance the ``bnbench-eval`` binary) that is not installed or not usable."""


class DisagreementError(BnbenchError):
    """An exported model does not give in another runtime what its manifest says."""

    exit_code = 5


class GateError(BnbenchError):
    """A gate that cannot measure: a revision, a build, a suite or a file that is not usable."""


class TrialFailure(Exception):  # noqa: N818 - it is an outcome that is recorded, not a program error
    """A trial that cannot be finished; its reason goes on record and the study goes on."""
