"""Which methods works name: a vocabulary of names and phrases, matched against tags and titles; which practices that
worked hubs name; and who is blessed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

SHIPPED = Path(__file__).with_name("methods.toml")
PRACTICE = "practice:"
"""What the name of a pattern begins with that is a practice of hubs, not a method of the vocabulary."""


class MethodsError(ValueError):
    """A vocabulary or a list of blessed organisms that cannot be used; the message names the place and the way out."""


@dataclass(frozen=True)
class Vocabulary:
    """Methods by the phrases that name them; each phrase in plain words (`_plain`), and of one method only."""

    phrases: Mapping[str, str]
    """Phrase in a title or tag -> method."""
    tags: Mapping[str, str]
    """Whole tag -> method."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(sorted({*self.phrases.values(), *self.tags.values()}))


def vocabulary(added: Mapping[str, Sequence[str]] | None = None) -> Vocabulary:
    """The shipped methods and `added` ones (name -> phrases), which may also give more phrases to a shipped one.

    Raises MethodsError for a name or phrase without a letter or digit, and for a phrase of two methods.
    """
    phrases, tags = dict(_shipped().phrases), dict(_shipped().tags)
    for name, more in (added or {}).items():
        if isinstance(more, str):
            raise MethodsError(f"method {name!r}: its phrases are one text; give a list: [{more!r}]")
        _enter(phrases, name, (name, *more), "the settings")
    return Vocabulary(phrases, tags)


@cache
def _shipped() -> Vocabulary:
    phrases: dict[str, str] = {}
    tags: dict[str, str] = {}
    for name, given in tomllib.loads(SHIPPED.read_text(encoding="utf-8")).items():
        _enter(phrases, name, (name, *given["phrases"]), SHIPPED.name)
        _enter(tags, name, given.get("tags", ()), SHIPPED.name)
    return Vocabulary(phrases, tags)


def _enter(known: dict[str, str], name: str, phrases: Sequence[str], place: str) -> None:
    given = pl.DataFrame({"text": phrases}, schema={"text": pl.String})
    for phrase, words in zip(phrases, given.select(_plain(pl.col("text")))["text"], strict=True):
        if not words:
            raise MethodsError(f"{place}: method {name!r} has the phrase {phrase!r}, which has no letter or digit")
        if known.setdefault(words, name) != name:
            raise MethodsError(
                f"{place}: the phrase {phrase!r} names two methods, {known[words]} and {name}: leave it to one"
            )


def _plain(text: pl.Expr) -> pl.Expr:
    """Letters and digits in lower case, words parted by single blanks, without accents, "optimis" as "optimiz"."""
    folded = text.str.normalize("NFKD").str.to_lowercase().str.replace_all(r"\p{M}+", "")
    words = folded.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars(" ")
    return words.str.replace_all("optimis", "optimiz", literal=True)


def methods_of(works: pl.DataFrame, known: Vocabulary) -> pl.DataFrame:
    """(node_id, pattern): the methods that works name, in order. works: node_id, title, tags.

    A phrase counts as whole words in the title or in a tag, with or without a last "s". A tag with a colon
    (`base_model:…`, `arxiv:…`) names something else than what the work is about.
    """
    tags = works.select("node_id", text="tags").explode("text", empty_as_null=False)
    tags = tags.filter(~pl.col("text").str.contains(":", literal=True))
    texts = pl.concat([works.select("node_id", text="title"), tags]).drop_nulls()
    texts = texts.with_columns(text=_plain(pl.col("text")))
    whole = tags.select("node_id", _plain(pl.col("text"))).join(_rows(known.tags), "text").select("node_id", "pattern")
    return pl.concat([whole, _named(texts, known)]).unique().sort("node_id", "pattern")


def pattern_of(practice: pl.Expr) -> pl.Expr:
    """The pattern that a practice of hubs is; `PRACTICE` alone where it has no letter or digit."""
    return pl.lit(PRACTICE) + _plain(practice)


def practices_of(hubs: pl.DataFrame, tried: pl.DataFrame) -> pl.DataFrame:
    """(node_id, pattern): which hubs do the practices of `tried`, in order. hubs: node_id, practices (what a hub says
    that it does); tried: node_id, pattern, … of hubs that measured what it did.

    Whoever measured it does it, and so does whoever has its words among what it does, by the rules of `methods_of`.
    """
    phrases = {name.removeprefix(PRACTICE): name for name in sorted(set(tried["pattern"]))}
    works = hubs.select("node_id", title=pl.lit(None, pl.String), tags="practices")
    named = methods_of(works, Vocabulary(phrases, {}))
    return pl.concat([named, tried.select("node_id", "pattern")]).unique().sort("node_id", "pattern")


def tried_of(sides: pl.DataFrame, worked: pl.DataFrame, harmed: pl.DataFrame) -> pl.DataFrame:
    """(node_id, pattern, side), in order: where practices that worked made it better (1), worse (-1) or neither (0).

    sides: node_id, practice, quantity, side. worked, harmed: practice, quantity. A hub may be on both sides, of
    different quantities. Where a practice that works by one quantity harms by another, its failures there count too;
    what is unclear does not, for it may be chance.
    """
    pair = ["practice", "quantity"]
    of_others = harmed.join(worked, "practice", how="semi")
    failed = sides.join(of_others, pair, how="semi").filter(pl.col("side") < 0)
    found = pl.concat([sides.join(worked, pair, how="semi"), failed])
    named = found.select("node_id", "side", pattern=pattern_of(pl.col("practice"))).filter(
        pl.col("pattern") != PRACTICE
    )
    return named.select("node_id", "pattern", "side").unique().sort("node_id", "pattern", "side")


def _named(texts: pl.DataFrame, known: Vocabulary) -> pl.DataFrame:
    # Between blanks, so that words are whole: one pass over all texts for all phrases, 4 s for a million titles.
    forms = {form: name for phrase, name in known.phrases.items() for form in (f" {phrase} ", f" {phrase}s ")}
    padded = pl.concat_str(pl.lit(" "), "text", pl.lit(" "))
    found = texts.select(
        "node_id", text=padded.str.extract_many(pl.Series(list(forms), dtype=pl.String).implode(), overlapping=True)
    )
    return found.explode("text", empty_as_null=False).join(_rows(forms), "text").select("node_id", "pattern")


def _rows(names: Mapping[str, str]) -> pl.DataFrame:
    rows = {"text": list(names), "pattern": list(names.values())}
    return pl.DataFrame(rows, schema={"text": pl.String, "pattern": pl.String})


def blessed(path: Path) -> tuple[str, ...]:
    """The organisms that a person blessed, in order: a YAML file with one list of organism ids.

    Raises MethodsError for a file that is not there, is no UTF-8 or YAML, or holds anything else.
    """
    import yaml

    try:
        given: Any = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise MethodsError(f"{path}: there is no such file (list of blessed organisms)") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # Not chained: a run tells the innermost cause alone, and that does not name the file.
        raise MethodsError(f"{path}: not a YAML file in UTF-8: {error}") from None
    if given is None:
        return ()
    if not isinstance(given, list):
        raise MethodsError(f"{path}: give a list of organism ids, one a line: - github:ada/swarm")
    for place, each in enumerate(given, start=1):
        if not isinstance(each, str) or not each.strip():
            raise MethodsError(f"{path}: entry {place} is {each!r}: give the id of an organism as text")
    return tuple(sorted({each.strip() for each in given}))
