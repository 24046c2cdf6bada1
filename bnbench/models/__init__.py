"""Exported models: making, reading, proving and evaluating them."""
