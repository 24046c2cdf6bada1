"""What a run says: its summary, the sentences and figures drawn from it, and their files."""
