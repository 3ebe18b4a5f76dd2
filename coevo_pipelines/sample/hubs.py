"""An index of hub packages and their files, as the sample's server gives them as of a day: `facts/hubs/`.

A folder a hub, in it a folder a version of its package. A version is there from the day on of which its descriptor says
that it was published, and takes the place of the one before.
"""

from __future__ import annotations

import functools
import json
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable

from coevo_pipelines.sample.answers import Answer, Parameters, Refused, as_json
from coevo_pipelines.sample.world import World

DESCRIPTOR = "datapackage.json"
_TYPES = {"json": "application/json", "geojson": "application/geo+json", "csv": "text/csv; charset=utf-8"}


@functools.cache
def versions() -> tuple[tuple[str, str, Traversable], ...]:
    """(name, day of publication, folder) of every version, sorted."""
    found = []
    for hub in resources.files("coevo_pipelines.sample").joinpath("facts", "hubs").iterdir():
        for version in hub.iterdir():
            described = json.loads(version.joinpath(DESCRIPTOR).read_bytes())
            found.append((hub.name, described["created"][:10], version))
    return tuple(sorted(found, key=lambda each: each[:2]))


def packages(day: date) -> dict[str, Traversable]:
    """The folder of each package's version that stands on `day`, by the package's name."""
    return {name: folder for name, published, folder in versions() if published <= day.isoformat()}


def hubs(world: World, path: str, _parameters: Parameters, _base: str) -> Answer:
    """`/index.json`, and the files of the packages below it."""
    there = packages(world.day)
    if path == "/index.json":
        return as_json({"packages": [f"{name}/{DESCRIPTOR}" for name in there]})
    name, _, file = path.removeprefix("/").partition("/")
    wanted = next((each for each in there[name].iterdir() if each.name == file), None) if name in there else None
    if wanted is None:
        raise Refused(404, "Not Found", "text/plain")
    return Answer(200, wanted.read_bytes(), _TYPES.get(file.rpartition(".")[2], "application/octet-stream"))
