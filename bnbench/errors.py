"""The errors of bnbench; each text says what was expected, what came, and what to do."""

from __future__ import annotations


class BnbenchError(Exception):
    """An error that ends the program and whose text is for the person at the terminal.

    The text is one or two lines of the form ``KEY: expected WHAT, got WHAT; DO THIS``.
    """

    exit_code = 2


class SpecError(BnbenchError):
    """A study, recipe, variant or option with a value that is not allowed."""


class DataError(BnbenchError):
    """Data are missing, incomplete, not what their SHA-256 says, or can't be trained on."""


class RunError(BnbenchError):
    """A run folder that cannot be created, read or resumed."""


class RuntimeUnavailableError(BnbenchError):
    """A runtime (for instance ``bnbench-eval``) that is not installed or does not work."""


class DisagreementError(BnbenchError):
    """An exported model gives other results in a runtime than its manifest says."""

    exit_code = 5


class GateError(BnbenchError):
    """A revision, build, suite or file that the gate cannot use."""


class TrialFailure(Exception):  # noqa: N818 - a recorded outcome, not a program error
    """A trial that cannot be finished; its reason is recorded and the study continues."""


def require(spec: object, name: str, holds: bool, required: str) -> None:
    """Refuse a spec whose field `name` is not as `required`.

    Raises:
        SpecError: `holds` is false.
    """
    if not holds:
        raise SpecError(f"{name}: expected {required}, got {getattr(spec, name)!r}")


def require_positive(spec: object, *names: str) -> None:
    """Refuse a spec one of whose fields is below 1; raises as `require` does."""
    for name in names:
        require(spec, name, getattr(spec, name) >= 1, "a whole number of at least 1")
