"""croissant.json: the release in the Croissant 1.1 vocabulary (docs.mlcommons.org/croissant), with its extension for
responsible AI (RAI 1.0). `mlcroissant.Dataset("croissant.json")` reads it beside the files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from coevo_pipelines.corpora.releases import card

if TYPE_CHECKING:
    from coevo_pipelines.corpora.releases.release import File, Parts, Release

HOME = "https://github.com/coevo/coevo_pipelines"
"""A release has no page of its own until someone publishes it; the specification asks for one."""

_TERMS = """
arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty fileSet format includes
isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate
separator source subField transform
"""
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
} | {term: f"cr:{term}" for term in _TERMS.split()}
"""The terms of the specification's appendix 1."""

_TYPES = {
    "string": "sc:Text", "int64": "cr:Int64", "int32": "cr:Int32", "float64": "cr:Float64", "bool": "sc:Boolean",
    "timestamp[us, tz=UTC]": "sc:DateTime",
}  # fmt: skip
_FORMATS = {
    "parquet": "application/x-parquet", "jsonl": "application/jsonlines", "json": "application/json",
    "md": "text/markdown", "csv": "text/csv", "txt": "text/plain",
}  # fmt: skip
_KEYS = {"documents": ("doc_id",), "sequences": ("split", "place")}
_ABOUT = {
    "doc_id": "unique in the release",
    "work_id": "the work that the document belongs to: splits go by work",
    "influence": "of the work, 0 to 1",
    "event_at": "when the text came to be (UTC)",
    "license": "SPDX expression of the document",
    "license_from": "where the licence was found",
    "text_sha256": "SHA-256 of text",
    "source_sha256": "SHA-256 of the text before cleaning",
    "leaf": "RFC 6962 leaf hash of the file in the genome's manifest",
    "raw_sha256": "SHA-256 of the raw exchange that the text comes from",
    "replaced": "JSON: placeholders by type",
    "input_ids": "token ids, preamble and framing included",
    "loss_mask": "which tokens training counts; null: all",
    "seq_lengths": "lengths of the pieces of the sequence, in tokens",
    "documents": "doc_id of each document in the sequence",
    "place": "order of training",
}


def page(release: Release, counts: Mapping[str, Any], parts: Parts, files: Iterable[File]) -> bytes:
    """The metadata over `files`, all that were written before it."""
    from coevo_pipelines.corpora.releases.release import DOCUMENTS, SEQUENCES

    day = release.day
    columns = {"documents": DOCUMENTS, "sequences": SEQUENCES}
    words = card.WORLDS.get(release.world, "").replace("**", "")
    given = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": card.title(release),
        "description": (
            f"A training corpus for {release.blueprint.model.id} by the blueprint {release.blueprint.name}: "
            f"{counts['documents']:,} documents of {counts['works']:,} works, {counts['tokens']:,} tokens. {words}"
        ).strip(),
        "version": f"{day.year}.{day.month}.{day.day}",
        "datePublished": day.isoformat(),
        "url": HOME,
        "creator": {"@type": "sc:Organization", "name": "coevo_pipelines", "url": HOME},
        "license": [f"https://spdx.org/licenses/{each}" for each in card.licenses(release)] or ["unknown"],
        "keywords": ["coevo", "continued pretraining", *([] if release.world == "live" else [release.world])],
        "inLanguage": [code for code in card.natural_languages(release) if code != "code"],
        "isLiveDataset": False,
        "citeAs": f"@misc{{{release.blueprint.name}, title = {{{card.title(release)}}}, year = {{{day.year}}}}}",
        "rai:dataCollection": "Repositories and records of open research, read from their public sources; every raw "
        "answer is kept with its SHA-256. Works and people: ATTRIBUTION.md.",
        "rai:dataCollectionType": ["Web API", "Software Collection"],
        "rai:dataPreprocessingProtocol": [
            f"{step}: {each['documents']:,} documents, {each['tokens']:,} tokens left out"
            for step, each in counts["losses"].items()
        ],
        "rai:dataAnnotationProtocol": ["No annotation: every decision is a rule of a program."],
        "rai:personalSensitiveInformation": [
            f"{name}: {number:,} places replaced" for name, number in counts["replaced"].items()
        ]
        + ["Found by patterns: some are missed. Names of authors stay where attribution or the text needs them."],
        "rai:dataBiases": ["Influence weighs what the followed graph sees: work that is seldom linked is seldom here."],
        "rai:dataLimitations": ["Licences are taken as stated. Nothing was checked for truth or security."],
        "rai:dataUseCases": [f"Continued training of {release.blueprint.model.id} under its contract."],
        "rai:dataReleaseMaintenancePlan": "A release is not changed; later days make releases of their own.",
        "distribution": [
            *(
                {
                    "@type": "cr:FileObject", "@id": each.name, "name": each.name, "contentUrl": each.name,
                    "contentSize": f"{each.bytes} B", "sha256": each.sha256,
                    "encodingFormat": _FORMATS[each.name.rpartition(".")[2]],
                }
                for each in files
            ),
            *(
                {
                    "@type": "cr:FileSet", "@id": f"{name}-parquet", "name": f"{name}-parquet",
                    "encodingFormat": _FORMATS["parquet"], "includes": f"data/{name}/*.parquet",
                }
                for name in parts
            ),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": name,
                "name": name,
                "description": f"{sum(part.rows for part in splits.values()):,} rows in {', '.join(splits)}",
                "key": [{"@id": f"{name}/{key}"} for key in _KEYS[name]],
                "field": [_field(name, column, kind) for column, kind in columns[name].items()],
            }
            for name, splits in parts.items()
        ],
    }  # fmt: skip
    return json.dumps(
        {key: value for key, value in given.items() if value != []}, indent=1, ensure_ascii=False
    ).encode()


def _field(record_set: str, column: str, kind: str) -> dict[str, Any]:
    many = kind.startswith("list<")
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column}",
        "name": column,
        "description": _ABOUT.get(column, column),
        "dataType": _TYPES[kind[5:-1] if many else kind],
        **({"isArray": True, "arrayShape": "-1"} if many else {}),
        "source": {"fileSet": {"@id": f"{record_set}-parquet"}, "extract": {"column": column}},
    }
