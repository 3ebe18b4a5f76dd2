"""Continued training on a release, and the archive of what came of it."""
