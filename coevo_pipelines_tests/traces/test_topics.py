"""Which followed topics a work is found under: what was asked, and what its own words say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coevo_pipelines.sample.server import answer_time
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import Topic, load_settings
from coevo_pipelines.traces.normalize import normalize
from coevo_pipelines_tests.runs import DAYS

BUSY = DAYS[-1]
SWARM = Topic(name="swarm", terms=("swarm intelligence",), github_topics=("particle-swarm",))


def topics(topic: Topic, asked: str | None = None, **said: Any) -> list[str]:
    """The topics of one repository of the day that a search found, asked for `asked`."""
    item = {"id": 1, "full_name": "some/one", "created_at": f"{BUSY}T10:00:00Z"} | said
    body = json.dumps({"total_count": 1, "items": [item]}).encode()
    url = "https://api.github.com/search/repositories?q=x"
    exchange = Exchange("GET", url, 200, {}, answer_time(BUSY), body, topic=asked)
    settings = load_settings()
    (row,) = normalize("github", [exchange], settings.window(BUSY), (topic,), settings.grace).rows["works"]
    found: list[str] = row["topics"]
    return found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, []),
        ({"full_name": "swarm-intelligence/website"}, []),
        ({"full_name": "some/swarm-intelligence"}, ["swarm"]),
        ({"description": "Swarm intelligence for all"}, ["swarm"]),
        ({"topics": ["particle-swarm"]}, ["swarm"]),
        ({"topics": ["other"]}, []),
    ],
)
def test_a_work_found_by_its_account_has_the_topics_of_its_own_words(said: dict[str, Any], expected: list[str]) -> None:
    assert topics(SWARM, None, **said) == expected


def test_what_was_asked_for_a_topic_has_it() -> None:
    assert topics(SWARM, "swarm") == ["swarm"]


@pytest.mark.parametrize("terms", [(), ("",), (" ",)])
def test_a_topic_without_words_is_found_in_no_work(terms: tuple[str, ...]) -> None:
    assert topics(Topic(name="nothing", terms=terms), None, description="anything at all") == []
