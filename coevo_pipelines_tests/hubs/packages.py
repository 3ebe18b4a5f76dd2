"""Hub packages for the tests of this folder: a whole one, and the same with one thing changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from coevo_pipelines.hubs.contents import Contents, read_contents
from coevo_pipelines.hubs.package import Package, Rules, read_descriptor

RULES = Rules(home_km=1.0, fewest_people=10)


def fields(*names: str, **more: Any) -> list[dict[str, Any]]:
    """Table Schema fields from `name:type`."""
    pairs = (name.partition(":") for name in names)
    return [{"name": name, "type": kind or "string"} | more.get(name, {}) for name, _, kind in pairs]


NEEDS = fields(
    "id", "item", "kind", "amount:number", "unit", "from:date", "until:date", "most_km:number", "by_post:boolean",
    "priority:integer", "received:number",
)  # fmt: skip
OFFERS = NEEDS[:-2]
OUTCOMES = fields(
    "practice", "quantity", "unit", "before:number", "after:number", "sd_before:number", "sd_after:number",
    "n_before:integer", "n_after:integer", "people:integer", "from:date", "until:date", "method",
)  # fmt: skip
SOIL = [
    {"name": "taken_on", "type": "date"},
    {"name": "latitude", "type": "number"},
    {"name": "longitude", "type": "number"},
    {"name": "soc", "type": "number", "quantity": "soil_organic_carbon", "unit": "g/kg"},
]
FILES = {
    "needs.csv": (
        "id,item,kind,amount,unit,from,until,most_km,by_post,priority,received\n"
        "n1,Seed  Potatoes,,12.5,kg,2019-03-25,2019-04-30,30,false,5,2\n"
    ),
    "offers.csv": (
        "id,item,kind,amount,unit,from,until,most_km,by_post\no1,warm meals,food,40,{meal},2019-03-25,2019-03-25,,\n"
    ),
    "outcomes.csv": (
        "practice,quantity,unit,before,after,sd_before,sd_after,n_before,n_after,people,from,until,method\n"
        "Cover crops,soil_organic_carbon,g/kg,18.2,21.9,2.1,2.4,12,12,,2016-03-01,2018-10-15,\n"
    ),
    "soil.csv": "taken_on,latitude,longitude,soc\n2019-03-01,52.1301,11.6302,18.2\n2019-03-02,,,19\n",
}
DESCRIPTOR: dict[str, Any] = {
    "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
    "name": "green-valley",
    "title": "Green Valley garden",
    "description": "A garden",
    "version": "1.0.0",
    "created": "2019-03-20T00:00:00Z",
    "id": "https://doi.org/10.5281/zenodo.1234",
    "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
    "contributors": [{"title": "Ada", "roles": ["author"], "path": "https://github.com/ada"}],
    "sources": [{"title": "another", "path": "hub:other-hub"}],
    "keywords": ["soil"],
    "hub": {
        "kind": "food",
        "place": {"latitude": 52.1301, "longitude": 11.6302, "name": "Magdeburg"},
        "practices": ["Cover crops", "compost"],
        "capacity": "40 people a week",
        "languages": ["de", "en"],
        "contact": "https://example.org/contact",
        "consent": {"given": True, "by": "the members' meeting", "date": "2019-03-01"},
        "since": "2017-05-01",
        "context": {"soil": "loam", "climate": "Cfb", "method": "weighed"},
    },
    "resources": [
        {"name": "needs", "path": "needs.csv", "role": "needs", "schema": {"fields": NEEDS}},
        {"name": "offers", "path": "offers.csv", "role": "offers", "schema": {"fields": OFFERS}},
        {"name": "outcomes", "path": "outcomes.csv", "role": "outcomes", "schema": {"fields": OUTCOMES}},
        {
            "name": "soil", "path": "soil.csv", "role": "measurements", "method": "dry combustion",
            "schema": {"fields": SOIL},
        },
        {
            "name": "photo", "path": "https://example.org/a.jpg", "role": "media", "mediatype": "image/jpeg",
            "hash": "sha256:" + "0" * 64, "bytes": 12,
        },
    ],
}  # fmt: skip
REMOVE = object()


def changed(*changes: tuple[str, Any], of: Mapping[str, Any] = DESCRIPTOR) -> dict[str, Any]:
    """A copy with what stands at paths such as `hub.place.latitude` or `resources.0.path` replaced, or removed."""
    copied = copy.deepcopy(dict(of))
    for path, value in changes:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        inner: Any = copied
        for step in steps:
            inner = inner[step]
        if value is REMOVE:
            del inner[last]
        else:
            inner[last] = value
    return copied


def as_bytes(descriptor: Any) -> bytes:
    return json.dumps(descriptor, ensure_ascii=False).encode()


def package(*changes: tuple[str, Any]) -> Package:
    """The package, whose descriptor must be without a problem."""
    found, problems = read_descriptor(as_bytes(changed(*changes)), RULES)
    assert found is not None
    assert [each.line() for each in problems] == []
    return found


def contents(files: Mapping[str, str | bytes] = {}, *changes: tuple[str, Any], rules: Rules = RULES) -> Contents:
    """What the package says with these files in place of its own; None: there is no such file."""
    held = {**FILES, **files}

    def file(path: str) -> bytes | None:
        body = held.get(path)
        return body.encode() if isinstance(body, str) else body

    return read_contents(package(*changes), file, rules)
