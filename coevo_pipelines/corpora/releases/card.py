"""What a release says of itself in words: the dataset card (README.md with YAML front matter), the card of its JSON
lines, and a data statement. All names and texts from outside are escaped: in Markdown they are text, nothing else.

Front matter: the Hub's `configs` and `dataset_info`, as `datasets` 5 reads them. Headings of the data statement:
Bender and Friedman 2018, Data Statements for Natural Language Processing (TACL 6, Q18-1041), section 5.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import yaml

from coevo_pipelines.corpora.blueprints import SPLITS

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.corpora.releases.release import Parts, Release

WORLDS = {
    "sample": "This is a **sample**, made from the bundled facts of coevo_pipelines to show every step: its texts, "
    "repositories and numbers are no measurement of anything, and no model should be trained on it in earnest.",
    "synthetic": "This release is **synthetic**: its texts were made by a program to test and time the pipeline. They "
    "describe nothing that exists.",
}
"""Said wherever the numbers are shown."""

_HUB = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2
gfdl gpl-2.0 gpl-3.0 isc lgpl-2.1 lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl ofl-1.1 osl-3.0 postgresql unlicense
wtfpl zlib
"""
HUB_LICENSES = frozenset(_HUB.split())
"""Identifiers of the Hub's list that are an SPDX id in lower case (huggingface.co/docs/hub/repositories-licenses)."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip

# Control and format characters: the bidirectional ones would make a name look like another.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_MARKS = re.compile(r"([\\`*_{}\[\]#|~$@^]|:(?=//)|(?<=www)\.|^[-+=]|^\d+[.)](?=\s|$))", re.IGNORECASE)


# Markdown


def escaped(value: object) -> str:
    """`value` as Markdown text on one line, in a table too: no mark-up, no HTML, no characters that cannot be seen."""
    shown = html.escape(_UNSEEN.sub(" ", str(value)).strip(), quote=False)
    return _MARKS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", shown)


def sentence(value: str) -> str:
    """`escaped`, with a full stop where it has none."""
    text = escaped(value)
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def link(url: str | None) -> str:
    """A web address as a link; anything else as text."""
    if not url:
        return ""
    try:
        host = urlsplit(url).hostname if url.lower().startswith(("https://", "http://")) else None
    except ValueError:
        host = None
    if not host:
        return escaped(url)
    return f"[{escaped(url)}](<{quote(url, safe='/:?&=%#@+,;~')}>)"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of cells that are Markdown already; numbers get their separators."""
    rows = list(rows)
    numeric = [bool(rows) and isinstance(rows[0][at], int) for at in range(len(headings))]
    lines = [
        "| " + " | ".join(headings) + " |",
        "|" + "|".join("---:" if number else "---" for number in numeric) + "|",
    ]
    for row in rows:
        lines.append("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) + " |")
    return "\n".join(lines)


def joined(*parts: str) -> str:
    """Parts of a page, those that say something."""
    return "\n\n".join(part for part in parts if part) + "\n"


# Numbers


def summary(release: Release) -> dict[str, Any]:
    """Counts of what is in the release, as JSON. Tokens are those of the documents' own texts; those of sequences
    hold framing, preamble and repeats too."""
    import polars as pl

    documents, sequences = release.documents, release.sequences
    counted = {
        column: {
            key: {"documents": rows, "tokens": tokens}
            for key, rows, tokens in documents.group_by(pl.col(column).fill_null("none"))
            .agg(pl.len(), pl.col("tokens").sum())
            .sort("tokens", column, descending=[True, False])
            .iter_rows()
        }
        for column in ("split", "stage", "kind", "language", "license")
    }
    lengths = sequences.select(
        "split", pl.col("input_ids").list.len().alias("tokens"),
        pl.coalesce(pl.col("loss_mask").list.sum(), pl.col("input_ids").list.len()).alias("trained"),
    )  # fmt: skip
    packed = {
        split: {"sequences": rows, "tokens": tokens, "trained": trained}
        for split, rows, tokens, trained in lengths.group_by("split")
        .agg(pl.len(), pl.col("tokens", "trained").sum())
        .iter_rows()
    }
    replaced: Counter[str] = Counter()
    for given, times in documents["replaced"].drop_nulls().value_counts().iter_rows():
        replaced.update({name: number * times for name, number in json.loads(given).items()})
    first, last = documents["event_at"].min(), documents["event_at"].max()
    return {
        "documents": len(documents),
        "tokens": int(documents["tokens"].sum()),
        "works": documents["work_id"].n_unique(),
        "repositories": documents["repo"].drop_nulls().n_unique(),
        "first_event": first.date().isoformat() if first is not None else None,  # type: ignore[union-attr]
        "last_event": last.date().isoformat() if last is not None else None,  # type: ignore[union-attr]
        "by": counted,
        "sequences": {split: packed[split] for split in SPLITS if split in packed},
        "replaced": dict(sorted(replaced.items())),
        "losses": _losses(release.losses),
    }


def _losses(losses: pl.DataFrame) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for step, documents, tokens in losses.select("step", "documents", "tokens").iter_rows():
        sums = found.setdefault(step, {"documents": 0, "tokens": 0})
        sums["documents"] += documents or 0
        sums["tokens"] += tokens or 0
    return found


def licenses(release: Release) -> list[str]:
    """SPDX ids in the documents' licence expressions, without exceptions and operators."""
    found: set[str] = set()
    for expression in release.documents["license"].drop_nulls().unique():
        found.update(re.findall(r"[\w.+:-]+", re.sub(r"\bWITH\s+[\w.-]+|\b(?:AND|OR)\b", " ", expression)))
    return sorted(found)


def natural_languages(release: Release) -> list[str]:
    """ISO 639 codes for the front matter: those counted, else those that the blueprint takes; "code" for code."""
    counted = release.numbers.get("natural_languages")
    found = set(counted) if isinstance(counted, Mapping) else set(release.blueprint.exclusions.natural_languages or ())
    codes = {code for code in found if re.fullmatch(r"[a-z]{2,3}", code)}
    return sorted(codes | ({"code"} if "code" in set(release.documents["kind"]) else set()))


def title(release: Release) -> str:
    """What the release is called."""
    name = f"Corpus {release.blueprint.name} of {release.day.isoformat()}"
    return name if release.world == "live" else f"{name} ({release.world})"


# The card


def readme(release: Release, counts: Mapping[str, Any], parts: Parts, root: str) -> str:
    """README.md: front matter and card. `root`: Merkle root over the documents."""
    blueprint = release.blueprint
    known = {_hub_license(each) for each in licenses(release)}
    if release.documents["license"].null_count():
        known.add("unknown")
    front: dict[str, Any] = {
        "pretty_name": title(release),
        "license": sorted(known),
        "language": natural_languages(release),
        "size_categories": [next((name for limit, name in _SIZES if counts["documents"] < limit), "n>1T")],
        "task_categories": ["text-generation"],
        "tags": ["coevo", "continued-pretraining", *([] if release.world == "live" else [release.world])],
        **_configs(parts, "data/{}/", ".parquet"),
    }
    split = next(iter(parts["sequences"]))
    sections = [
        f"# {escaped(title(release))}",
        WORLDS.get(release.world, ""),
        f"A training corpus for the model **{escaped(blueprint.model.id)}** (revision "
        f"{escaped(blueprint.model.revision)}), cut by the blueprint **{escaped(blueprint.name)}** from an ecosystem "
        f"of open research as it stood on {release.day.isoformat()} (UTC). "
        f"{sentence(blueprint.description)}",
        "`sequences` holds token ids, packed and ready to train on; `documents` the cleaned texts that they were made "
        "of, with where each comes from and under which licence.",
        "## Numbers",
        _numbers(counts),
        "## What was left out, and why",
        _left_out(counts),
        "## How it was cleaned",
        _cleaned(release, counts),
        "## Consent",
        _consent(release),
        "## Licences",
        "Nothing is relicensed: each document keeps the licence of its work (columns `license` and `license_from`). "
        "`ATTRIBUTION.md` names the works and the people behind them, `LICENSES/` holds their licence and notice "
        "files.",
        "## How to load it",
        "```python\nfrom pathlib import Path\n\nfrom datasets import load_dataset\n\n"
        "folder = str(Path().absolute())  # where this file lies; once published, the name of the repository\n"
        'sequences = load_dataset(folder, "sequences")\n'
        f'texts = load_dataset(folder, "documents", split="{next(iter(parts["documents"]))}", streaming=True)\n'
        f'print(sequences["{split}"][0]["input_ids"][:8], next(iter(texts))["doc_id"])\n```',
        'The same documents as JSON lines, a dataset folder of their own: `load_dataset(folder + "/jsonl")`. '
        "`loss_mask` is null where training counts every token; `seq_lengths` are the lengths of the pieces that "
        "should not attend to each other.",
        "## How to check it",
        "`coevo verify` recomputes all hashes, from these files down to the raw bytes. Without it: `release.json` "
        "lists each other file with its SHA-256; the SHA-256 of `release.json` is the digest of this release.",
        table(
            ("what", "value"),
            (
                ("Merkle root of the documents (RFC 6962)", f"`{root}`"),
                (
                    "root of the genome",
                    f"`{release.genome_root}`" if release.genome_root else "none: texts of traces only",
                ),
                ("tokenizer (SHA-256)", f"`{escaped(release.tokenizer_sha256)}`"),
                ("contract", f"`{escaped(release.contract_hash)}`"),
                ("made by", f"coevo_pipelines {escaped(release.code_version)}"),
            ),
        ),
        "## Limits and risks",
        _limits(),
    ]
    further = _lines(release.numbers)
    if further:
        sections += ["## Further numbers", "\n".join(further)]
    return _front(front) + joined(*sections)


def jsonl_readme(release: Release, parts: Parts) -> str:
    """jsonl/README.md: so that `datasets` knows types and splits of the JSON lines."""
    front = {"pretty_name": f"{title(release)}, JSON lines"}
    front |= _configs({"documents": parts["documents"]}, "", ".jsonl")
    words = "The documents of the release one folder up, as JSON lines. Everything about them is in `../README.md`."
    return _front(front) + joined(f"# {escaped(title(release))}", WORLDS.get(release.world, ""), words)


def _configs(parts: Parts, folder: str, ending: str) -> dict[str, Any]:
    from coevo_pipelines.corpora.releases.release import DOCUMENTS, SEQUENCES

    columns = {"documents": DOCUMENTS, "sequences": SEQUENCES}
    configs: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for name, splits in parts.items():
        files = [{"split": split, "path": f"{folder.format(name)}{split}-*{ending}"} for split in splits]
        configs.append({"config_name": name, "data_files": files, **({"default": True} if not configs else {})})
        features = [
            {"name": column, "list": kind[5:-1]} if kind.startswith("list<") else {"name": column, "dtype": kind}
            for column, kind in columns[name].items()
        ]
        sizes = [{"name": split, "num_bytes": part.bytes, "num_examples": part.rows} for split, part in splits.items()]
        infos.append({"config_name": name, "features": features, "splits": sizes})
    return {"configs": configs, "dataset_info": infos}


def _front(front: Mapping[str, Any]) -> str:
    return "---\n" + yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=10_000) + "---\n\n"


def _hub_license(spdx: str) -> str:
    name = re.sub(r"-(?:only|or-later)$|\+$", "", spdx.lower())
    return name if name in HUB_LICENSES else "other"


def _numbers(counts: Mapping[str, Any]) -> str:
    parts = [
        f"{counts['documents']:,} documents of {counts['works']:,} works and {counts['repositories']:,} repositories, "
        f"{counts['tokens']:,} tokens of text by the model's own tokenizer"
        + (f"; from {counts['first_event']} to {counts['last_event']}" if counts["first_event"] else "")
        + ".",
        table(
            ("sequences", "number", "tokens", "tokens that training counts"),
            (
                (split, each["sequences"], each["tokens"], each["trained"])
                for split, each in counts["sequences"].items()
            ),
        ),
    ]
    for column, found in counts["by"].items():
        rows = [(escaped(key), each["documents"], each["tokens"]) for key, each in found.items()]
        parts.append(table((f"documents by {column}", "documents", "tokens"), rows))
    return "\n\n".join(parts)


def _left_out(counts: Mapping[str, Any]) -> str:
    if not counts["losses"]:
        return "Nothing: every document that the blueprint selects is in."
    rows = [(escaped(step), each["documents"], each["tokens"]) for step, each in counts["losses"].items()]
    rows.append(("**all**", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return (
        "Rules in their order; a document counts at the first that left it out. By repository and kind: "
        "`losses.csv`.\n\n" + table(("rule", "documents", "tokens"), rows)
    )


def _cleaned(release: Release, counts: Mapping[str, Any]) -> str:
    rules, contamination = release.blueprint.exclusions, release.blueprint.decontamination
    kinds = (
        (rules.backups, "backups and older numbered copies"), (rules.vendored, "vendored files"),
        (rules.generated, "generated and minified files"), (rules.logs, "logs"), (rules.tests, "tests"),
        (rules.legal, "licence texts"),
    )  # fmt: skip
    out = ", ".join(name for chosen, name in kinds if chosen)
    near = release.numbers.get("near_duplicates")
    near = near if isinstance(near, Mapping) else {}
    placeholders = ", ".join(f"{escaped(name)} {number:,}" for name, number in counts["replaced"].items())
    gone = {rule: each["documents"] for rule, each in counts["losses"].items()}
    similar = f" at a Jaccard similarity of {escaped(near['jaccard'])} or more" if "jaccard" in near else ""
    runs = f"runs of {escaped(near['ngram'])} words" if "ngram" in near else "runs of words"
    lines = (
        f"By kind of file: {out} were left out." if out else "No kind of file was left out.",
        "Keys, tokens and personal data were looked for; placeholders stand where they were found: "
        f"{placeholders or 'in no document'}.",
        "Documents that held a key or token are out altogether." if rules.secrets else "",
        "**Personal data was kept.**" if release.numbers.get("personal_data") == "kept" else "",
        {"stripped": "Outputs of notebooks were taken out.", "kept": "Outputs of notebooks were kept."}.get(
            str(release.numbers.get("notebooks")), ""
        ),
        f"Copies: {gone.get('exact_duplicate', 0):,} documents equal to another and {gone.get('near_duplicate', 0):,} "
        f"near-duplicates{similar} (MinHash over {runs}, each pair verified exactly) were dropped; the copy "
        "that is attested best stays.",
        (
            f"Decontamination: documents that share {contamination.ngram} words in a row with a question of "
            f"{', '.join(map(escaped, contamination.sets))} were dropped: {gone.get('contaminated', 0):,}."
            if contamination.sets
            else "Decontamination: **none**, for the blueprint names no evaluation set. Scores on public benchmarks of "
            "a model trained on this may be too good."
        ),
        "Text that addresses models is data: it was kept or left out by rule, and never acted upon.",
    )
    return "\n".join(f"- {line}" for line in lines if line)


def _consent(release: Release) -> str:
    """Of the contract, read as far as it is a contract: what cannot be read is not claimed."""
    try:
        contract = json.loads(release.contract)
        if not isinstance(contract, dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        contract = {}

    def at(*names: str) -> object:
        found: Any = contract
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    rows = (
        ("status", at("status")), ("when", at("created_at")), ("with", at("participants", "human", "name")),
        ("model", at("participants", "model", "id")), ("revision", at("participants", "model", "revision")),
        ("how the answer came", at("participants", "model", "config", "how")),
        ("who says so", at("participants", "model", "config", "by")), ("hash", release.contract_hash),
    )  # fmt: skip
    return (
        "A corpus is made only for a model with an accepted contract. This one is in `contract.json`, question and "
        "answer included; `integrity.json` is its check at the time of this release. What a language model's yes means "
        "is an open question: the record says what was asked and answered, no more.\n\n"
        + table(("contract", ""), ((name, escaped(value)) for name, value in rows if value is not None))
    )


def _limits() -> str:
    lines = [
        "Licences are taken from files and repositories as they state them. Whoever stated them may have erred; "
        "`ATTRIBUTION.md` says from where each work comes, so that it can be checked.",
        "Secrets and personal data are found by patterns: some are missed, some harmless texts are replaced.",
        "Names of authors stay where attribution or the text needs them.",
        "Influence weighs what the followed graph can see. Work that is seldom linked is seldom here.",
        "Code may be wrong, insecure or out of date; prose may be false. Nothing was checked for truth.",
        "A model can learn texts by heart, more so those that are repeated; what it then writes can be somebody's.",
        "Splits go by work, so no work is in two of them; works that quote each other can be.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _lines(numbers: Mapping[str, Any], depth: int = 0) -> list[str]:
    lines = []
    for name, value in sorted(numbers.items(), key=lambda item: str(item[0])):
        mark = f"{'  ' * depth}- {escaped(name)}:"
        if isinstance(value, Mapping):
            lines += [mark, *_lines(value, depth + 1)]
        else:
            number = isinstance(value, int) and not isinstance(value, bool)
            lines.append(f"{mark} {f'{value:,}' if number else escaped(json.dumps(value, ensure_ascii=False))}")
    return lines


# The data statement


def statement(release: Release, counts: Mapping[str, Any]) -> str:
    """DATA_STATEMENT.md."""
    spoken = [code for code in natural_languages(release) if code != "code"]
    kinds = ", ".join(f"{escaped(kind)} ({each['documents']:,})" for kind, each in counts["by"]["kind"].items())
    programming = ", ".join(
        f"{escaped(language)} ({each['documents']:,})"
        for language, each in counts["by"]["language"].items()
        if language != "none"
    )
    blueprint = release.blueprint
    sections = (
        (
            "A. Curation rationale",
            f"The texts were chosen for one model, {escaped(blueprint.model.id)}, by the blueprint "
            f"{escaped(blueprint.name)} (`blueprint.json`), which names repositories, kinds, languages, licences, "
            f"least influence, stages and limits. {sentence(blueprint.description)} {counts['documents']:,} documents "
            f"of {counts['works']:,} works are in; what was left out by which rule is in `losses.csv`.",
        ),
        (
            "B. Language variety",
            (
                f"Natural languages, as ISO 639-1: {', '.join(spoken)}. Varieties were not determined"
                if spoken
                else "Natural languages were not determined; documentation of software is mostly in English"
            )
            + "; much was written by people whose first language is another. Programming and markup languages: "
            + f"{programming or 'none'}.",
        ),
        (
            "C. Speaker demographic",
            "Not collected. The authors are people who publish research and software; the names that their works state "
            "are in `ATTRIBUTION.md`. Nothing was inferred about them.",
        ),
        ("D. Annotator demographic", "There were no annotators: every decision is a rule of a program."),
        (
            "E. Speech situation",
            "Written, edited, asynchronous, and meant for a public of developers and researchers"
            + (
                f"; dated from {counts['first_event']} to {counts['last_event']}."
                if counts["first_event"]
                else "; no dates are known."
            ),
        ),
        ("F. Text characteristics", f"Documents by kind: {kinds}. {counts['tokens']:,} tokens."),
        (
            "G. Recording quality",
            "Digital from the start: no recording, no recognition of characters. Texts that were not UTF-8 were "
            "decoded only where their charset is certain.",
        ),
        (
            "H. Other",
            f"Consent: contract `{escaped(release.contract_hash)}` (`contract.json`). "
            f"{sum(counts['replaced'].values()):,} places that held secrets or personal data are placeholders.",
        ),
        (
            "I. Provenance appendix",
            "Each document names its repository, path, commit by way of `ATTRIBUTION.md`, the SHA-256 of its text "
            "before cleaning and its leaf in the genome's manifest"
            + (f" (root `{escaped(release.genome_root)}`)." if release.genome_root else ".")
            + f" Made by coevo_pipelines {escaped(release.code_version)}.",
        ),
    )  # fmt: skip
    parts = [f"# Data statement: {escaped(title(release))}", WORLDS.get(release.world, "")]
    for heading, words in sections:
        parts += [f"## {heading}", words]
    return joined(*parts)
