"""``python -m bnbench`` is the same program as ``bnbench``."""

from bnbench.cli import main

if __name__ == "__main__":
    main()
