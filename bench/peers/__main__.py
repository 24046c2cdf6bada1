"""Run ``python -m bench.peers``."""

from bench.peers.command import peers

peers(prog_name="python -m bench.peers")
