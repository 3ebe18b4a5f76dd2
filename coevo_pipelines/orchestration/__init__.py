"""Dagster wiring: partitions, resources, the loop over days, checks, job, schedule, in-process runs.

No parsing, no SQL, no HTTP: those are in the stages. Only this folder, the `assets.py` files and
`definitions.py` import Dagster.
"""
