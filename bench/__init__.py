"""Benchmarks: ``pytest --benchmark-only`` times this project, ``make peers`` other libraries."""
