"""Blueprints: what a model's corpus is made of. One TOML file a model; a few are shipped in `blueprints/`.

Which blueprints a lake follows is a setting (`corpora.blueprints`); all that is in a blueprint goes on record with
each release, by its SHA-256.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Kind = Literal["code", "prose", "data", "config", "notebook", "legal", "abstract", "readme", "card"]
Order = Literal["influence", "time", "genome", "shuffled"]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SHIPPED = Path(__file__).parent / "blueprints"

RESERVED = frozenset({"contracts", "documents", "duplicates", "losses", "releases", "chrysalides"})
"""Tables of the stage that are no corpus."""


class BlueprintError(ValueError):
    """A blueprint that cannot be read or makes no sense; the message names the file, the field and the way out."""


def _all_known(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """ValueError for a name that would silently select or leave out nothing."""
    names = list(dict.fromkeys(known))
    for each in given:
        if each not in names:
            folded = {name.lower(): name for name in names}
            close = difflib.get_close_matches(each.lower(), folded, n=1)
            hint = f" (did you mean {folded[close[0]]!r}?)" if close else f"; there are {', '.join(names)}"
            raise ValueError(f"no {what} is called {each!r}{hint}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Part):
    """Whom the corpus is for."""

    id: str = Field(
        min_length=1, max_length=200, description="as on the Hugging Face Hub, such as Qwen/Qwen3-0.6B-Base"
    )
    revision: str = Field(default="main", min_length=1, max_length=200, description="branch, tag or commit there")


class Narrowing(_Part):
    """Which documents. What is not given does not restrict; patterns are those of a shell, in which * takes / too."""

    repositories: tuple[str, ...] | None = Field(default=None, description="patterns of names in the genome")
    paths: tuple[str, ...] | None = Field(default=None, description="patterns of paths; texts of traces have none")
    kinds: tuple[Kind, ...] | None = Field(default=None, description="what a document is")
    languages: tuple[str, ...] | None = Field(default=None, description="programming or markup languages")
    topics: tuple[str, ...] | None = Field(default=None, description="followed topics of the work")
    chambers: tuple[str, ...] | None = Field(default=None, description="influence.chambers of the work")
    min_influence: float = Field(default=0.0, ge=0, le=1, description="least influence.scores.influence of the work")

    @field_validator("languages")
    @classmethod
    def _as_the_genome_names_them(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if given:
            from coevo_pipelines.genome.files import LANGUAGES

            _all_known(given, LANGUAGES.values(), "language")
        return given


class Selection(Narrowing):
    """Which documents a corpus is made of."""

    licenses: tuple[str, ...] | None = Field(default=None, description="SPDX ids; default: permissive ones")
    unknown_license: Literal["leave_out", "keep"] = Field(default="leave_out", description="where none is certain")

    @field_validator("licenses")
    @classmethod
    def _of_spdx(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if given:
            from coevo_pipelines.corpora.cleaning.licensing import evaluate

            evaluate(None, given)  # LicenceError names an entry that is none
        return given


class Stage(_Part):
    """A part of the curriculum. A document belongs to the first stage that takes it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    selection: Narrowing = Narrowing()
    weight: float = Field(default=1.0, gt=0, lt=1e9, description="of the token budget, beside the other stages")
    repeats: int = Field(default=1, ge=1, le=1000, description="most often that a document is seen")
    order: Order = Field(
        default="influence", description="genome: as packed; time: oldest first; shuffled: by the seed"
    )


class Framing(_Part):
    """How a document is put to the model. In templates, special tokens of the model stand as they are written, and
    {text}, {repo}, {path}, {title}, {language}, {license}, {version} and {instruction} for the document's own: what is
    written like a special token in those stays text."""

    kind: Literal["continuation", "chat", "instruction"] = "continuation"
    document: str = Field(default="{text}", description="template of a document of a repository")
    text: str | None = Field(default=None, description="template of a text of the traces; default: as `document`")
    instructions: dict[Kind, str] = Field(
        default_factory=dict, description="{instruction} by kind; own fields as above"
    )
    loss_on: Literal["all", "text"] = Field(default="all", description="tokens that training counts")

    @model_validator(mode="after")
    def _has_the_text(self) -> Framing:
        for name, template in (("document", self.document), ("text", self.text)):
            if template is not None and template.count("{text}") != 1:
                raise ValueError(f"{name}: a template has {{text}} exactly once")
        if self.kind == "chat" and self.document == "{text}":
            raise ValueError("framing as a chat needs a template in `document`, with the model's tokens for its turns")
        if self.kind == "instruction" and not (self.instructions and "{instruction}" in self.document):
            raise ValueError("framing by instruction needs `instructions` and {instruction} in the template")
        return self


class Preamble(_Part):
    """What opens every sequence."""

    kind: Literal["none", "contract", "system"] = "none"
    template: str = Field(default="{preamble}\n\n", description="with {preamble} once, and special tokens of the model")
    system_prompt: str | None = Field(default=None, description="kind system: the prompt")

    @model_validator(mode="after")
    def _complete(self) -> Preamble:
        if self.template.count("{preamble}") != 1:
            raise ValueError("template: has {preamble} exactly once")
        if (self.kind == "system") != (self.system_prompt is not None):
            raise ValueError("kind system and system_prompt go together")
        return self


class Exclusions(_Part):
    """What is left out, or replaced, whatever the selection says."""

    backups: bool = Field(default=True, description="copies that people keep beside a file, older numbered versions")
    vendored: bool = Field(default=True, description="other projects' files")
    generated: bool = Field(default=True, description="made by programs: lock files, compiled and minified code")
    logs: bool = Field(default=True, description="logs and outputs of runs")
    tests: bool = Field(default=False, description="test files")
    legal: bool = Field(default=True, description="licence texts (they go into the release's LICENSES instead)")
    paths: tuple[str, ...] = Field(default=(), description="patterns of paths")
    secrets: bool = Field(default=False, description="what holds a key or token; else placeholders stand for those")
    instructions: tuple[str, ...] = Field(default=(), description="rules of text that addresses models: left out")
    natural_languages: tuple[Annotated[str, Field(pattern="^[a-z]{2}$")], ...] | None = Field(
        default=None, description="ISO 639-1; prose in others is out"
    )

    @field_validator("instructions")
    @classmethod
    def _that_are_rules(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if given:
            from coevo_pipelines.corpora.cleaning.instructions import PATHS, RULES

            _all_known(given, [*RULES, *PATHS], "rule")
        return given


class Packing(_Part):
    """How documents become sequences of at most `context_length` tokens."""

    crossing: bool = Field(default=False, description="a document may go on in the next sequence")
    start_token: str | None = Field(default=None, description="opens each sequence")
    end_token: str | None = Field(default=None, description="closes each document")


class Splitting(_Part):
    """By work, so that no work is in two splits, by a hash of its id: it stays where it is when others come."""

    validation: float = Field(default=0.05, ge=0, lt=1)
    test: float = Field(default=0.05, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Splitting:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self


class Decontamination(_Part):
    """Documents that hold questions of evaluation sets are left out."""

    sets: tuple[str, ...] = Field(default=(), description="names in the setting corpora.evaluation_sets")
    ngram: int = Field(default=13, ge=3, le=50, description="words in a row that must be the same")


class Blueprint(_Part):
    """All that a corpus is made by."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$", description="as the file is called")
    description: str = ""
    model: Model
    tokenizer: str = Field(description="Hugging Face id, or path of a tokenizer.json or its folder, from the blueprint")
    tokenizer_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    context_length: int = Field(ge=16, le=2**24, description="tokens of a sequence at most")
    token_budget: int | None = Field(
        default=None, ge=1, le=2**48, description="tokens to train on; none: all there are"
    )
    history: Literal["none", "snapshot", "versions"] = Field(
        default="none", description="none: the day's text; snapshot: dated; versions: earlier ones too, in order"
    )
    selection: Selection = Selection()
    stages: tuple[Stage, ...] = Field(default=(Stage(name="all"),), min_length=1)
    framing: Framing = Framing()
    preamble: Preamble = Preamble()
    exclusions: Exclusions = Exclusions()
    quality: dict[str, float | bool] | Literal[False] = Field(
        default_factory=dict, description="limits of rules; false: not that rule, or none at all"
    )
    packing: Packing = Packing()
    split: Splitting = Splitting()
    decontamination: Decontamination = Decontamination()
    folder: Path = Field(exclude=True, description="where relative paths begin: that of its file")

    @field_validator("stages")
    @classmethod
    def _named_once(cls, given: tuple[Stage, ...]) -> tuple[Stage, ...]:
        names = [stage.name for stage in given]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two stages are named {min(twice)!r}")
        return given

    @model_validator(mode="after")
    def _possible(self) -> Blueprint:
        if self.quality:
            from coevo_pipelines.corpora.cleaning.quality import limits_of

            if wrong := [name for name, limit in self.quality.items() if limit is True]:
                raise ValueError(f"quality: {wrong[0]} = true: give its limit, or false for not this rule")
            limits_of(self.limits)
        if self.short_name in RESERVED:
            raise ValueError(f"name: {self.name!r} is a table of the stage itself")
        return self

    @property
    def limits(self) -> dict[str, float | None]:
        """Of the rules of quality: what is given, None for a rule that is not to be."""
        from coevo_pipelines.corpora.cleaning.quality import RULES

        given = dict.fromkeys(RULES, False) if self.quality is False else self.quality
        return {name: None if limit is False else float(limit) for name, limit in given.items()}

    @property
    def short_name(self) -> str:
        """Of its table in the lake: `corpora.<short_name>`."""
        return re.sub(r"[^a-z0-9]", "_", self.name)

    @property
    def table(self) -> str:
        return f"corpora.{self.short_name}"

    def told(self) -> dict[str, Any]:
        """For the record: every field, also those not given, as JSON takes them."""
        return self.model_dump(mode="json")


def shipped() -> list[str]:
    """Names of the shipped blueprints."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(given: str, folder: Path | None = None) -> Blueprint:
    """The blueprint of a shipped name, or of a TOML file (relative to `folder`, else the working directory).

    BlueprintError.
    """
    if given.endswith(".toml"):
        path = (folder or Path()) / given
        try:
            text = path.read_bytes().decode()
        except OSError as error:
            raise BlueprintError(f"blueprint {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BlueprintError(f"blueprint {path}: not UTF-8: {error.reason} at byte {error.start}") from error
        return parse(text, str(path), path.resolve().parent)
    if given not in shipped():
        close = difflib.get_close_matches(given, shipped(), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise BlueprintError(
            f"no blueprint is called {given!r}{hint}: name one of {', '.join(shipped())}, or a file that ends in .toml"
        )
    return parse((SHIPPED / f"{given}.toml").read_text("utf-8"), given, SHIPPED)


def parse(text: str, place: str, folder: Path) -> Blueprint:
    """The blueprint written in `text`; `place` names it in messages. BlueprintError."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BlueprintError(f"blueprint {place}: not valid TOML: {error}") from error
    if "folder" in found:
        raise BlueprintError(f"blueprint {place}: folder: not a field of a blueprint")
    stem = Path(place).name.removesuffix(".toml")
    try:
        blueprint = Blueprint(**{"name": stem, **found}, folder=folder)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "blueprint"
        raise BlueprintError(f"blueprint {place}: {field}: {first['msg'].removeprefix('Value error, ')}") from error
    if blueprint.name != stem:
        raise BlueprintError(f"blueprint {place}: name is {blueprint.name!r}, the file is called {stem!r}: one name")
    return blueprint


def load_all(given: tuple[str, ...], folder: Path | None = None) -> tuple[Blueprint, ...]:
    """Those of a lake, in order. BlueprintError, also where two would share a table."""
    found = tuple(load(each, folder) for each in given)
    for number, each in enumerate(found):
        for other in found[:number]:
            if other.table == each.table:
                raise BlueprintError(
                    f"blueprints {other.name!r} and {each.name!r} would both be the table {each.table}"
                )
    return found
