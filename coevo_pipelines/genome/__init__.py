"""Repositories become one text with a proof: the object store read and audited, identifiers, the pack, its Merkle tree.

Nothing here is ever checked out, and git runs without hooks, prompts, replace refs or foreign protocols. What trains
on the text belongs in `corpora/`.
"""
