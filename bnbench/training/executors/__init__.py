"""Where trials are run: in this process, or on the machines of a Ray cluster."""
