"""Jupyter notebooks as text: what a person wrote stays, what a run left behind goes.

Formats 3 (cells in worksheets) and 4. Gone: each code cell's outputs, execution_count and prompt_number, and the
metadata that a run or a front end keeps for itself (the list that nbstripout removes by default, and JupyterLab's
`outputs_hidden`). Markdown, attachments, cell ids, tags and the kernel stay.
"""

from __future__ import annotations

import json
from typing import Any

VOLATILE = frozenset({"signature", "widgets"})
"""Keys of a notebook's metadata that go."""

CELL_VOLATILE = frozenset({"ExecuteTime", "collapsed", "execution", "heading_collapsed", "hidden", "scrolled"})
"""Keys of a cell's metadata that go."""

_COUNTS = ("execution_count", "prompt_number")


def strip(text: bytes) -> bytes | None:
    """The notebook without its outputs, in one canonical form: keys sorted, one space of indent, UTF-8, a newline
    at the end (nbformat's own way of writing, so that a stripped notebook still opens).

    None where `text` is no notebook that can be stripped without losing something unseen: not JSON (also NaN, a
    lone surrogate, a byte order mark, a number beyond all floats), a key twice in one object, nested too deep, or
    not the shape of a notebook.
    """
    try:
        notebook = json.loads(text.decode(), object_pairs_hook=_once)
        cells = _cells(notebook)
        _drop(notebook, VOLATILE)
        for cell in cells:
            _clean(cell)
        return (json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    if notebook["nbformat"] >= 4:
        return list(notebook["cells"])
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]


def _clean(cell: dict[str, Any]) -> None:
    if "outputs" in cell:
        cell["outputs"] = []
    cell.update(dict.fromkeys(cell.keys() & _COUNTS))
    cell.pop("collapsed", None)  # format 3 keeps it in the cell itself
    _drop(cell, CELL_VOLATILE)
    jupyter = cell.get("metadata", {}).get("jupyter")
    if isinstance(jupyter, dict) and jupyter.pop("outputs_hidden", None) is not None and not jupyter:
        del cell["metadata"]["jupyter"]


def _drop(holder: dict[str, Any], keys: frozenset[str]) -> None:
    metadata = holder.get("metadata", {})
    for key in metadata.keys() & keys:
        del metadata[key]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return record
