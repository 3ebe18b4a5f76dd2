"""Synthetic worlds of any size: for measuring, never for citing.

Here: a world drawn once as vectors of numbers (`drawing.py`, `references.py`, after `shares.py` and `kinds.py`), and
made into the tables of `traces` and `citations` a day at a time (`traces.py`, `graph.py`), which `writing.py` gives or
commits as a lake. Not here: bare citation graphs (`bench/edges.py`), and what is timed on either.
"""
