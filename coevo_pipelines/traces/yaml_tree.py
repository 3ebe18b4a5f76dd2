"""YAML that strangers wrote, as a tree of texts with their lines. Nothing is constructed: a tag has no effect, and
every value is its text.

An alias is the very node that it names, so that a file cannot grow by them; whoever walks a tree visits a node once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coevo_pipelines.traces.errors import ParseError

if TYPE_CHECKING:
    from yaml import Event

LARGEST = 1 << 20
"""Characters; the key-complete example of the Citation File Format has 27,000."""
DEEPEST = 64
_NO_BREAKS = dict.fromkeys(map(ord, "\x85\u2028\u2029"), " ")
"""They end a line in YAML 1.1, which the library reads; neither in YAML 1.2 nor in an editor."""
EMPTY = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True)
class Node:
    """`line` from 1. `value`: the text of a scalar; the nodes of a list; the nodes of a mapping by their key."""

    line: int
    value: Any

    @property
    def text(self) -> str | None:
        """The text of a scalar that says something, else None."""
        return self.value.strip() if isinstance(self.value, str) and self.value.strip() not in EMPTY else None

    @property
    def items(self) -> list[Node]:
        return self.value if isinstance(self.value, list) else []

    @property
    def fields(self) -> dict[str, Node]:
        return self.value if isinstance(self.value, dict) else {}


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet; `key`: of the mapping's next value."""

    node: Node
    key: Node | None = None


def tree(text: str, reject: Callable[[str, str], None]) -> Node | None:
    """The first document; None when there is none in the text.

    A key that is given again, or is no text, and a second document go to `reject` (place, reason). Raises ParseError,
    naming the line, when the text is no YAML, longer than `LARGEST`, or deeper than `DEEPEST`.
    """
    import yaml

    if len(text) > LARGEST:
        raise ParseError(f"the file is longer than {LARGEST >> 10} KiB")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    building = _Building(reject)
    try:
        for event in yaml.parse(text.translate(_NO_BREAKS), Loader=loader):
            if not building.take(event):
                break
    except ParseError:
        raise
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ParseError(f"{line}not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # characters that YAML does not allow; escapes
        raise ParseError(f"not YAML: {' '.join(str(error).split())[:200]}") from error
    return building.root


@dataclass(slots=True)
class _Building:
    reject: Callable[[str, str], None]
    root: Node | None = None
    documents: int = 0
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)

    def take(self, event: Event) -> bool:
        """False when nothing more is to be read."""
        import yaml

        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.ScalarEvent):
            self._place(Node(line, event.value), event.anchor)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if len(self.open) >= DEEPEST:
                raise ParseError(f"line {line}: deeper than {DEEPEST} levels")
            node = Node(line, [] if isinstance(event, yaml.SequenceStartEvent) else {})
            self._place(node, event.anchor)
            self.open.append(_Open(node))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self.open.pop()
        elif isinstance(event, yaml.AliasEvent):
            named = self.anchors.get(event.anchor or "")
            if named is None:
                raise ParseError(f"line {line}: an alias of nothing: {str(event.anchor)[:60]!r}")
            self._place(named, None)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.reject(f"line {line}", "a second document; only the first is read")
                return False
        return True

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        inside = self.open[-1]
        if isinstance(inside.node.value, list):
            inside.node.value.append(node)
        elif inside.key is None:
            inside.key = node
        else:
            key, inside.key = inside.key, None
            if not isinstance(key.value, str):
                self.reject(f"line {key.line}", "a key that is no text")
            elif key.value in inside.node.value:
                self.reject(f"line {key.line}", f"{key.value[:60]!r} is given twice; the first counts")
            else:
                inside.node.value[key.value] = node
