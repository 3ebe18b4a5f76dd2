"""The citation and lineage graph as a map: where every work stands, and the compact arrays that the page draws.

Here: places of works (`layout.py`: by who is linked with whom; `timeline.py`: by date and chamber), and what is handed
to the browser (`data.py`). Not here: the page and what it asks (pages/graph.py), how it is drawn (web/graph.js).
"""
