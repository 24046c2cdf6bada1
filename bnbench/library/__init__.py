"""What ``import bnbench`` offers, and what the command line is made of: studies, runs and jobs."""
