"""What evaluates an exported model, one file a runtime."""
