"""The operators that networks are made of: their values in binary64 and their rounding errors."""
