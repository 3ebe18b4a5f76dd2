"""What a type of use weighs beside the others. Imports nothing: the settings read it."""

from collections.abc import Mapping

RELATION_WEIGHT: Mapping[str, float] = {
    "derives_from": 3.0,
    "trained_on": 2.0,
    "depends_on": 2.0,
    "cites": 1.0,
    "mentions": 0.5,
}
"""Weight of a relation type where it is present (ours, not published; the setting influence.relation_weight)."""
