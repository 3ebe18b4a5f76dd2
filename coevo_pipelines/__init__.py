"""Daily, checkable snapshots of open research.

One folder a stage, in the order that data flows: scrapes, traces, citations. `orchestration` wires them
into Dagster, `lake` keeps the bytes, `sample` is the bundled offline world. This file imports nothing, so
that starting the program stays cheap.
"""
