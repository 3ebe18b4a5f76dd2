"""Texts that are there twice, or nearly, and texts that hold questions of evaluation sets."""
