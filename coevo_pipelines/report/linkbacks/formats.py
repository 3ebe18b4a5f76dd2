"""A topic's list as files: Markdown, CSV, JSON, YAML, BibTeX, CITATION.cff. The same list gives the same bytes.

Titles and names are strangers' text: each format gets them with its own special characters taken as characters.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import yaml

from coevo_pipelines.report.html import seen
from coevo_pipelines.report.linkbacks.works import Listed, Work
from coevo_pipelines.sample.label import SAMPLE_NOTE

SOFTWARE = "coevo_pipelines"
_AUTHORS = 8
"""Most authors that a line of Markdown names."""


def about(listed: Listed) -> str:
    """One sentence for people: what the list is."""
    shown, of = len(listed.works), listed.of
    part = f"all {of:,}" if shown == of else f"the {shown:,} most built on of {of:,}"
    sample = f" {SAMPLE_NOTE}" if listed.world == "sample" else ""
    return f"Works on {listed.topic} as of {listed.day}: {part}, by {SOFTWARE}.{sample}"


def markdown(listed: Listed) -> str:
    """A list to include in a README; its links are mentions of the works."""
    lines = [f"## Works on {listed.topic}", "", f"{_plain(about(listed))}", ""]
    for work in listed.works:
        names = ", ".join(map(_plain, work.authors[:_AUTHORS]))
        more = f" and {len(work.authors) - _AUTHORS} more" if len(work.authors) > _AUTHORS else ""
        by = f", {names}{more}" if names else ""
        lines.append(f"- [{_plain(work.title)}](<{_address(work.url)}>){by} ({work.published.year}), {work.kind}")
    return "\n".join(lines) + "\n"


def comma_separated(listed: Listed) -> str:
    """A row a work; authors are joined by `; `."""
    written = io.StringIO()
    names = [name for name in Work.__dataclass_fields__ if name not in ("authors", "rank")]
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["rank", *names, "authors"])
    for work in listed.works:
        table.writerow([work.rank, *(getattr(work, name) for name in names), "; ".join(work.authors)])
    return written.getvalue()


def as_json(listed: Listed) -> str:
    """An object with `about` and `works`."""
    return json.dumps(_tree(listed), indent=2, ensure_ascii=False) + "\n"


def as_yaml(listed: Listed) -> str:
    """The same tree in YAML."""
    return _yaml(_tree(listed))


def bibtex(listed: Listed) -> str:
    """An entry a work, in UTF-8, for BibTeX and biblatex: papers are `@misc` with DOI or eprint (where they appeared is
    not known here), repositories, models and spaces `@software`."""
    taken: set[str] = set()
    return f"% {about(listed)}\n\n" + "\n".join(_entry(work, taken) for work in listed.works)


def citation(listed: Listed) -> str:
    """A CITATION.cff (1.2.0) of the list; `references` can be copied into a repository's own file.

    Names are given whole: which part is the family's the sources do not say.
    """
    comment = (
        f"# {about(listed)}\n"
        "# Copy `references` into the CITATION.cff of your repository: each is a citation of the work.\n"
    )
    return comment + _yaml(
        {
            "cff-version": "1.2.0",
            "message": "These are the works that this project stands on; please cite them too.",
            "title": f"Works on {listed.topic}",
            "type": "dataset",
            "date-released": listed.day,
            "authors": [{"name": SOFTWARE}],
            "references": [_reference(work) for work in listed.works],
        }
    )


FORMATS: Mapping[str, tuple[str, Callable[[Listed], str]]] = {
    "markdown": ("works.md", markdown),
    "csv": ("works.csv", comma_separated),
    "json": ("works.json", as_json),
    "yaml": ("works.yaml", as_yaml),
    "bibtex": ("works.bib", bibtex),
    "citation": ("CITATION.cff", citation),
}
"""File and writer of each."""


def _tree(listed: Listed) -> dict[str, Any]:
    works = [asdict(work) | {"authors": list(work.authors), "published": str(work.published)} for work in listed.works]
    return {
        "about": about(listed),
        "topic": listed.topic,
        "date": str(listed.day),
        "world": listed.world,
        "of": listed.of,
        "works": works,
    }


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1_000_000))


_MARKED = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@])")


def _plain(given: str) -> str:
    """Text whose characters Markdown does not read as marks; `@` would call people on GitHub."""
    return _MARKED.sub(r"\\\1", seen(given)).replace("\\@", "&#64;")


def _address(url: str) -> str:
    return re.sub(r"[<>\s\\]", lambda found: f"%{ord(found[0]):02X}", url)


_BIBTEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "&": r"\&", "%": r"\%",
        "$": r"\$", "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        '"': r"\textquotedbl{}",
    }
)  # fmt: skip


def _entry(work: Work, taken: set[str]) -> str:
    kinds = {"paper": "misc", "dataset": "dataset"}
    fields = {
        "title": f"{{{work.title.translate(_BIBTEX)}}}",  # in braces of its own: styles would change the case of names
        "author": " and ".join(map(_author, work.authors)),
        "year": str(work.published.year),
        "date": str(work.published),
        "doi": _verbatim(work.doi or ""),
        "eprint": _verbatim(work.arxiv or ""),
        "archiveprefix": "arXiv" if work.arxiv else "",
        "url": _verbatim(work.url),
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@{kinds.get(work.kind, 'software')}{{{_key(work.id, taken)},\n{''.join(lines)}}}\n"


def _author(name: str) -> str:
    """BibTeX takes a name apart by itself, at commas and `and`; what is no person's name then goes into braces."""
    escaped = name.translate(_BIBTEX)
    whole = re.search(r"\band\b", name, re.IGNORECASE) or name.count(",") > 1 or "others" in name.lower().split()
    return f"{{{escaped}}}" if whole else escaped


def _verbatim(value: str) -> str:
    """A field that is taken as it stands, in which braces must be paired."""
    return re.sub(r"[{}\\\s]", lambda found: f"%{ord(found[0]):02X}", value)


def _key(identifier: str, taken: set[str]) -> str:
    """The identifier in characters that a key may have; of two that become alike the second gets a number."""
    plain = re.sub(r"[^A-Za-z0-9:./_+-]+", "-", identifier)
    key, number = plain, 2
    while key.lower() in taken:  # BibTeX takes keys that differ in case for one
        key, number = f"{plain}-{number}", number + 1
    taken.add(key.lower())
    return key


def _reference(work: Work) -> dict[str, Any]:
    types = {"paper": "article", "dataset": "data"}
    code = {"repository-code": work.url} if work.kind == "repository" and work.url.startswith("http") else {}
    return {
        "type": types.get(work.kind, "software"),
        "title": work.title,
        # The format takes no name twice, though two Fisters may be called Iztok.
        "authors": [{"name": name} for name in dict.fromkeys(work.authors)] or [{"name": "anonymous"}],
        "year": work.published.year,
        **({"doi": work.doi} if work.doi else {}),
        **({"url": work.url} if work.url.startswith("http") and not code else code),
        **({"identifiers": [{"type": "other", "value": f"arXiv:{work.arxiv}"}]} if work.arxiv else {}),
    }
