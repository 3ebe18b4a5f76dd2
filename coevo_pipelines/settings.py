"""Typed settings: topics, sources, time, lake root.

Read from, in falling priority: `COEVO_*` environment variables, the TOML file named by `COEVO_CONFIG`
(default `coevo.toml` in the working directory, when it exists), the defaults below. What belongs here is
what a user may want to change; what a stage needs to know about itself stays in the stage.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableSetting

from coevo_pipelines.influence.weights import RELATION_WEIGHT
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.decisions.minds import Minds
from coevo_pipelines.windows import Window, window_of

World = Literal["sample", "live"]
"""`sample`: the bundled offline world over HTTP on 127.0.0.1. `live`: the public services."""

SAMPLE_START = date(2019, 3, 25)
SAMPLE_HISTORY = date(1980, 1, 1)
SAMPLE_END = date(2019, 3, 31)
"""Its facts end on the 27th; the month's last day closes a monthly round."""
REGISTER = "register.toml"
"""Where the register is looked for when no setting says so; there it may be missing: nobody has claimed anything."""


class SettingsError(ValueError):
    """A setting is missing, unknown or has the wrong type; the message names it and the way out."""


class Topic(BaseModel):
    """What to follow: words for the paper indexes, topics on GitHub, tags on Hugging Face."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="short id, used in traces.works.topics")
    terms: tuple[str, ...] = Field(description="phrases searched in titles and abstracts (papers)")
    github_topics: tuple[str, ...] = Field(default=(), description="GitHub repository topics")
    huggingface_tags: tuple[str, ...] = Field(default=(), description="Hugging Face tags")
    arxiv_sets: tuple[str, ...] = Field(
        default=(), description="sets of arXiv's OAI-PMH that are listed, such as cs or physics:nlin; default: all"
    )


SWARM_INTELLIGENCE = Topic(
    name="swarm-intelligence",
    terms=(
        "swarm intelligence",
        "particle swarm",
        "ant colony",
        "artificial bee colony",
        "firefly algorithm",
        "grey wolf optimizer",
        "cuckoo search",
        "bat algorithm",
        "whale optimization",
        "stigmergy",
        "swarm robotics",
    ),
    github_topics=("swarm-intelligence", "particle-swarm-optimization", "ant-colony-optimization"),
    huggingface_tags=("swarm-intelligence",),
    arxiv_sets=("cs", "eess", "math", "q-bio", "stat", "physics:cond-mat", "physics:nlin", "physics:physics"),
)


class Source(BaseModel):
    """How one service is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(description="where it is asked; for the register a path or an address")
    min_interval_s: float = Field(ge=0, description="least time between two requests, over all processes")
    page_size: int = Field(ge=1, le=2000, description="entries asked for at once")
    enabled: bool = Field(default=True, description="false: nothing is asked, and its tables are not made")
    token: SecretStr | None = Field(default=None, description="API key or token; never stored with the data")
    daily_budget: int | None = Field(
        default=None,
        ge=1,
        description="most requests in a UTC day, over all lakes of this user; default: what the service gives, if it "
        "counts by the day (OpenAlex: 1,000, with a key 10,000)",
    )


class Http(BaseModel):
    """Patience and politeness, the same for every source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_timeout_s: float = Field(default=10.0, description="longest wait for a connection")
    read_timeout_s: float = Field(default=60.0, description="longest silence within an answer")
    answer_timeout_s: float = Field(default=300.0, gt=0, description="longest for one answer, to its last byte")
    retries: int = Field(default=4, ge=0, description="repeats after 429, 5xx or a broken connection")
    backoff_s: float = Field(default=1.0, ge=0, description="first pause; doubles each time")
    retry_after_cap_s: float = Field(default=120.0, ge=0, description="longest Retry-After that is waited for")
    max_body_mb: int = Field(default=64, ge=1, description="a larger answer is cut off and recorded as an error")
    contact: str = Field(default="", description="e-mail or URL for the User-Agent, as the services ask for")


class Influence(BaseModel):
    """How influence is counted. Weights without a published value are ours; each can be changed here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    damping: float = Field(default=0.5, ge=0, lt=1, description="chance that a reader follows a link (d)")
    tau_years: float = Field(default=2.6, gt=0, description="readers start at a work with weight exp(-age/tau)")
    uniform: bool = Field(default=False, description="readers start anywhere alike: textbook PageRank")
    relation_weight: dict[str, float] = Field(
        default_factory=lambda: dict(RELATION_WEIGHT), description="what a type of use weighs where it is present"
    )
    owner_cap: float = Field(
        default=0.02, gt=0, le=1, description="guarded: largest share of all starts at one owner's works"
    )
    fewest_neighbours: int = Field(default=3, ge=1, description="integrative potential is null below this")
    topic_fields: dict[str, str] = Field(
        default_factory=dict, description="topic or tag to arXiv category, added to the bundled map"
    )
    exact_betweenness: int = Field(default=5000, ge=0, description="works up to which betweenness is exact")
    resolution: float = Field(default=1.0, gt=0, description="of the chambers: higher makes more and smaller ones")
    seed: int = Field(default=0, ge=0, description="of chambers and sampled betweenness")
    window: int = Field(default=30, ge=1, description="partitions that persistence looks back on, the day included")
    crystal_core: int = Field(default=3, ge=1, description="a crystalline work keeps at least this core number")
    crystal_persistence: float = Field(default=0.5, ge=0, le=1, description="and at least this persistence")

    @field_validator("relation_weight")
    @classmethod
    def _every_relation(cls, given: dict[str, float]) -> dict[str, float]:
        """What is not named keeps its default; the order is always the same."""
        for name, weight in given.items():
            if name not in RELATION_WEIGHT:
                raise ValueError(f"unknown relation {name!r}; known: {', '.join(RELATION_WEIGHT)}")
            if not (weight >= 0 and isfinite(weight)):
                raise ValueError(f"the weight of {name} must be a number of at least 0, not {weight}")
        return {name: given.get(name, weight) for name, weight in RELATION_WEIGHT.items()}


class Policy(BaseModel):
    """By what merit a share of a round's money goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["IMMEDIATE", "RECENT", "BALANCED", "SPECIAL"] = Field(
        description="merit of the last days; older days count less; what lacks to one's share so far; one recipient"
    )
    share: Decimal = Field(default=Decimal(1), gt=0, description="beside the other policies of the round")
    days: int = Field(default=1, ge=1, description="IMMEDIATE: days whose merit counts, the last included")
    discount: Decimal = Field(default=Decimal("0.5"), ge=0, le=1, description="RECENT: what a day's merit loses a day")
    lookback: int = Field(default=90, ge=1, le=1000, description="RECENT: days looked back on")
    recipient: str | None = Field(default=None, description="SPECIAL: the person")
    memo: str | None = Field(default=None, description="SPECIAL: what for")
    most: int | None = Field(default=None, ge=0, description="SPECIAL: most that it may spend, minor units")

    @model_validator(mode="after")
    def _somebody(self) -> Policy:
        if self.name == "SPECIAL" and not (self.recipient and self.memo):
            raise ValueError("a SPECIAL policy names its recipient and, as memo, what for")
        return self


Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]


class Round(BaseModel):
    """A pool that is divided again and again. Amounts are in minor units: cents, say, or wei."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="stays as it is: the ledger goes by it")
    start: date = Field(description="first day that counts")
    pool: int = Field(ge=0, le=10**30, description="minor units that each period adds")
    currency: str = Field(default="EUR", min_length=1, description="ISO 4217 code or name of a token")
    decimals: int = Field(default=2, ge=0, le=18, description="digits of the currency behind the point")
    token: str | None = Field(default=None, description="ERC-20 address, for exports; none: the chain's own coin")
    period: Literal["day", "week", "month"] = Field(default="month", description="a week ends on Sunday")
    policies: tuple[Policy, ...] = Field(
        default=(Policy(name="IMMEDIATE"),),
        min_length=1,
        description="by what merit; several divide it by their shares",
    )
    floor: Share = Field(default=Decimal("0.1"), description="part of the pool divided equally among verified people")
    integration: Share = Field(default=Decimal("0.25"), description="part of merit by influence x potential (lambda)")
    keep: Share = Field(default=Decimal("0.5"), description="what a work keeps before what it stands on gets its part")
    cap: Decimal | None = Field(default=None, gt=0, le=1, description="most for one person, as part of the pool")
    minimum: int = Field(default=0, ge=0, description="least that is paid to one person, minor units")
    owner_cap: Decimal | None = Field(default=None, gt=0, le=1, description="most for all works of one owner")
    owner_minimum: Share = Field(default=Decimal(0), description="least for all works of one owner, part of merit")
    topic: str | None = Field(default=None, description="only works of this followed topic count")
    licenses: tuple[str, ...] | None = Field(default=None, description="only these may be paid; none: all may")
    escrow_days: int = Field(default=180, ge=1, description="how long held money waits before it goes back")

    @model_validator(mode="after")
    def _possible(self) -> Round:
        if self.keep == 0:
            raise ValueError("keep is 0: a work that keeps nothing passes credit on for ever")
        if self.cap is not None and self.minimum > int(self.pool * Fraction(self.cap)):
            raise ValueError(f"the minimum {self.minimum} is above the cap, {self.cap} of {self.pool}: nobody is paid")
        return self


class Genome(BaseModel):
    """Which repositories are an ecosystem, and what of them goes into the genome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repositories: tuple[str, ...] | None = Field(
        default=None,
        description="addresses or local paths, NAME=PLACE names one; default: composed ones in the sample, none live",
    )
    readmes: tuple[str, ...] = Field(default=(), description="repositories whose README links to others, as above")
    owners: tuple[str, ...] = Field(default=(), description="GitHub accounts: all their repositories")
    topics: tuple[str, ...] = Field(default=(), description="GitHub topics: all repositories that carry one")
    most_influential: int = Field(default=0, ge=0, description="so many repositories of traces.works, by influence")
    most_influential_topic: str | None = Field(default=None, description="of them, only those of this followed topic")
    first: tuple[str, ...] = Field(default=(), description="names that come first, in this order")
    last: tuple[str, ...] = Field(default=(), description="names that come last, in this order")
    extensions: tuple[str, ...] | None = Field(default=None, description="what is packed; default: code and text")
    all_text: bool = Field(default=False, description="everything that is text, whatever its extension")
    largest: int = Field(default=5_000_000, ge=0, description="bytes; larger files are listed only")
    strip_notebooks: bool = Field(default=True, description="notebooks go in without their outputs")
    archives: bool = Field(default=False, description="what is in zip and tar files goes in too, within limits")
    tokenizer: Path | None = Field(default=None, description="tokenizer.json that counts tokens; default: pieces")
    at_once: int = Field(default=4, ge=1, le=64, description="mirrors fetched at the same time")
    timeout_s: float = Field(default=600.0, gt=0, description="longest that one git command may take")
    depth: int | None = Field(default=None, ge=1, description="commits fetched of each branch; default: all")
    ssh: bool = Field(default=False, description="allow addresses of the ssh protocol")

    @model_validator(mode="after")
    def _that_can_be_read(self) -> Genome:
        """Mistakes are told when the settings are read, not in the middle of a run."""
        if self.repositories or self.readmes:
            from coevo_pipelines.genome.ecosystem import Listed, once, source_of

            once(Listed(source_of(text), "settings") for text in (*(self.repositories or ()), *self.readmes))
        if self.tokenizer is not None and not self.tokenizer.is_file():
            raise ValueError(f"tokenizer: {self.tokenizer} is no file: name a tokenizer.json")
        return self

    @field_validator("extensions")
    @classmethod
    def _with_dots(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for each in given or ():
            if not each.startswith(".") or each != each.lower():
                raise ValueError(f"{each!r}: an extension has its dot and is in lower case, such as .py")
        return given

    @field_validator("owners")
    @classmethod
    def _accounts(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if len(each) > 39 or not re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", each):
                raise ValueError(
                    f"{each!r}: a GitHub account is named by letters, digits and single hyphens between them, "
                    "at most 39, such as DEAP of github.com/DEAP/deap"
                )
        return given

    @field_validator("topics")
    @classmethod
    def _github_topics(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if len(each) > 50 or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", each):
                raise ValueError(
                    f"{each!r}: a GitHub topic has lower case letters, digits and hyphens, at most 50, "
                    "such as swarm-intelligence"
                )
        return given


class Corpora(BaseModel):
    """Which corpora are made, and how all of them are cleaned. What differs from model to model is in blueprints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blueprints: tuple[str, ...] | None = Field(
        default=None, description="shipped names, or files ending in .toml; default: two in the sample, none live"
    )
    tokenizers: dict[str, Path] = Field(
        default_factory=dict, description="tokenizer's Hugging Face id to its tokenizer.json or folder, if it is here"
    )
    trusted_keys: tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...] = Field(
        default=(), description="public keys (Ed25519, hex) of the people whose contracts count"
    )
    model_files: dict[str, Path] = Field(
        default_factory=dict, description="model id to its folder: its files must be those of the contract"
    )
    evaluation_sets: dict[str, Path] = Field(
        default_factory=dict, description="name to a file of questions (jsonl, json, parquet, csv, txt)"
    )
    jaccard: float = Field(default=0.8, ge=0.5, le=1, description="near-duplicates: least part of word 5-grams shared")
    personal_data: Literal["replace", "keep"] = Field(
        default="replace", description="e-mail, phone and the like become placeholders"
    )
    notebooks: Literal["strip", "keep"] = Field(default="strip", description="outputs, where the genome kept them")
    shard_mb: int = Field(default=256, ge=1, le=4096, description="size of a release's files")


class Hubs(BaseModel):
    """Healing hubs: what is kept of private places and of people, what is asked beside them, how needs are met."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home_km: float = Field(
        default=1.0, gt=0, le=100, description="places of private homes are moved to a grid as wide as this"
    )
    fewest_people: int = Field(default=10, ge=10, description="aggregates of fewer people are refused")
    around_km: float = Field(default=5.0, gt=0, le=200, description="species are looked for so near to a hub")
    farthest_km: float = Field(default=50.0, gt=0, description="how far a thing goes where its row does not say")
    fewest_hubs: int = Field(default=4, ge=3, description="of fewer hubs nothing is said about a practice")
    level: float = Field(default=0.95, ge=0.5, lt=1, description="of intervals")
    priority_points: int = Field(
        default=200, ge=0, le=10_000, description="what a step of priority weighs, against 1,000 for what is needed"
    )
    fairness_points: int = Field(
        default=500, ge=0, le=10_000, description="what the first part of a need weighs above its last"
    )
    km_points: int = Field(default=2, ge=0, le=1_000, description="what a kilometre costs")
    post_points: int = Field(default=100, ge=0, le=10_000, description="what sending by post costs")


class Swarm(BaseModel):
    """How the swarm is seeded from the graph, how long its days are, and by what parameters it lives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, ge=0, lt=2**63, description="of all random numbers")
    ticks_per_day: int | None = Field(default=None, ge=1, le=10_000, description="default: 1, in the sample 100")
    min_holders: int = Field(default=5, ge=1, description="a method is a pattern where so many organisms name it")
    methods: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="method to its phrases and tags, added to the bundled vocabulary"
    )
    blessed: Path | None = Field(
        default=None,
        description="YAML list of organisms; default blessed.yaml in the working directory, if it is there",
    )
    workers: int = Field(default=2, ge=1, le=256, description="threads; the result does not depend on it")
    minds: Minds = Field(default_factory=Minds, description="who is asked at levels 3 and 5 in place of a rule")
    parameters: Config = Field(default_factory=Config, description="of the simulation; hashed into every row")


def _sample_round() -> Round:
    """What is divided in the sample: play money, every day."""
    return Round(
        name="sample",
        start=SAMPLE_START,
        pool=100_000,
        period="day",
        policies=(Policy(name="IMMEDIATE", share=Decimal("0.6")), Policy(name="BALANCED", share=Decimal("0.4"))),
        cap=Decimal("0.25"),
        minimum=100,
    )


def _sources() -> dict[str, Source]:
    """How each service is asked by default; with the token that is in its usual variable."""
    from coevo_pipelines.scrapes.sources import services

    return {
        name: service.defaults.model_copy(update={"token": SecretStr(token)})
        if (token := os.environ.get(service.token_variable or ""))
        else service.defaults
        for name, service in services()
    }


def _owner(given: str) -> str:
    if not re.fullmatch(r"team:\S+|[^@\s]+@[^@\s]+\.[^@\s.]+", given):
        raise ValueError(f"{given!r} is no owner: write team:<name> or an e-mail address")
    return given


Owner = Annotated[str, AfterValidator(_owner)]


class Settings(BaseSettings):
    """Everything a user can set. `coevo settings` prints the values in force."""

    model_config = SettingsConfigDict(
        env_prefix="COEVO_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    source: World = Field(default="sample", description="sample (offline) or live")
    lake: Path | None = Field(
        default=None, description="folder of the lake; default data_lake, for live data_lake/live"
    )
    start_date: date | None = Field(default=None, description="first partition of the lake")
    history_from: date | None = Field(
        default=None, description="how far back the first partition reaches; default: not at all when live"
    )
    grace_hours: int = Field(
        default=48, ge=0, description="an answer seen this long after a day's end still counts as observed"
    )
    topics: tuple[Topic, ...] = Field(default=(SWARM_INTELLIGENCE,), description="what is followed")
    sources: dict[str, Source] = Field(default_factory=_sources, description="how each service is asked")
    http: Http = Field(default=Http(), description="patience and politeness, the same for every source")
    texts: Literal["all", "licensed", "free"] | None = Field(
        default=None,
        description="abstracts, READMEs and cards that traces.texts keeps: all; licensed: where a licence is given; "
        "free: where it asks for attribution at most. Default: all in the sample, licensed when live",
    )
    influence: Influence = Field(default=Influence(), description="how influence is counted")
    rounds: tuple[Round, ...] | None = Field(
        default=None, description="pools to divide among people; default: play money in the sample, none when live"
    )
    genome: Genome = Field(default_factory=Genome, description="which repositories are packed, and what of them")
    corpora: Corpora = Field(default_factory=Corpora, description="which models get a corpus, and how it is cleaned")
    hubs: Hubs = Field(default_factory=Hubs, description="healing hubs")
    swarm: Swarm = Field(default_factory=Swarm, description="the simulation on the graph")
    engine: str = Field(
        default="duckdb", description="where relations are computed: duckdb, or spark://host:port (Sail, Spark Connect)"
    )
    executor: Literal["in_process", "multiprocess"] = Field(
        default="in_process", description="how the Dagster UI and daemon run steps; coevo run is always one process"
    )
    dagster_home: Path | None = Field(
        default=None, description="run history; default $DAGSTER_HOME, else .dagster inside the lake"
    )
    owners: tuple[Owner, ...] = Field(
        default=("team:coevo",), min_length=1, description="whom the Dagster UI names beside every asset"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = config_file()
        from_file = (TomlConfigSettingsSource(settings_cls, path),) if path else ()
        return init_settings, env_settings, *from_file

    @model_validator(mode="before")
    @classmethod
    def _complete_sources(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A user names only what differs: the other fields of a source keep their defaults."""
        given = values.get("sources") or {}
        if not isinstance(given, dict):
            raise ValueError(f"sources: expected tables such as [sources.arxiv], found {given!r}")
        merged = {name: source.model_dump() for name, source in _sources().items()}
        for name, fields in given.items():
            if name not in merged:
                raise ValueError(f"unknown source {name!r}; known: {', '.join(sorted(merged))}")
            if not isinstance(fields, dict | Source):
                raise ValueError(f"sources.{name}: expected a table such as {{page_size = 100}}, found {fields!r}")
            merged[name] |= fields.model_dump() if isinstance(fields, Source) else fields
        return {**values, "sources": merged}

    @model_validator(mode="after")
    def _at_least_one_topic(self) -> Settings:
        if not self.topics:
            raise ValueError("topics is empty: name at least one topic to follow")
        return self

    @model_validator(mode="after")
    def _rounds_that_can_be(self) -> Settings:
        names = [each.name for each in self.rounds or ()]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two rounds are named {min(twice)!r}")
        topics = {topic.name for topic in self.topics}
        for each in self.rounds or ():
            if each.topic is not None and each.topic not in topics:
                raise ValueError(
                    f"round {each.name} is for topic {each.topic!r}; followed: {', '.join(sorted(topics))}"
                )
        return self

    @model_validator(mode="after")
    def _genome_of_a_followed_topic(self) -> Settings:
        topic, followed = self.genome.most_influential_topic, sorted(topic.name for topic in self.topics)
        if topic is not None and topic not in followed:
            raise ValueError(f"genome.most_influential_topic is {topic!r}; followed: {', '.join(followed)}")
        return self

    @model_validator(mode="after")
    def _blueprints_that_can_be_read(self) -> Settings:
        """Mistakes are told when the settings are read, not in the middle of a run."""
        from coevo_pipelines.corpora.blueprints import load_all

        for each in load_all(self.blueprints):
            for name in each.decontamination.sets:
                if name not in self.corpora.evaluation_sets:
                    raise ValueError(f"blueprint {each.name} names evaluation set {name!r}: add it to evaluation_sets")
                if not (path := self.corpora.evaluation_sets[name]).is_file():
                    raise ValueError(f"corpora.evaluation_sets.{name}: {path} is no file")
        return self

    @property
    def lake_root(self) -> Path:
        """Absolute path of the lake. Sample and live get different folders: they must never mix."""
        default = Path("data_lake") if self.source == "sample" else Path("data_lake") / "live"
        return (self.lake or default).resolve()

    @property
    def opening(self) -> date:
        """First partition of the lake."""
        return self.start_date or (SAMPLE_START if self.source == "sample" else date(2026, 1, 1))

    @property
    def closing(self) -> date | None:
        """Last partition of the lake; None: the day that is over last, also of a sample whose days are one's own."""
        return SAMPLE_END if self.source == "sample" and self.start_date is None else None

    @property
    def history(self) -> date:
        """Event times from here on belong to the opening partition."""
        return self.history_from or (SAMPLE_HISTORY if self.source == "sample" else self.opening)

    @property
    def reward_rounds(self) -> tuple[Round, ...]:
        """The rounds in force."""
        return ((_sample_round(),) if self.source == "sample" else ()) if self.rounds is None else self.rounds

    @property
    def stored_texts(self) -> Literal["all", "licensed", "free"]:
        """Which texts are kept; the sample's are all composed for it."""
        return self.texts or ("all" if self.source == "sample" else "licensed")

    @property
    def blueprints(self) -> tuple[str, ...]:
        """Those in force."""
        default = ("sample", "qwen3-0.6b-base") if self.source == "sample" else ()
        return default if self.corpora.blueprints is None else self.corpora.blueprints

    @property
    def ticks_per_day(self) -> int:
        """Of the swarm. The sample's three days must show something; live, a tick is a day."""
        return self.swarm.ticks_per_day or (100 if self.source == "sample" else 1)

    @property
    def grace(self) -> timedelta:
        return timedelta(hours=self.grace_hours)

    @property
    def dagster_home_path(self) -> Path:
        configured = self.dagster_home or os.environ.get("DAGSTER_HOME")
        return Path(configured).resolve() if configured else self.lake_root / ".dagster"

    def window(self, day: date) -> Window:
        """The span of event times of partition `day`; ValueError before the opening."""
        return window_of(day, self.opening, self.history)


def config_file() -> Path | None:
    """The settings file in force, or None. Raises SettingsError when COEVO_CONFIG names a missing one."""
    named = os.environ.get("COEVO_CONFIG")
    path = Path(named or "coevo.toml")
    if path.is_file():
        return path
    if named:
        raise SettingsError(f"COEVO_CONFIG names {named}, which is not a file")
    return None


def _no_misspelt_variable() -> None:
    """A COEVO_* variable that no setting reads is a typo: the run would go on with a default, say another lake."""
    known = {f"COEVO_{name.upper()}" for name in (*Settings.model_fields, "config")}
    for name in os.environ:
        if name.startswith("COEVO_") and name.upper().partition("__")[0] not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else f"; known: {', '.join(sorted(known))}"
            raise SettingsError(f"no setting is named by the variable {name}{hint}")


def load_settings(**overrides: Any) -> Settings:
    """Settings from `overrides` (None means: not given), the environment and the file, in that priority.

    Raises SettingsError naming the setting, where it was read and what was expected.
    """
    _no_misspelt_variable()
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "settings"
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{config_file() or 'COEVO_* variables'}: {place}: {message}") from error
    except UnreadableSetting as error:
        raise SettingsError(f"COEVO_* variables: {error} (lists and tables are given as JSON)") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config_file()}: not valid TOML: {error}") from error
