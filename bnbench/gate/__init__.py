"""The gate: did a code change make something slower or worse?

``revisions`` lays out base and head, ``process`` and ``worker`` run their benchmarks, ``rounds``
times them in alternation, ``sequential`` decides, ``verdict`` sums up with ``accuracy``.
``recording``, ``replay`` and ``error_rates`` measure how often the gate itself is wrong;
``history`` looks at many commits at once.
"""
