"""Peers: the same training written for other libraries, measured side by side.

``python -m bench.peers`` (or ``make peers``) trains both networks of the notebook with every
peer, on the real data, and says how many seconds an epoch of one trial takes each of them.

Adding a peer is one file with a function ``make_trainer`` (see `interface`) and one entry in
`catalog`.
"""
