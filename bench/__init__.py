"""Benchmarks: ``pytest --benchmark-only`` for this project's own, ``make peers`` for others'."""
