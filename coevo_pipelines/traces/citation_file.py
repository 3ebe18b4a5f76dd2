"""The works that a CITATION.cff names (Citation File Format 1.0 to 1.2, https://citation-file-format.github.io). Pure.

- `preferred-citation` and each of `references`: what the software asks to be cited by and what it refers to itself:
  `cites`, by `doi`, `identifiers`, `url` and the repositories. Containers (`collection-doi`) are not meant.
- `doi` and `identifiers` of the file: `cites` too, and no assertion of sameness, though the format means the software
  itself. Anybody can write any DOI there, and many are not its own: papers about it, the DOI that GitHub's template
  holds (10.5281/zenodo.1234), and in a fork those of the original. One identity from each such file would make one
  work of all of them, with one owner to be paid. Sameness needs the other side's word.
- `url` and the repositories of the file: `mentions`; those of the work itself name nothing.
- An `swh` identifier names one state of some code, the text of a licence for instance: no work.

Of files that break the schema is read what there is. A file that is empty or no mapping raises ParseError.
"""

from __future__ import annotations

from collections.abc import Iterator

from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.found import Found
from coevo_pipelines.traces.yaml_tree import Node, tree

_ADDRESSES = ("url", "repository-code", "repository", "repository-artifact")


def read(text: str) -> Found:
    """The references of one file; a place is `line 12 (references[2].doi)`. Raises ParseError as above."""
    found = Found()
    root = tree(text, found.reject)
    if root is None or (isinstance(root.value, str) and root.text is None):
        raise ParseError("the file is empty")
    if not isinstance(root.value, dict):
        raise ParseError(f"line {root.line}: not a mapping of fields")
    seen: set[int] = set()
    _read_entry(found, root, "", "mentions", seen)
    preferred = root.fields.get("preferred-citation")
    own = [] if preferred is None else [("preferred-citation", preferred)]
    for path, entry in (*own, *_listed(found, root, "references", "", seen)):
        if isinstance(entry.value, dict):
            _read_entry(found, entry, f"{path}.", "cites", seen)
        elif entry.text is not None or entry.items:
            found.reject(f"line {entry.line} ({path})", "not a mapping of fields")
    return found


def _listed(found: Found, entry: Node, name: str, path: str, seen: set[int]) -> Iterator[tuple[str, Node]]:
    """The items of a list, with their paths. `seen`: the nodes that were read; an alias of one says nothing new."""
    node = entry.fields.get(name)
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if not isinstance(node.value, list) and (node.text is not None or node.fields):
        found.reject(f"line {node.line} ({path}{name})", "not a list")
    for number, item in enumerate(node.items):
        yield f"{path}{name}[{number}]", item


def _read_entry(found: Found, entry: Node, path: str, addresses: str, seen: set[int]) -> None:
    """One work as the format describes it; each identifier counts once, by the field that comes first."""
    if id(entry) in seen:
        return
    seen.add(id(entry))
    named: set[str] = set()

    def add(target: str, relation: str, place: str) -> None:
        if target not in named:
            named.add(target)
            found.add(target, relation, place)

    def add_doi(node: Node, where: str) -> None:
        place = f"line {node.line} ({where})"
        if node.text is None:
            if node.items or node.fields:
                found.reject(place, "not a text")
            return
        try:
            add(identifiers.doi(node.text), "cites", place)
        except ParseError as error:
            found.reject(place, str(error))

    if (own := entry.fields.get("doi")) is not None:
        add_doi(own, f"{path}doi")
    for where, item in _listed(found, entry, "identifiers", path, seen):
        value, kind = item.fields.get("value"), item.fields.get("type")
        if value is None or kind is None:
            if item.fields or item.items or item.text is not None:
                found.reject(f"line {item.line} ({where})", "no type and value")
            continue
        said = (kind.text or "").lower()
        if said == "doi":
            add_doi(value, where)
        elif said == "url":
            for target in _named_by(value):
                add(target, addresses, f"line {value.line} ({where})")
    for name in _ADDRESSES:
        if (node := entry.fields.get(name)) is not None:
            for target in _named_by(node):
                add(target, addresses, f"line {node.line} ({path}{name})")


def _named_by(address: Node) -> Iterator[str]:
    yield from (target for _, target in identifiers.in_text(address.text or ""))
