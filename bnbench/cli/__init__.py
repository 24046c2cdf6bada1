"""The command line: argv in, text and exit code out. Nothing else in bnbench prints or exits."""

from bnbench.cli.main import main

__all__ = ["main"]
