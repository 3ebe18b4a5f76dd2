"""Tests of README.md and docs/: what the pages say is so."""
