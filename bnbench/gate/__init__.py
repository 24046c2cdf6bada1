"""The gate: did a code change make something slower or less accurate?

A product of its own: it needs nothing of bnbench but ``stats``, ``errors``, ``machine`` and
``files``. ``check``, ``certify`` and ``history`` are its commands.

``revisions`` lays out base and head; ``process`` and ``worker`` run their benchmarks; ``rounds``
times them side by side; ``sequential`` decides; ``verdict`` sums up with ``accuracy``.
``recording``, ``replay`` and ``error_rates`` measure how often the gate itself is wrong.
"""
