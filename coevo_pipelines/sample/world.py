"""The sample's facts as of a day. Pure: no HTTP, no clock."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from typing import Any

from coevo_pipelines.settings import SWARM_INTELLIGENCE

Fact = dict[str, Any]


@functools.cache
def facts(name: str) -> Any:
    """The bundled JSON file `facts/<name>.json`."""
    text = resources.files("coevo_pipelines.sample").joinpath("facts", f"{name}.json").read_text("utf-8")
    return json.loads(text)


def register() -> bytes:
    """The bundled `facts/register.toml`: claims that nobody made."""
    return resources.files("coevo_pipelines.sample").joinpath("facts", "register.toml").read_bytes()


def openalex_id(key: str) -> str:
    """A composed OpenAlex id: the facts do not hold the real ones. All begin with W99, far above real ids."""
    return f"W99{int(hashlib.sha256(key.encode()).hexdigest()[:10], 16):013d}"


def about(phrases: list[str], title: str) -> bool:
    """Would a search for any of the phrases find this fact?

    The facts hold no abstracts. All were chosen for the default topic, so each of its phrases finds them
    all; any other phrase finds what has it in the title.
    """
    wanted = {phrase.lower() for phrase in phrases}
    return bool(wanted.intersection(SWARM_INTELLIGENCE.terms)) or any(p in title.lower() for p in wanted)


@dataclass(frozen=True)
class World:
    """What there was to see by the end of `day`."""

    day: date

    def papers(self, *, on_arxiv: bool) -> list[Fact]:
        """Papers published by the day, oldest first; only those with an arXiv id, or all."""
        return [
            paper
            for paper in facts("papers")
            if date.fromisoformat(paper["published"]) <= self.day and (paper["arxiv_id"] or not on_arxiv)
        ]

    @functools.cached_property
    def openalex_ids(self) -> dict[str, str]:
        """OpenAlex id by DOI."""
        return {p["doi"]: openalex_id(p["key"]) for p in self.papers(on_arxiv=False) if p["doi"]}

    @functools.cached_property
    def citation_counts(self) -> Counter[str]:
        """How many papers of the day's world cite a DOI."""
        return Counter(doi for paper in self.papers(on_arxiv=False) for doi in paper["references"])

    def repositories(self) -> list[Fact]:
        """Repositories created by the day, each in the state of the day, by name."""
        found = []
        for repository in facts("repositories"):
            states = [s for s in repository["states"] if date.fromisoformat(s["from"]) <= self.day]
            if _day(repository["created"]) <= self.day and states:
                found.append({**repository, **states[-1]})
        return sorted(found, key=lambda repository: repository["full_name"].lower())

    def people_of(self, repository: Fact) -> Fact:
        """`contributors` (as GitHub lists them) and `files` (path: text) of a repository, all composed: those in
        `facts/people.json`, else the owner alone, with commits made of a hash."""
        name = repository["full_name"]
        if composed := facts("people").get(name):
            texts = {path: text if isinstance(text, str) else _pretty(text) for path, text in composed["files"].items()}
            return {**composed, "files": texts}
        commits = 10 + int(hashlib.sha256(name.encode()).hexdigest()[:4], 16) % 90
        owner = {"login": name.partition("/")[0], "type": "User", "contributions": commits}
        return {"contributors": [owner], "files": {}}

    def hub(self, kind: str) -> list[Fact]:
        """Hub items of `models`, `datasets` or `spaces` created by the day, newest first."""
        items = [item for item in facts("hub")[kind] if _day(item["created"]) <= self.day]
        return sorted(items, key=lambda item: (item["created"], item["id"]), reverse=True)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _day(timestamp: str) -> date:
    return datetime.fromisoformat(timestamp).date()
