"""References -> the citation and lineage graph: resolved, typed, dated edges between numbered nodes.

`graph.py` holds the relational core as Ibis expressions. Scores over the graph do not belong here.
"""
