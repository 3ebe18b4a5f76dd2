"""What a reader of one file hands back: the works that it names, each with its place, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coevo_pipelines.traces.errors import ParseError

MOST = 20_000
"""References of one file; the largest manifests of public projects have some hundred."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A work named in a file: its identifier, a relation of `traces.references`, and where it stands."""

    target: str
    relation: str
    place: str


@dataclass
class Found:
    """`rejected`: (place, reason). One wrong line rejects itself only."""

    references: list[Reference] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def add(self, target: str, relation: str, place: str) -> None:
        if len(self.references) >= MOST:
            raise ParseError(f"names more than {MOST:,} works")
        self.references.append(Reference(target, relation, place))

    def reject(self, place: str, reason: str) -> None:
        if len(self.rejected) >= MOST:
            raise ParseError(f"more than {MOST:,} entries cannot be read")
        self.rejected.append((place, reason))

    def read(self, relation: str, place: str, convert: Callable[[Any], str | None], value: Any) -> str | None:
        """Add `convert(value)`, unless that is None: there is nothing to name. A ParseError rejects the entry."""
        try:
            target = convert(value)
        except ParseError as error:
            self.reject(place, str(error))
            return None
        if target is not None:
            self.add(target, relation, place)
        return target
