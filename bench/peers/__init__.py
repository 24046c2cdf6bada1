"""Peers: the same training written for other libraries, timed side by side.

``make peers`` trains the notebook's two networks with every peer on the real data and reports the
seconds that one trial takes per epoch. A new peer is one file with a function ``make_trainer`` (see
`interface`) and one entry in `catalog`.
"""
