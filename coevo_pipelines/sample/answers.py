"""What an answer of the sample's server is made of."""

from __future__ import annotations

import json
from typing import Any

Parameters = dict[str, str]
BODY = "(body)"
"""Where a parameter of a POST stands that is no parameter: what was sent."""


class Answer:
    """Status, body, headers."""

    def __init__(self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.body = status, body
        self.headers = {"Content-Type": content_type, **(headers or {})}


class Refused(Exception):
    """An error answer in the service's own format."""

    def __init__(self, status: int, body: str, content_type: str = "application/json; charset=utf-8") -> None:
        super().__init__(body)
        self.answer = Answer(status, body.encode(), content_type)


def as_json(value: Any, headers: dict[str, str] | None = None) -> Answer:
    """The value as a good answer."""
    return Answer(200, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", headers)
