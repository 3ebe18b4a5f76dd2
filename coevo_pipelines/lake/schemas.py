"""The one registry of table schemas.

It drives the Polars and DuckDB types, the checks of every write, Dagster's column metadata, the comments
in the catalog and the data dictionary. A table's key is also its sort order in the file. The partition
date is not a column of the file: it is in the path (`date=YYYY-MM-DD`), where any engine finds it.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

ColumnType = Literal[
    "string", "int64", "amount", "bool", "float64", "timestamp", "binary", "list[string]", "list[int32]", "list[bool]"
]

DUCKDB_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "amount": "DECIMAL(38,0)",
    "bool": "BOOLEAN",
    "float64": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "binary": "BLOB",
    "list[string]": "VARCHAR[]",
    "list[int32]": "INTEGER[]",
    "list[bool]": "BOOLEAN[]",
}


class SchemaError(ValueError):
    """A frame or file does not fit its table; the message names table, date, column and the way out."""


@dataclass(frozen=True)
class Column:
    """One column: its type and what may be in it."""

    name: str
    type: ColumnType
    description: str
    nullable: bool = False
    enum: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of the lake; `name` is also asset key, DuckDB name and folder."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    not_in_catalog: tuple[str, ...] = ()
    """Columns that stay in Parquet only (raw bodies would double the lake)."""

    @property
    def stage(self) -> str:
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2]

    @property
    def in_sql(self) -> str:
        """As DuckDB reads it: the name of a blueprint's table may begin with a digit."""
        return f'{self.stage}."{self.short_name}"'

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 over names, types, constraints and key: changes when the contract does, not the prose."""
        contract = [{k: v for k, v in asdict(column).items() if k != "description"} for column in self.columns]
        text = json.dumps({"key": self.key, "columns": contract}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def polars_schema(self) -> dict[str, pl.DataType]:
        import polars as pl

        types: dict[str, pl.DataType] = {
            "string": pl.String(),
            "int64": pl.Int64(),
            "amount": pl.Decimal(38, 0),
            "bool": pl.Boolean(),
            "float64": pl.Float64(),
            "timestamp": pl.Datetime("us", "UTC"),
            "binary": pl.Binary(),
            "list[string]": pl.List(pl.String()),
            "list[int32]": pl.List(pl.Int32()),
            "list[bool]": pl.List(pl.Boolean()),
        }
        return {column.name: types[column.type] for column in self.columns}

    def empty(self) -> pl.DataFrame:
        import polars as pl

        return pl.DataFrame(schema=self.polars_schema())


def conform(table: Table, frame: pl.DataFrame, place: str) -> pl.DataFrame:
    """`frame` with the table's columns in order, types cast, constraints checked, sorted by the key.

    `place` (such as `date=2026-11-03`) goes into the messages. Raises SchemaError for an unknown, missing
    or mistyped column, a null where none may be, a value outside enum or range, or a duplicate key.
    """
    import polars as pl

    where = f"{table.name} {place}"
    wanted = table.polars_schema()
    for name in frame.columns:
        if name not in wanted:
            close = difflib.get_close_matches(name, wanted, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise SchemaError(f"{where}: column {name!r} is not in the schema{hint}")
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise SchemaError(f"{where}: column {missing[0]!r} is missing")
    for name, dtype in wanted.items():
        found = frame.schema[name]
        if found not in (dtype, pl.Null) and not (found.is_integer() and dtype.is_integer()):
            raise SchemaError(f"{where}: column {name!r} is {found}, the schema says {dtype}")
    result = frame.select(pl.col(name).cast(dtype) for name, dtype in wanted.items())
    problems = violations(table, result)
    if problems:
        raise SchemaError(f"{where}: {problems[0]}")
    return result.sort(table.key, maintain_order=True)


def violations(table: Table, frame: pl.DataFrame) -> list[str]:
    """What in `frame` breaks the table's constraints, one readable line each; empty when all is well."""
    import polars as pl

    found: list[str] = []
    for column in table.columns:
        series = frame[column.name]
        if not column.nullable and series.null_count():
            found.append(f"column {column.name!r} has {series.null_count()} null(s) and may have none")
        if column.enum is not None:
            values = series.drop_nulls().unique().sort()
            strange = values.filter(~values.is_in(column.enum))
            if len(strange):
                found.append(f"column {column.name!r} holds {strange[0]!r}; allowed: {', '.join(column.enum)}")
        for bound, ok in ((column.minimum, pl.Series.ge), (column.maximum, pl.Series.le)):
            if bound is not None and not ok(series.drop_nulls(), bound).all():
                found.append(f"column {column.name!r} has a value outside {column.minimum}..{column.maximum}")
    duplicates = frame.select(pl.struct(table.key).is_duplicated().sum()).item() if frame.height else 0
    if duplicates:
        first = frame.filter(pl.struct(table.key).is_duplicated()).select(table.key).row(0)
        found.append(f"{duplicates} rows share a key ({', '.join(table.key)}), first {first!r}")
    return found


SOURCES = (
    "arxiv", "github", "huggingface", "openalex", "register", "semanticscholar", "crossref", "arxiv_oai",
    "hubs", "gbif", "nasa_power",
)  # fmt: skip

_RAW_SHA256 = Column("raw_sha256", "string", "sha256 of the raw body that said so (scrapes.*.body_sha256)")
_EVENT_AT = Column("event_at", "timestamp", "when it happened (UTC)")
_OBSERVED_AT = Column("observed_at", "timestamp", "when we saw it (UTC)")
_SOURCE = Column("source", "string", "which service said so", enum=SOURCES)

RELATIONS = ("derives_from", "trained_on", "depends_on", "cites", "mentions")
KINDS = ("paper", "repository", "model", "dataset", "space", "hub_dataset")
METRICS = ("stars", "forks", "likes", "downloads", "citations")
CHANNELS = (
    "ethereum",
    "drips",
    "github_sponsors",
    "open_collective",
    "paypal",
    "bank",
    "liberapay",
    "patreon",
    "ko_fi",
    "other",
)


HELD = (
    "retracted", "licence", "work_opted_out", "owner_opted_out",
    "opted_out", "disputed", "unknown_person", "unverified",
)  # fmt: skip
"""Why money is held back, the weightiest first: the first four are about a work, the others about a person."""

EVENTS = ("created", "updated", "listed")
STATUSES = ("active", "archived", "gated", "withdrawn", "gone", "blocked", "private", "renamed")
"""What access there is to a work. `gone`: deleted or private, where the service answers both alike; `renamed`: under
another name, which `traces.identities` has. An event `updated` of one of these is dated by when it was seen."""
NOT_PUBLIC = ("withdrawn", "gone", "blocked", "private")
"""What may not be passed on any more."""
LISTED_BY = ("settings", "readme", "owner", "topic", "works")
FILE_REASONS = (
    "packed", "submodule", "symlink", "lfs_pointer", "extension", "too_large", "binary", "undecodable",
    "archive_limit", "archive_damaged",
)  # fmt: skip
"""What became of a file in the genome: genome/files.py, genome/archives.py."""

CONTRACT_STATUSES = ("invited", "accepted", "declined", "ambiguous", "revoked", "damaged")
"""What a model answered, or that the record cannot be read: corpora/consent/contracts.py."""

DOCUMENT_KINDS = ("code", "prose", "data", "config", "notebook", "legal", "abstract", "readme", "card")
"""What a document of a corpus is: corpora/cleaning/paths.py; the last three are texts of the traces."""

SWARM_TIERS = ("YOUNG", "ADULT", "ELDER", "LOVE_CHILD")
IMPORTANCES = ("critical", "standard", "experimental")
WINNERS = ("teacher", "student", "hybrid")
DISTRIBUTIONS = ("broadcast", "lovechild", "organic")
DECIDERS = ("nyx", "chrysalis", "dafit_standin", "dafit_human", "council_standin", "council_human")
LEDGER_KINDS = (
    "opening", "income", "clasp", "wait", "level_2", "level_3", "level_4", "level_5", "resolution", "broadcast", "seed",
    "prediction", "calibration", "causal", "upkeep", "correction", "estate",
)  # fmt: skip
"""What lifeforce moves for: swarm/tick/ledger.py."""

HUB_KINDS = ("food", "housing", "clothing", "professionalization", "health_care", "connection_and_expression")
"""What a hub restores."""
DATA_FORMATS = ("csv", "geojson", "geoparquet", "image", "audio")
"""Of a hub's files; the last two are named by address and hash, never fetched."""
TABLE_ROLES = ("needs", "offers", "outcomes", "measurements")
"""What a table of a hub says; other files of it are `media`."""
UNMATCHED = ("no_such_offer", "other_unit", "too_far", "other_time", "taken", "not_worth_it")
"""Why a need got nothing, or not all: the first that holds: hubs/matching."""
VERDICTS = ("works", "harms", "unclear", "too_few")
"""What the data say of a practice: hubs/strategies.py."""

_PROVENANCE = (
    Column("simulated", "bool", "true: nothing here happened; the swarm is a simulation"),
    Column("run_id", "string", "hash of configuration, seed and world: the same in every row of a simulation"),
    Column("config_hash", "string", "SHA-256 of the configuration as canonical JSON"),
    Column("seed", "int64", "of all random numbers", minimum=0),
    Column("inputs", "string", "SHA-256 over the data versions that the day was made from; empty without a lake"),
    Column("code_version", "string", "of the package"),
)

_HUB = (
    Column("kind", "string", "what it restores", enum=HUB_KINDS),
    Column("title", "string", "its name for people"),
    Column("description", "string", "as given", nullable=True),
    Column("latitude", "float64", "degrees, WGS84, coarsened where it is a private home", minimum=-90, maximum=90),
    Column("longitude", "float64", "degrees, WGS84", minimum=-180, maximum=180),
    Column("area", "string", "GeoJSON geometry (WGS84), where it is more than a point", nullable=True),
    Column("coarsened_km", "float64", "grid to which a private home's place was moved; null: as given", nullable=True),
    Column("place", "string", "its place in words", nullable=True),
    Column("practices", "list[string]", "what it does, in lower case"),
    Column("capacity", "string", "how many or how much it can take, in words", nullable=True),
    Column("languages", "list[string]", "BCP 47"),
    Column("license", "string", "of its data, SPDX identifier or name as given"),
    Column("contact", "string", "page for a person"),
    Column("consent_by", "string", "who agreed to publish"),
    Column("consent_at", "timestamp", "when (UTC)"),
    Column("soil", "string", "as given", nullable=True),
    Column("climate", "string", "Köppen-Geiger class", nullable=True),
    Column("method", "string", "how its numbers are found, as given", nullable=True),
    Column("since", "timestamp", "when it was first published (UTC)"),
)
"""What a package says of its hub."""
_OF_HUB = (Column("hub_id", "string", "hubs.packages.hub_id"), _EVENT_AT)
_MARKET = (
    Column("kind", "string", "what it restores", enum=HUB_KINDS),
    Column("item", "string", "what, in lower case"),
    Column("unit", "string", "UCUM code"),
)

_CORPUS = re.compile(r"corpora\.[a-z0-9_]+")


def _exchanges(source: str, service: str) -> Table:
    return Table(
        name=f"scrapes.{source}",
        description=f"Raw HTTP exchanges with {service}, one row an exchange, append-only; "
        "bodies are in the Parquet files only.",
        key=("capture", "sequence"),
        columns=(
            Column("capture", "int64", "1 for the day's first scrape, 2 for the next, …", minimum=1),
            Column("sequence", "int64", "order of the exchange within its capture, from 1", minimum=1),
            Column("method", "string", "HTTP method"),
            Column("url", "string", "request URL with secrets redacted; sample:// marks the bundled sample"),
            Column("topic", "string", "followed topic that was asked for, if any", nullable=True),
            Column("status", "int64", "HTTP status; null when no answer came", nullable=True),
            Column("headers", "string", "answer headers as JSON, secrets redacted"),
            Column("fetched_at", "timestamp", "when the answer came (UTC)"),
            Column("body", "binary", "body after content decoding"),
            Column("body_bytes", "int64", "length of the body", minimum=0),
            Column("body_sha256", "string", "sha256 of the body"),
            Column("error", "string", "why no usable answer came", nullable=True),
        ),
        not_in_catalog=("body",),
    )


_TABLES = (
    _exchanges("arxiv", "the arXiv query API"),
    _exchanges("github", "the GitHub REST API"),
    _exchanges("huggingface", "the Hugging Face Hub"),
    _exchanges("openalex", "OpenAlex"),
    _exchanges("register", "the round keeper's register of claims, opt-outs and shares"),
    _exchanges("semanticscholar", "Semantic Scholar"),
    _exchanges("crossref", "Crossref"),
    _exchanges("arxiv_oai", "arXiv's OAI-PMH"),
    _exchanges("hubs", "places where healing hubs publish their packages"),
    _exchanges("gbif", "GBIF, the Global Biodiversity Information Facility"),
    _exchanges("nasa_power", "NASA POWER, daily climate of a place"),
    Table(
        name="traces.works",
        description="What happened to a work on a day: it appeared, it changed, or it was seen on an account's list.",
        key=("work_id", "source", "event_at"),
        columns=(
            Column("work_id", "string", "canonical prefixed identifier, such as arxiv:1712.06567"),
            _SOURCE,
            Column("kind", "string", "what it is", enum=KINDS),
            Column("event", "string", "what happened; listed: it was there at the day's end", enum=EVENTS),
            _EVENT_AT,
            Column("title", "string", "title or repository name as given"),
            Column("created_at", "timestamp", "when the work first appeared (v1 date, repository creation)"),
            Column("version", "string", "version, revision or commit, where the source gives one", nullable=True),
            Column("status", "string", "what access there is; gone: deleted or private", enum=STATUSES),
            Column("license", "string", "SPDX identifier or the source's own licence name", nullable=True),
            Column("owner", "string", "account that holds it, such as github:ljvmiranda921", nullable=True),
            Column("native_id", "string", "the source's own id; it survives a rename", nullable=True),
            Column("url", "string", "page for a person", nullable=True),
            Column("fields", "list[string]", "arXiv categories or the source's subject labels"),
            Column("tags", "list[string]", "topics and tags as given"),
            Column("topics", "list[string]", "followed topics that it was found under or names in title or tags"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.references",
        description="One work naming another, with the exact place; not yet resolved.",
        key=("source_id", "target_id", "relation", "evidence"),
        columns=(
            Column("source_id", "string", "the work that uses"),
            Column("target_id", "string", "the work used, identifier as canonical as its form allows"),
            Column("relation", "string", "kind of use", enum=RELATIONS),
            _EVENT_AT,
            Column("evidence", "string", "where exactly: field, tag, file and line"),
            _SOURCE,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.metrics",
        description="Counters, true only when observed: null where nobody looked in time.",
        key=("work_id", "metric"),
        columns=(
            Column("work_id", "string", "the work counted"),
            Column("metric", "string", "which counter", enum=METRICS),
            Column("value", "int64", "the count as of the day's end; null when not observed", nullable=True, minimum=0),
            _EVENT_AT,
            _SOURCE,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.people",
        description="People and accounts behind a work, as the source names them; nobody is merged by name.",
        key=("work_id", "source", "role", "position"),
        columns=(
            Column("work_id", "string", "the work"),
            _SOURCE,
            Column("role", "string", "what they did", enum=("author", "owner")),
            Column("position", "int64", "order as given, from 1", minimum=1),
            Column("name", "string", "name as given, Unicode, LaTeX decoded", nullable=True),
            Column("orcid", "string", "ORCID iD, bare", nullable=True),
            Column("account", "string", "account, such as github:NiaOrg", nullable=True),
            _EVENT_AT,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.identities",
        description="Assertions that two identifiers name the same work; they can be taken back.",
        key=("left_id", "right_id", "evidence"),
        columns=(
            Column("left_id", "string", "identifier, the smaller of the two"),
            Column("right_id", "string", "identifier, the larger of the two"),
            Column("same", "bool", "true: the same work; false: an earlier assertion is taken back"),
            _EVENT_AT,
            Column("evidence", "string", "which field of which source says so"),
            _SOURCE,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.claims",
        description="Who claims to be whom, as it stands at the day's end: the whole register, not what is new. "
        "A subject that two persons claim has two rows.",
        key=("person_id", "subject"),
        columns=(
            Column("person_id", "string", "a person of the register, such as person:ada"),
            Column("subject", "string", "an account, orcid:… or <work>#<position>, as written (accounts: in any case)"),
            Column("name", "string", "name as given", nullable=True),
            Column("proof", "string", "what was checked; null: the claim is not verified", nullable=True),
            _EVENT_AT,
            _SOURCE,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.payouts",
        description="Where somebody or something can be paid: of persons, as the register stands at the day's end; "
        "of works and owners, as their files were seen on the day.",
        key=("subject", "channel", "address", "source"),
        columns=(
            Column("subject", "string", "person of the register, owner's account, or work"),
            Column("channel", "string", "by which way", enum=CHANNELS),
            Column("address", "string", "account, address or link there, as given"),
            _SOURCE,
            _EVENT_AT,
            Column("evidence", "string", "where exactly: file and line or field"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.optouts",
        description="Who and what is not to be paid, as it stands at the day's end: the whole register.",
        key=("scope", "subject"),
        columns=(
            Column("scope", "string", "what is taken out", enum=("person", "owner", "work")),
            Column("subject", "string", "person or what stands for one, owner's account, or work"),
            Column("reason", "string", "as given", nullable=True),
            _EVENT_AT,
            _SOURCE,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.contributions",
        description="Who did how much for a work: shares and CRediT roles as the register stands at the day's end, "
        "commits and listed contributors as seen on the day.",
        key=("work_id", "contributor", "basis", "source"),
        columns=(
            Column("work_id", "string", "the work"),
            Column("contributor", "string", "account, orcid:…, person:…, <work>#<position>, or a bare name"),
            Column("basis", "string", "what is counted", enum=("share", "credit", "commits", "author")),
            _SOURCE,
            Column("amount", "int64", "shares of one unit of the work's own, roles, or commits; else 1", minimum=0),
            Column("is_bot", "bool", "a program: left out where credit is given"),
            _EVENT_AT,
            Column("evidence", "string", "where exactly: file or answer, and field"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="traces.texts",
        description="What works say of themselves, as found in the answers; text in Parquet only. READMEs and cards of "
        "a past day are those of the moment when they were seen.",
        key=("work_id", "kind", "source", "event_at"),
        columns=(
            Column("work_id", "string", "the work"),
            Column("kind", "string", "which text of it", enum=("abstract", "readme", "card")),
            _SOURCE,
            _EVENT_AT,
            Column("license", "string", "of the text: SPDX identifier or the source's own name", nullable=True),
            Column("sha256", "string", "of the text, UTF-8"),
            Column("text", "string", "README or card as given, abstract with its lines joined into paragraphs"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
        not_in_catalog=("text",),
    ),
    Table(
        name="traces.rejects",
        description="What could not be read, or does not belong to the day, with the reason. Nothing is dropped.",
        key=("source", "raw_sha256", "locator", "reason"),
        columns=(
            _SOURCE,
            Column("locator", "string", "which part of the body: entry, key or line"),
            Column("reason", "string", "why it was rejected"),
            _EVENT_AT,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="citations.nodes",
        description="Nodes of the citation and lineage graph that first appear on the day; stubs are only named.",
        key=("node_id",),
        columns=(
            Column("node_id", "string", "identifier that stands for the work as of the day"),
            Column("node", "int64", "integer number: days since 1970 times 2^32 plus rank in the day", minimum=0),
            Column("is_stub", "bool", "true: referenced, but no trace of the work itself by the day's end"),
            Column("kind", "string", "what it is; null for a stub", nullable=True, enum=KINDS),
            Column("title", "string", "title; null for a stub", nullable=True),
            Column("owner", "string", "account that holds it", nullable=True),
            Column("created_at", "timestamp", "when the work appeared; null for a stub", nullable=True),
            Column("event_at", "timestamp", "first fact of the day that names it (UTC)"),
        ),
    ),
    Table(
        name="citations.aliases",
        description="Identifiers that on the day got another representative: what stands for them from then on. "
        "As of a day the latest row counts; an identifier without one stands for itself.",
        key=("id",),
        columns=(
            Column("id", "string", "an identifier, as sources write it"),
            Column("node_id", "string", "what stands for it from the day on; itself, when it was let go again"),
        ),
    ),
    Table(
        name="citations.resolutions",
        description="Nodes that changed standing on the day: a stub got its work, or another node stands for it "
        "because two identifiers proved to be one work.",
        key=("node_id",),
        columns=(
            Column("node_id", "string", "a node of an earlier day"),
            Column("resolved_id", "string", "what stands for it from then on; itself, when a stub got its work"),
            Column("was_stub", "bool", "true: it was only named before the day"),
            Column("resolved_created_at", "timestamp", "when the resolved work appeared", nullable=True),
            Column("kind", "string", "what the resolved work is", nullable=True, enum=KINDS),
            Column("title", "string", "title of the resolved work", nullable=True),
        ),
    ),
    Table(
        name="citations.edges",
        description="Typed, dated links from the user of a work to the work used; one per source, target, relation.",
        key=("source", "target", "relation"),
        columns=(
            Column("source", "string", "node that uses"),
            Column("target", "string", "node used"),
            Column("relation", "string", "kind of use", enum=RELATIONS),
            Column("source_node", "int64", "citations.nodes.node of the source", minimum=0),
            Column("target_node", "int64", "citations.nodes.node of the target", minimum=0),
            Column("weight", "int64", "0 for links within one work, owner or author set, else 1", minimum=0, maximum=1),
            Column(
                "own", "string", "why the weight is 0", nullable=True,
                enum=("self_loop", "same_owner", "same_authors"),
            ),
            Column("target_is_stub", "bool", "true: the target is only named, as of the day"),
            _EVENT_AT,
            Column("evidence", "string", "where exactly"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="citations.quarantine",
        description="Links left out of the edges, with the reason.",
        key=("source", "target", "relation"),
        columns=(
            Column("source", "string", "node that uses"),
            Column("target", "string", "node used"),
            Column("relation", "string", "kind of use", enum=RELATIONS),
            Column("reason", "string", "why", enum=("target_newer_than_source",)),
            Column("target_created_at", "timestamp", "when the target appeared"),
            _EVENT_AT,
            Column("evidence", "string", "where exactly"),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="influence.scores",
        description="Influence of every work as of the day, and what is shown beside it.",
        key=("node_id",),
        columns=(
            Column("node_id", "string", "the work: a node that stands for itself as of the day"),
            Column("influence", "float64", "PageRank with dated starts and typed links; all works sum to 1", minimum=0),
            Column("inflow", "float64", "what arrives over links, as a share of all that does (open mode)", minimum=0),
            Column("guarded_influence", "float64", "influence in guarded mode", minimum=0),
            Column("guarded_inflow", "float64", "inflow in guarded mode: what money goes by", minimum=0),
            Column(
                "rescaled_influence", "float64", "standard deviations from the works nearest in age; null where alike",
                nullable=True,
            ),
            Column("traffic", "float64", "CiteRank: expected visits, relations not weighed", minimum=0),
            Column("in_degree", "int64", "other works that use it", minimum=0),
            Column("citations", "int64", "other works that cite it", minimum=0),
            Column(
                "cd_index", "float64", "disruption over five years, of the works so far; null without references",
                nullable=True, minimum=-1, maximum=1,
            ),
            Column("betweenness", "float64", "shortest paths through it, undirected, unnormalised", minimum=0),
            Column("betweenness_is_exact", "bool", "false: estimated from sampled pivots"),
            Column("field", "string", "arXiv category of the work or of its topics; null when unknown", nullable=True),
            Column("neighbours_in", "int64", "works with a field that build on it", minimum=0),
            Column("neighbours_out", "int64", "works with a field that it builds on", minimum=0),
            Column(
                "delta_in", "float64", "Rao-Stirling diversity of the fields that build on it", nullable=True,
                minimum=0, maximum=1,
            ),
            Column(
                "delta_out", "float64", "Rao-Stirling diversity of the fields that it builds on", nullable=True,
                minimum=0, maximum=1,
            ),
            Column("fields_in", "float64", "effective number of fields that build on it", nullable=True, minimum=1),
            Column("fields_out", "float64", "effective number of fields that it builds on", nullable=True, minimum=1),
            Column(
                "integrative_potential", "float64", "1 - sqrt((1 - delta_in)(1 - delta_out)); null below 3 neighbours",
                nullable=True, minimum=0, maximum=1,
            ),
        ),
    ),
    Table(
        name="influence.fields",
        description="How far apart the fields are, from the links before the first of the month: frozen for a month.",
        key=("field", "other"),
        columns=(
            Column("field", "string", "arXiv category, the smaller name of the two"),
            Column("other", "string", "arXiv category, the larger name"),
            Column("distance", "float64", "1 - cosine of their citation profiles", minimum=0, maximum=1),
        ),
    ),
    Table(
        name="influence.chambers",
        description="Resonance chambers: communities of the graph as of the day, recognised from day to day.",
        key=("chamber_id",),
        columns=(
            Column("chamber_id", "string", "day on which it first appeared, and a number"),
            Column("size", "int64", "works in it", minimum=2),
            Column("links", "int64", "linked pairs inside", minimum=0),
            Column("density", "float64", "linked pairs of all possible ones", minimum=0, maximum=1),
            Column(
                "conductance", "float64", "share of its links that lead out; null where nothing else is linked",
                nullable=True, minimum=0, maximum=1,
            ),
            Column("modularity", "float64", "what it adds to the modularity of the partition"),
            Column("leading_works", "list[string]", "the most influential works in it"),
            Column("leading_terms", "list[string]", "words of its titles that other chambers use less"),
            Column("event", "string", "what happened", enum=("appeared", "continued", "merged", "split")),
            Column("origins", "list[string]", "chambers of the day before that it comes from"),
            Column(
                "jaccard", "float64", "overlap with the chamber whose id it keeps", nullable=True, minimum=0, maximum=1
            ),
        ),
    ),
    Table(
        name="influence.lattice",
        description="Where each work sits: its chamber, how deep in the graph, and for how long.",
        key=("node_id",),
        columns=(
            Column("node_id", "string", "the work"),
            Column("chamber_id", "string", "influence.chambers; null for a work without one", nullable=True),
            Column("core_number", "int64", "largest k such that it is in the k-core; 0 without links", minimum=0),
            Column(
                "persistence", "float64", "mean persistence of its links; null without links", nullable=True,
                minimum=0, maximum=1,
            ),
            Column("is_crystalline", "bool", "core number and persistence kept their thresholds all the window"),
        ),
    ),
    Table(
        name="influence.bonds",
        description="Linked pairs of works, and how long both have been in one chamber.",
        key=("work_id", "other_id"),
        columns=(
            Column("work_id", "string", "the smaller identifier of the two"),
            Column("other_id", "string", "the larger identifier"),
            Column("together", "int64", "partitions of the window in which both were in the same chamber", minimum=0),
            Column("days", "int64", "partitions in the window", minimum=1),
            Column("persistence", "float64", "together / days", minimum=0, maximum=1),
        ),
    ),
    Table(
        name="influence.people",
        description="Scores carried to people by fractional counting; nobody is merged by name.",
        key=("person_id",),
        columns=(
            Column("person_id", "string", "ORCID iD, else account, else work and place in its list of authors"),
            Column("name", "string", "a name as given", nullable=True),
            Column("works", "int64", "works that count for the person", minimum=1),
            Column("influence", "float64", "part of the works' influence", minimum=0),
            Column("inflow", "float64", "part of the works' inflow", minimum=0),
            Column("guarded_inflow", "float64", "part of the works' inflow in guarded mode", minimum=0),
        ),
    ),
    Table(
        name="rewards.eligibility",
        description="Who may be paid, and for how much merit, in each round as of the day; what is held back, and why.",
        key=("round", "person_id", "subject", "owner"),
        columns=(
            Column("round", "string", "name of the round (setting rounds)"),
            Column("person_id", "string", "person of a claim, else ORCID iD, account, or work and place in its list"),
            Column("subject", "string", "what decides: the person, or the work whose part is held back"),
            Column("owner", "string", "account that holds the works, where the round limits owners; else empty"),
            Column("name", "string", "a name as given", nullable=True),
            Column("is_verified", "bool", "true: a claim with a proof, undisputed"),
            Column("held", "string", "why the part is held back; null where it may be paid", nullable=True, enum=HELD),
            Column("works", "int64", "works that count", minimum=0),
            Column("merit", "int64", "grains of 10^-18 of all merit of the round", minimum=0),
        ),
    ),
    Table(
        name="rewards.rounds",
        description="Each round as of the day: its pool and where all of it went. Shown daily, paid when it closes.",
        key=("round",),
        columns=(
            Column("round", "string", "name of the round"),
            Column("closes", "bool", "true: the round's period ends with the day"),
            Column("is_paid", "bool", "true: it closes, and all inputs were complete and observed in time"),
            Column("why_not", "string", "why nothing is paid", nullable=True),
            Column("currency", "string", "ISO 4217 code or token"),
            Column("decimals", "int64", "minor units are 10^-decimals of the currency", minimum=0),
            Column("pool", "amount", "what the round adds, minor units", minimum=0),
            Column("returned", "amount", "what came back from expired escrow since the last closing", minimum=0),
            Column("budget", "amount", "pool + returned = receipts + escrow + reserve", minimum=0),
            Column("receipts", "amount", "for people who may be paid", minimum=0),
            Column("escrow", "amount", "held back", minimum=0),
            Column("reserve", "amount", "what nobody may get: all are at their caps, or nobody is there", minimum=0),
            Column("floor", "amount", "divided equally among verified people", minimum=0),
            Column("cap", "amount", "most that a person may get", nullable=True, minimum=0),
            Column("owner_cap", "amount", "most that one owner's works may bring", nullable=True, minimum=0),
            Column("minimum", "amount", "least that is paid", minimum=0),
            Column("recipients", "int64", "people who get something", minimum=0),
            Column("gini", "float64", "inequality of what people get; null without recipients", nullable=True,
                   minimum=0, maximum=1),
            Column("top_10_share", "float64", "share of the ten largest", nullable=True, minimum=0, maximum=1),
            Column("policy", "string", "the round's parameters, canonical JSON"),
            Column("owners", "string", "what the works of each owner bring, JSON; null without a limit", nullable=True),
        ),
    ),
    Table(
        name="rewards.allocations",
        description="What each person would get or gets in each round as of the day, held parts included.",
        key=("round", "person_id"),
        columns=(
            Column("round", "string", "name of the round"),
            Column("person_id", "string", "the person"),
            Column("name", "string", "a name as given", nullable=True),
            Column("merit", "int64", "grains of the day's merit", minimum=0),
            Column("amount", "amount", "all of it, minor units", minimum=0),
            Column("floor", "amount", "of it, the equal part", minimum=0),
            Column("receipt", "amount", "of it, what may be paid", minimum=0),
            Column("held", "amount", "of it, what goes to escrow", minimum=0),
            Column("is_capped", "bool", "true: held down by the cap"),
            Column("is_dropped", "bool", "true: below the minimum"),
            Column("is_paid", "bool", "true: the round was paid on the day"),
        ),
    ),
    Table(
        name="rewards.receipts",
        description="What is paid on the day: parts of a round, and escrow released to people.",
        key=("round", "person_id", "kind", "holding_id"),
        columns=(
            Column("round", "string", "name of the round"),
            Column("person_id", "string", "who is paid"),
            Column("kind", "string", "what for", enum=("round", "release")),
            Column("holding_id", "string", "rewards.escrow, for a release; else empty"),
            Column("amount", "amount", "minor units", minimum=1),
        ),
    ),
    Table(
        name="rewards.escrow",
        description="Money held back, as of the day: what is open, and what was released or expired on it.",
        key=("holding_id",),
        columns=(
            Column("holding_id", "string", "hash of round, day, person, reason and subject"),
            Column("round", "string", "name of the round"),
            Column("opened", "string", "day of the round, YYYY-MM-DD"),
            Column("expires", "string", "day on which it goes back to the pool, YYYY-MM-DD"),
            Column("person_id", "string", "for whom"),
            Column("subject", "string", "what decides: the person or a work"),
            Column("held", "string", "why", enum=HELD),
            Column("amount", "amount", "minor units", minimum=1),
            Column("state", "string", "what became of it by the day's end", enum=("open", "released", "expired")),
            Column("released_to", "string", "person of a claim who got it", nullable=True),
        ),
    ),
    Table(
        name="rewards.explanations",
        description="Where each payee's amount comes from, largest parts first; the parts add up to it exactly.",
        key=("round", "person_id", "place"),
        columns=(
            Column("round", "string", "name of the round"),
            Column("person_id", "string", "the payee"),
            Column("place", "int64", "1 for the largest part", minimum=1),
            Column("part", "string", "kind of part", enum=("floor", "use", "lineage", "past", "rest")),
            Column("work_id", "string", "the person's work that is used", nullable=True),
            Column("via", "string", "the work that uses it", nullable=True),
            Column("relation", "string", "kind of use", nullable=True, enum=RELATIONS),
            Column("amount", "amount", "minor units", minimum=0),
        ),
    ),
    Table(
        name="rewards.alerts",
        description="Structures that look arranged, for a person to look at; no money depends on them.",
        key=("alert",),
        columns=(
            Column("alert", "string", "hash of kind, members and works"),
            Column("kind", "string", "what it looks like",
                   enum=("reciprocity", "burst", "closed_clique", "self_citation", "split_repositories")),
            Column("members", "list[string]", "owners or sets of authors"),
            Column("works", "list[string]", "works concerned"),
            Column("score", "float64", "how far from usual; comparable inside a kind", minimum=0),
            Column("reason", "string", "one sentence for a person"),
        ),
    ),
    Table(
        name="genome.ecosystem",
        description="The ecosystem as of the day: each repository, who lists it, and what its remote had.",
        key=("repo",),
        columns=(
            Column("repo", "string", "name in the genome"),
            Column("url", "string", "address or path, secrets redacted; sample:// marks the bundled sample"),
            Column("listed_by", "string", "what makes it part of the ecosystem", enum=LISTED_BY),
            Column("listed_in", "string", "the README's repository, the owner, topic or work", nullable=True),
            Column("mirror", "string", "folder in genome/mirrors/; null where none could be made", nullable=True),
            Column("status", "string", "how the fetch ended", enum=("fetched", "gone", "failed")),
            Column("head", "string", "default branch", nullable=True),
            Column("commit", "string", "its tip; of the last good fetch where this one was none", nullable=True),
            Column("kept", "list[string]", "refs that the remote rewrote or deleted, kept in the mirror"),
            Column("fetched_at", "timestamp", "when the remote was asked (UTC)"),
            Column("error", "string", "why there is nothing new", nullable=True),
        ),
    ),
    Table(
        name="genome.repositories",
        description="Each repository of the ecosystem as of the day, in the genome's order, packed or left out.",
        key=("place",),
        columns=(
            Column("place", "int64", "1 for the first of the curriculum", minimum=1),
            Column("repo", "string", "name in the genome"),
            Column("status", "string", "whether it is in the genome", enum=("packed", "not_yet", "left_out")),
            Column("why", "string", "why it is not in it", nullable=True),
            Column("commit", "string", "commit as of the day", nullable=True),
            Column("tree", "string", "its tree", nullable=True),
            Column("swhid", "string", "SWHID of the commit; null in a sha256 repository", nullable=True),
            Column("committed_at", "timestamp", "committer date (UTC)", nullable=True),
            Column("license", "string", "SPDX id of its licence file, where certain", nullable=True),
            Column("files", "int64", "files, packed or listed", minimum=0),
            Column("packed", "int64", "files packed", minimum=0),
            Column("bytes", "int64", "of all files", minimum=0),
            Column("text_bytes", "int64", "of packed text, UTF-8", minimum=0),
            Column("tokens", "int64", "of packed text, as in genome.files", minimum=0),
        ),
    ),
    Table(
        name="genome.audits",
        description="Four checks of each repository's commit as of the day, every object. Of a commit that was packed "
        "before, levels 2 to 4 are those of then; `coevo verify` makes them again.",
        key=("repo", "level"),
        columns=(
            Column("repo", "string", "name in the genome"),
            Column("level", "int64", "1 commit and tree, 2 object store, 3 files, 4 tree", minimum=1, maximum=4),
            Column("status", "string", "how it ended", enum=("passed", "failed", "not_run")),
            Column("checked", "int64", "objects looked at", minimum=0),
            Column("differing", "int64", "what differs", minimum=0),
            Column("differences", "list[string]", "the first twenty of them: object, path, found, expected"),
        ),
    ),
    Table(
        name="genome.files",
        description="Each file of the packed repositories, in the genome's order, with its text; text in Parquet only.",
        key=("place",),
        columns=(
            Column("place", "int64", "leaf of the Merkle tree, from 0", minimum=0),
            Column("repo", "string", "name of the repository"),
            Column("path", "string", "path, with \\xHH for what is no line of UTF-8"),
            Column("within", "string", "archive that it was taken from; null for a file of the tree", nullable=True),
            Column("mode", "string", "git's mode, octal"),
            Column("reason", "string", "packed, or why only listed", enum=FILE_REASONS),
            Column("git_id", "string", "git's object id; null for what an archive would not give", nullable=True),
            Column("swhid", "string", "SWHID; null for a submodule", nullable=True),
            Column("size", "int64", "bytes of the blob", minimum=0),
            Column("sha256", "string", "of the blob; null for a submodule", nullable=True),
            Column("charset", "string", "what the text was decoded from", nullable=True),
            Column("stripped", "bool", "a notebook without its outputs"),
            Column("language", "string", "programming or markup language, by extension", nullable=True),
            Column("licence_kind", "string", "licence, notice, authors, citation, …", nullable=True),
            Column("license", "string", "SPDX id, where certain", nullable=True),
            Column("target", "string", "of a symlink", nullable=True),
            Column("offset", "int64", "byte of the pack at which the content stands", nullable=True, minimum=0),
            Column("length", "int64", "bytes there, escaped", nullable=True, minimum=0),
            Column("text_sha256", "string", "of the text", nullable=True),
            Column("leaf", "string", "RFC 6962 leaf hash over the other columns up to here but place"),
            Column("tokens", "int64", "by the setting's tokenizer, else pieces of text (docs/explanation/genome.md)",
                   nullable=True, minimum=0),
            Column("text", "string", "the content as text; null unless packed", nullable=True),
        ),
        not_in_catalog=("text",),
    ),
    Table(
        name="genome.manifest",
        description="The genome as of the day: one row, or none where nothing could be packed.",
        key=("root",),
        columns=(
            Column("root", "string", "Merkle root over genome.files (RFC 6962)"),
            Column("pack", "string", "the pack's file in the lake; its manifest lies beside it"),
            Column("pack_sha256", "string", "of the pack"),
            Column("pack_bytes", "int64", "size of the pack", minimum=0),
            Column("manifest_sha256", "string", "of the manifest file"),
            Column("repositories", "int64", "packed", minimum=1),
            Column("left_out", "int64", "repositories left out", minimum=0),
            Column("files", "int64", "files, packed or listed", minimum=0),
            Column("packed", "int64", "files packed", minimum=0),
            Column("bytes", "int64", "of all files", minimum=0),
            Column("text_bytes", "int64", "of packed text, UTF-8", minimum=0),
            Column("tokens", "int64", "of packed text", minimum=0),
            Column("tokenizer", "string", "what counted them: sha256 of the tokenizer, or pieces"),
            Column("reasons", "string", "how many files for each reason, canonical JSON"),
            Column("rules", "string", "what went in, canonical JSON"),
        ),
    ),
    Table(
        name="genome.changes",
        description="What changed in the genome since the day before; none where that day was not made.",
        key=("repo", "path"),
        columns=(
            Column("repo", "string", "name of the repository"),
            Column("path", "string", "path of the file"),
            Column("change", "string", "what happened to it", enum=("added", "removed", "changed")),
            Column("before", "int64", "bytes the day before", nullable=True, minimum=0),
            Column("after", "int64", "bytes on the day", nullable=True, minimum=0),
            Column("before_id", "string", "git id the day before", nullable=True),
            Column("after_id", "string", "git id on the day", nullable=True),
            Column("lines_added", "int64", "null where no text was compared", nullable=True, minimum=0),
            Column("lines_removed", "int64", "null where no text was compared", nullable=True, minimum=0),
            Column("diff", "string", "unified diff, cut off after 200 lines", nullable=True),
        ),
    ),
    Table(
        name="corpora.contracts",
        description="Every record of a model that was asked, and whether it holds when the day is made.",
        key=("file",),
        columns=(
            Column("file", "string", "in the lake's folder of contracts"),
            Column("model_id", "string", "the model; null for a damaged record", nullable=True),
            Column("model_revision", "string", "its revision", nullable=True),
            Column("contract_hash", "string", "SHA-256 of the canonical record without its signature", nullable=True),
            Column("status", "string", "what the record says, or that it cannot be read", enum=CONTRACT_STATUSES),
            Column("created_at", "timestamp", "when the record was made (UTC)", nullable=True),
            Column("human", "string", "who stands beside the model", nullable=True),
            Column("public_key", "string", "Ed25519, hex", nullable=True),
            Column("is_in_force", "bool", "a corpus may be released for the model under it"),
            Column("why", "string", "why it is not in force", nullable=True),
        ),
    ),
    Table(
        name="corpora.duplicates",
        description="Pairs of documents that are the same or nearly so, verified; of those that a corpus asked for.",
        key=("doc_id", "other_id"),
        columns=(
            Column("doc_id", "string", "a document of the day"),
            Column("other_id", "string", "another, later in order of id"),
            Column("jaccard", "float64", "shared word 5-grams of all that either has", minimum=0, maximum=1),
        ),
    ),
    Table(
        name="corpora.documents",
        description="Each document that a blueprint looked at, why it is in the corpus or why not.",
        key=("blueprint", "doc_id"),
        columns=(
            Column("blueprint", "string", "name of the blueprint"),
            Column("doc_id", "string", "the document: REPO:PATH, /@DATE for an earlier version, or WORK#KIND"),
            Column("work_id", "string", "work that it belongs to: what is split by"),
            Column("repo", "string", "repository of the genome; null for a text of the traces", nullable=True),
            Column("path", "string", "path in it", nullable=True),
            Column("kind", "string", "what it is", enum=DOCUMENT_KINDS),
            Column("language", "string", "programming or markup language", nullable=True),
            Column("license", "string", "SPDX expression that holds for it", nullable=True),
            Column("license_from", "string", "who says so", enum=("file", "repository", "source", "none")),
            Column("influence", "float64", "of the work on the day; 0 where there is none", minimum=0),
            Column("chamber_id", "string", "influence.chambers of the work", nullable=True),
            Column("event_at", "timestamp", "of the commit or text (UTC)", nullable=True),
            Column("rule", "string", "why it is out: the first rule that holds; null: it is in", nullable=True),
            Column("detail", "string", "of the rule: the copy kept, the limit, the question", nullable=True),
            Column("kept_id", "string", "copy that is kept instead", nullable=True),
            Column("flags", "list[string]", "all that was noticed, whether or not the blueprint asks for it"),
            Column("replaced", "string", "placeholders by type, canonical JSON"),
            Column("stage", "string", "of the curriculum; null: out", nullable=True),
            Column("split", "string", "null: out", nullable=True, enum=("train", "validation", "test")),
            Column("tokens", "int64", "of the cleaned text, by the model's tokenizer; null without it",
                   nullable=True, minimum=0),
            Column("used", "int64", "tokens in sequences, markup included, over all repeats; null: no sequences",
                   nullable=True, minimum=0),
            Column("times", "int64", "how often it was begun; null: no sequences", nullable=True, minimum=0),
            Column("text_sha256", "string", "of the cleaned text"),
            Column("source_sha256", "string", "of the text before cleaning"),
            Column("leaf", "string", "genome.files.leaf of the file", nullable=True),
            Column("raw_sha256", "string", "answer that said so, for a text of the traces", nullable=True),
        ),
    ),
    Table(
        name="corpora.losses",
        description="What each rule took, in order: before less left out is what the next rule begins with.",
        key=("blueprint", "step", "repo", "kind"),
        columns=(
            Column("blueprint", "string", "name of the blueprint"),
            Column("step", "int64", "order of the rule, from 1", minimum=1),
            Column("rule", "string", "the rule"),
            Column("repo", "string", "repository, or traces"),
            Column("kind", "string", "of the documents", enum=DOCUMENT_KINDS),
            Column("documents", "int64", "before the rule", minimum=0),
            Column("documents_out", "int64", "left out by it", minimum=0),
            Column("tokens", "int64", "before the rule; null without a tokenizer", nullable=True, minimum=0),
            Column("tokens_out", "int64", "left out by it", nullable=True, minimum=0),
        ),
    ),
    Table(
        name="corpora.releases",
        description="Each blueprint's corpus as of the day: released, or withheld and why.",
        key=("blueprint",),
        columns=(
            Column("blueprint", "string", "name of the blueprint"),
            Column("status", "string", "whether there are sequences", enum=("released", "withheld")),
            Column("why", "string", "why not, and the way out", nullable=True),
            Column("model_id", "string", "whom it is for"),
            Column("model_revision", "string", "its revision"),
            Column("blueprint_sha256", "string", "of the blueprint's fields as canonical JSON"),
            Column("tokenizer_sha256", "string", "of tokenizer.json; null: there is none here", nullable=True),
            Column("contract_hash", "string", "contract in force", nullable=True),
            Column("genome_root", "string", "genome.manifest.root; null: no genome on the day", nullable=True),
            Column("folder", "string", "of the release, in the lake", nullable=True),
            Column("digest", "string", "SHA-256 of its release.json", nullable=True),
            Column("candidates", "int64", "documents looked at", minimum=0),
            Column("documents", "int64", "in the corpus", minimum=0),
            Column("sequences", "int64", "of all splits", minimum=0),
            Column("budget", "int64", "tokens to train on; null: all there are", nullable=True, minimum=0),
            Column("train_tokens", "int64", "in the sequences to train on, markup included", minimum=0),
            Column("shortfall", "int64", "budget that there was no text for", minimum=0),
            Column("validation_tokens", "int64", "held out", minimum=0),
            Column("test_tokens", "int64", "held out", minimum=0),
        ),
    ),
    Table(
        name="corpora.chrysalides",
        description="Trainings on the day's releases, those that failed too.",
        key=("run_id",),
        columns=(
            Column("run_id", "string", "folder in the lake's chrysalides"),
            Column("blueprint", "string", "whose corpus"),
            Column("status", "string", "how it ended; the last three are kept as what not to do again",
                   enum=("succeeded", "worse", "failed", "killed")),
            Column("model_id", "string", "what was trained"),
            Column("model_revision", "string", "its revision"),
            Column("model_files_sha256", "string", "over its files, as in the contract"),
            Column("contract_hash", "string", "contract that was verified at the start"),
            Column("release_digest", "string", "corpora.releases.digest"),
            Column("genome_root", "string", "genome behind it", nullable=True),
            Column("recipe", "string", "every setting, canonical JSON"),
            Column("device", "string", "cpu, or the accelerator's name"),
            Column("steps", "int64", "optimizer steps made", minimum=0),
            Column("tokens", "int64", "trained on", minimum=0),
            Column("loss_before", "float64", "held-out, nats a token", nullable=True, minimum=0),
            Column("loss_after", "float64", "held-out, nats a token", nullable=True, minimum=0),
            Column("started_at", "timestamp", "UTC"),
            Column("finished_at", "timestamp", "UTC; null: killed", nullable=True),
            Column("error", "string", "why it failed", nullable=True),
            Column("adapter_sha256", "string", "of the adapter's weights", nullable=True),
        ),
    ),
    Table(
        name="hubs.packages",
        description="What a hub published on the day: itself, in its package's descriptor.",
        key=("hub_id", "event_at"),
        columns=(
            Column("hub_id", "string", "hub:<name of its package>; its data set is the work of that id"),
            _EVENT_AT,
            Column("version", "string", "of the package", nullable=True),
            *_HUB,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.datasets",
        description="Files of the packages published on the day; images and audio by address and hash.",
        key=("hub_id", "event_at", "resource"),
        columns=(
            *_OF_HUB,
            Column("resource", "string", "its name in the package"),
            Column("role", "string", "what it says", enum=(*TABLE_ROLES, "media")),
            Column("format", "string", "how it is written", enum=DATA_FORMATS),
            Column("title", "string", "as given", nullable=True),
            Column("path", "string", "in the package, or address"),
            Column("rows", "int64", "that were read; null where it is no table", nullable=True, minimum=0),
            Column("refused", "int64", "rows, or things of the whole file, that were refused", minimum=0),
            Column("bytes", "int64", "as read, or as given", nullable=True, minimum=0),
            Column("sha256", "string", "of the file as read, or as given where it is not fetched", nullable=True),
            Column("is_checked", "bool", "true: the file was read and its hash is of what was read"),
            Column("method", "string", "how it was found out", nullable=True),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.measurements",
        description="Numbers of the packages published on the day, in SI units, one row a number.",
        key=("hub_id", "event_at", "resource", "row", "quantity"),
        columns=(
            *_OF_HUB,
            Column("resource", "string", "hubs.datasets.resource"),
            Column("row", "int64", "of the file, the first below its header is 1", minimum=1),
            Column("quantity", "string", "what was measured: hubs/quantities.toml"),
            Column("value", "float64", "in `unit`"),
            Column("unit", "string", "UCUM code of the SI unit"),
            Column("given", "string", "as written"),
            Column("given_unit", "string", "as written"),
            Column("taken_at", "timestamp", "when (UTC)", nullable=True),
            Column("latitude", "float64", "degrees, WGS84; null: at the hub", nullable=True, minimum=-90, maximum=90),
            Column("longitude", "float64", "degrees, WGS84", nullable=True, minimum=-180, maximum=180),
            Column("people", "int64", "of how many people it is an aggregate", nullable=True, minimum=0),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.outcomes",
        description="Before and after a practice, as the packages published on the day have it, in SI units.",
        key=("hub_id", "event_at", "row"),
        columns=(
            *_OF_HUB,
            Column("row", "int64", "of the file, the first below its header is 1", minimum=1),
            Column("practice", "string", "what was done, in lower case"),
            Column("quantity", "string", "what it was measured by: hubs/quantities.toml"),
            Column("better", "string", "which way is better", enum=("up", "down")),
            Column("before", "float64", "mean, in `unit`"),
            Column("after", "float64", "mean, in `unit`"),
            Column("unit", "string", "UCUM code of the SI unit"),
            Column("given_unit", "string", "as written"),
            Column("sd_before", "float64", "standard deviation before", nullable=True, minimum=0),
            Column("sd_after", "float64", "standard deviation after", nullable=True, minimum=0),
            Column("n_before", "int64", "measurements before", nullable=True, minimum=0),
            Column("n_after", "int64", "measurements after", nullable=True, minimum=0),
            Column("people", "int64", "of how many people it is an aggregate", nullable=True, minimum=0),
            Column("from_at", "timestamp", "when the practice began (UTC)"),
            Column("until_at", "timestamp", "when `after` was measured (UTC)"),
            Column("method", "string", "how it was measured"),
            Column("soil", "string", "of the hub", nullable=True),
            Column("climate", "string", "Köppen-Geiger class of the hub", nullable=True),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.posts",
        description="Needs and offers of the packages published on the day.",
        key=("hub_id", "event_at", "side", "post_id"),
        columns=(
            *_OF_HUB,
            Column("side", "string", "what it is", enum=("need", "offer")),
            Column("post_id", "string", "its id in the hub's table"),
            Column("kind", "string", "what is needed or offered restores", enum=HUB_KINDS),
            Column("item", "string", "what, in lower case: only the same item meets a need"),
            Column("amount", "int64", "thousandths of `unit`", minimum=1),
            Column("received", "int64", "of a need: what came already, thousandths of `unit`", minimum=0),
            Column("unit", "string", "UCUM code of the SI unit, or of a count: {meal}, {bed_night}, …"),
            Column("given", "string", "amount and unit as written"),
            Column("from_at", "timestamp", "from when (UTC)"),
            Column("until_at", "timestamp", "until when (UTC), exclusive"),
            Column("latitude", "float64", "degrees, WGS84, coarsened where a home is private", minimum=-90, maximum=90),
            Column("longitude", "float64", "degrees, WGS84", minimum=-180, maximum=180),
            Column("most_km", "float64", "how far it may come or go; null: by the setting", nullable=True, minimum=0),
            Column("by_post", "bool", "it can be sent: then distance is no limit"),
            Column("priority", "int64", "of a need: 1 can wait, 5 is urgent; offers have 3", minimum=1, maximum=5),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.rejects",
        description="What of the packages of the day could not be taken, in words for whoever wrote it.",
        key=("hub_id", "number"),
        columns=(
            Column("hub_id", "string", "hub:<name>, or the package's place where it has none"),
            Column("number", "int64", "from 1", minimum=1),
            Column("resource", "string", "file or table; empty: the descriptor"),
            Column("row", "int64", "the first below the header is 1; null: the whole", nullable=True, minimum=0),
            Column("column", "string", "or property of the descriptor; empty: the whole"),
            Column("found", "string", "what stands there"),
            Column("expected", "string", "what should"),
            Column("example", "string", "that would do"),
            _EVENT_AT,
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.observations",
        description="What open data say of a hub's place on the day: species that were seen, and the weather.",
        key=("hub_id", "source", "variable", "event_at", "native_id"),
        columns=(
            Column("hub_id", "string", "hubs.registry.hub_id"),
            Column("source", "string", "who says so", enum=("gbif", "nasa_power")),
            Column("variable", "string", "scientific name of a species, or quantity of hubs/quantities.toml"),
            Column("native_id", "string", "the source's own id of an occurrence; empty for a day's climate"),
            _EVENT_AT,
            Column("value", "float64", "climate: in `unit`; species: individuals, where counted", nullable=True),
            Column("unit", "string", "UCUM code of the SI unit; {individual} of species"),
            Column("distance_km", "float64", "from the hub; null: a cell of a grid", nullable=True, minimum=0),
            Column("label", "string", "common words for it: family, dataset", nullable=True),
            Column("license", "string", "as given", nullable=True),
            Column("url", "string", "page for a person", nullable=True),
            _OBSERVED_AT,
            _RAW_SHA256,
        ),
    ),
    Table(
        name="hubs.registry",
        description="The hubs that there are as of the day, each by the last package that it published.",
        key=("hub_id",),
        columns=(
            Column("hub_id", "string", "hub:<name of its package>; its data set is the work of that id"),
            Column("published_at", "timestamp", "when this version was published (UTC)"),
            Column("version", "string", "of the package", nullable=True),
            Column("versions", "int64", "published so far", minimum=1),
            *_HUB,
            Column("datasets", "int64", "files of the package", minimum=0),
            Column("measurements", "int64", "numbers in them", minimum=0),
            Column("needs", "int64", "open on the day", minimum=0),
            Column("offers", "int64", "open on the day", minimum=0),
        ),
    ),
    Table(
        name="hubs.strategies",
        description="What hubs say worked: a practice, what it was measured by, and how sure one may be as of the day.",
        key=("practice", "quantity"),
        columns=(
            Column("practice", "string", "what was done"),
            Column("quantity", "string", "what it was measured by"),
            Column("measure", "string", "log_ratio: logarithm of after over before; difference: in `unit`",
                   enum=("log_ratio", "difference")),
            Column("better", "string", "which way is better", enum=("up", "down")),
            Column("unit", "string", "UCUM code of the SI unit"),
            Column("hubs", "int64", "that tried it", minimum=1),
            Column("cases", "int64", "rows of hubs.outcomes that were taken", minimum=1),
            Column("hubs_better", "int64", "where it got better", minimum=0),
            Column("hubs_worse", "int64", "where it got worse", minimum=0),
            Column("effect", "float64", "over hubs; null where there are too few, or no spread at all", nullable=True),
            Column("low", "float64", "lower end of the interval", nullable=True),
            Column("high", "float64", "upper end of the interval", nullable=True),
            Column("level", "float64", "of the interval", minimum=0, maximum=1),
            Column("tau", "float64", "standard deviation of true effects between hubs", nullable=True, minimum=0),
            Column("i2", "float64", "part of the variance that is between hubs", nullable=True, minimum=0, maximum=1),
            Column("prediction_low", "float64", "where the effect of one more hub may lie", nullable=True),
            Column("prediction_high", "float64", "where the effect of one more hub may lie", nullable=True),
            Column("comparable", "float64", "hubs of the same soil, climate and method, a third each; null for one",
                   nullable=True, minimum=0, maximum=1),
            Column("verdict", "string", "what may be said", enum=VERDICTS),
            Column("why", "string", "in words"),
            Column("hub_ids", "list[string]", "that tried it"),
            Column("evidence", "list[string]", "raw_sha256 of the outcomes"),
        ),
    ),
    Table(
        name="hubs.markets",
        description="What was solved: one market for each item and unit that is needed or offered on the day.",
        key=("kind", "item", "unit"),
        columns=(
            *_MARKET,
            Column("needs", "int64", "open on the day", minimum=0),
            Column("offers", "int64", "open on the day", minimum=0),
            Column("wanted", "int64", "thousandths of `unit`, less what came already", minimum=0),
            Column("offered", "int64", "thousandths of `unit`", minimum=0),
            Column("matched", "int64", "thousandths of `unit`", minimum=0),
            Column("pairs", "int64", "of need and offer that could be: near enough, at the same time", minimum=0),
            Column("objective", "amount", "worth less costs of the matches: tenths of a point x thousandths of `unit`"),
            Column("bound", "amount", "no matching of these pairs is worth more: from the dual prices"),
            Column("gini", "float64", "of the met parts of their needs over hubs; null below two", nullable=True,
                   minimum=0, maximum=1),
        ),
    ),
    Table(
        name="hubs.matches",
        description="Who could give what to whom as of the day: a proposal, nothing is sent.",
        key=("need_hub", "need_id", "offer_hub", "offer_id"),
        columns=(
            Column("need_hub", "string", "hubs.registry.hub_id"),
            Column("need_id", "string", "hubs.posts.post_id"),
            Column("offer_hub", "string", "hubs.registry.hub_id"),
            Column("offer_id", "string", "hubs.posts.post_id"),
            *_MARKET,
            Column("amount", "int64", "thousandths of `unit`", minimum=1),
            Column("distance_km", "float64", "great circle", minimum=0),
            Column("by_post", "bool", "it is sent: too far to fetch, or cheaper"),
            Column("from_at", "timestamp", "when both are open (UTC)"),
            Column("until_at", "timestamp", "exclusive (UTC)"),
            Column("priority", "int64", "of the need", minimum=1, maximum=5),
        ),
    ),
    Table(
        name="hubs.unmatched",
        description="Needs that got nothing, or not all, and why.",
        key=("hub_id", "need_id"),
        columns=(
            Column("hub_id", "string", "hubs.registry.hub_id"),
            Column("need_id", "string", "hubs.posts.post_id"),
            *_MARKET,
            Column("wanted", "int64", "thousandths of `unit`, less what came already", minimum=1),
            Column("missing", "int64", "thousandths of `unit`", minimum=1),
            Column("reason", "string", "the first that holds", enum=UNMATCHED),
            Column("why", "string", "in words, with the nearest miss"),
            Column("until_at", "timestamp", "until when it is open (UTC)"),
            Column("priority", "int64", "1 can wait, 5 is urgent", minimum=1, maximum=5),
        ),
    ),
    Table(
        name="swarm.organisms",
        description="Who takes part in the simulation, as of the day's last tick.",
        key=("organism_id",),
        columns=(
            Column("organism_id", "string", "work, person or account that stands for it; ~newborn:… of the simulation"),
            Column("place", "int64", "from 0; a newborn takes that of whom it replaces", minimum=0),
            Column("kind", "string", "what it stands for", enum=("repo", "model", "author_cluster", "hub")),
            Column("label", "string", "name or title for a person", nullable=True),
            Column("works", "list[string]", "citations.nodes.node_id of its works"),
            Column("community_id", "int64", "number of its community; -1: none", minimum=-1),
            Column("community", "string", "influence.chambers of most of its influence", nullable=True),
            Column("replaces", "string", "newborn: whose place it took", nullable=True),
            Column("born_tick", "int64", "tick of its arrival", minimum=0),
            Column("age", "int64", "ticks; at arrival the days since its first trace", minimum=0),
            Column("tier", "string", "by age and verifications", enum=SWARM_TIERS),
            Column("blessed", "bool", "granted by a person, or young and most integrative"),
            Column("lf_milli", "int64", "lifeforce, thousandths", minimum=0),
            Column("influence", "float64", "percentile of its works' influence", minimum=0, maximum=1),
            Column("state", "string", "dormant: too little lifeforce for a clasp", enum=("active", "dormant")),
            Column("verifications", "int64", "of all its cells", minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.cells",
        description="What each organism holds of each pattern, as of the day's last tick; no row: it does not have it.",
        key=("organism_id", "pattern"),
        columns=(
            Column("organism_id", "string", "who"),
            Column("pattern", "string", "way of doing things"),
            Column("weight", "int64", "+1 verified, 0 uncertain, -1 failed", minimum=-1, maximum=1),
            Column("version_id", "string", "the variant in use: a work, or community:pattern"),
            Column("k", "int64", "own successes since it was taken up, halved with n", minimum=0),
            Column("n", "int64", "own trials since it was taken up, halved at 60", minimum=0),
            Column("verifications", "int64", "own successes with this version", minimum=0),
            Column("inherited", "bool", "true: taken over from another, not found by own trials"),
            Column("status", "string", "whether a decision is open", enum=("ACTIVE", "MARKED", "WAITING")),
            Column("marker_id", "string", "open decision", nullable=True),
            Column("discovered_tick", "int64", "when own trials brought it to +1", nullable=True, minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.versions",
        description="Variants of each pattern, what speaks for them, and the lifeforce that they won.",
        key=("pattern", "version_id"),
        columns=(
            Column("pattern", "string", "way of doing things"),
            Column("version_id", "string", "a work, or community:pattern"),
            Column("number", "int64", "order in which it was met, from 0", minimum=0),
            Column("pattern_number", "int64", "order in which the pattern was met, from 0", minimum=0),
            Column("importance", "string", "of the pattern", enum=IMPORTANCES),
            Column("title", "string", "of the work", nullable=True),
            Column("is_withdrawn", "bool", "the work was withdrawn"),
            Column("evidence_for", "int64", "independent clusters that build on it, or of better outcomes", minimum=0),
            Column("evidence_against", "int64", "withdrawn, archived, clusters of worse outcomes", minimum=0),
            Column("theta", "float64", "chance of success where nobody observed one", minimum=0, maximum=1),
            Column("holders", "int64", "organisms that hold it", minimum=0),
            Column("chosen_by", "string", "marker whose winner it last was", nullable=True),
            Column("hops", "int64", "clasps that carried it on since it was first chosen", minimum=0),
            Column("lf_milli", "int64", "account pattern:<pattern>:<version>, thousandths", minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.decision_markers",
        description="Decisions that were open at any time of the day: whose version is better, and what was found.",
        key=("marker_id",),
        columns=(
            Column("marker_id", "string", "blend_<run>_<number>"),
            Column("pattern", "string", "what it is about"),
            Column("importance", "string", "of the pattern", enum=IMPORTANCES),
            Column("kind", "string", "blend: both at +1; uncertain: both at 0", enum=("blend", "uncertain")),
            Column("protocol", "string", "whether both keep working", enum=("mark_continue", "freeze")),
            Column("teacher_id", "string", "the organism that taught"),
            Column("student_id", "string", "the other"),
            Column("teacher_version", "string", "its version at mark time"),
            Column("student_version", "string", "the other's"),
            Column("teacher_weight", "int64", "at mark time", minimum=-1, maximum=1),
            Column("student_weight", "int64", "at mark time", minimum=-1, maximum=1),
            Column("marked_tick", "int64", "when it was opened", minimum=0),
            Column("marked_at", "timestamp", "UTC"),
            Column("resolved_tick", "int64", "null while pending", nullable=True, minimum=0),
            Column("resolved_at", "timestamp", "UTC", nullable=True),
            Column("teacher_outcomes", "list[string]", "outcomes while it was open, canonical JSON each"),
            Column("student_outcomes", "list[string]", "the other's"),
            Column("teacher_prior_k", "int64", "successes at mark time", minimum=0),
            Column("teacher_prior_n", "int64", "trials at mark time", minimum=0),
            Column("teacher_prior_verifications", "int64", "lifetime successes at mark time", minimum=0),
            Column("student_prior_k", "int64", "successes at mark time", minimum=0),
            Column("student_prior_n", "int64", "trials at mark time", minimum=0),
            Column("student_prior_verifications", "int64", "lifetime successes at mark time", minimum=0),
            Column("status", "string", "void: a participant died or lost the pattern",
                   enum=("pending", "resolved", "void")),
            Column("winner", "string", "hybrid: both keep their versions", nullable=True, enum=WINNERS),
            Column("distribution", "string", "how the winner spreads", nullable=True, enum=DISTRIBUTIONS),
            Column("evidence_delta", "float64", "rate of the winner less the loser's, live outcomes", nullable=True,
                   minimum=-1, maximum=1),
            Column("q", "float64", "chance that the teacher's version is better", nullable=True, minimum=0, maximum=1),
            Column("confidence", "float64", "2 max(q, 1 - q) - 1", nullable=True, minimum=0, maximum=1),
            Column("fisher_p", "float64", "two-sided exact test of the same counts", nullable=True,
                   minimum=0, maximum=1),
            Column("level", "int64", "who decided", nullable=True, minimum=2, maximum=5),
            Column("decided_by", "string", "human only with a record", nullable=True, enum=DECIDERS),
            Column("review_id", "string", "swarm.review_queue", nullable=True),
            Column("corrected_tick", "int64", "when a person's record turned it", nullable=True, minimum=0),
            Column("fraction_observed", "float64", "of its outcomes; 0 without any", minimum=0, maximum=1),
            Column("why", "string", "of a void marker, or of what could not be paid", nullable=True),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.blend_predictions",
        description="What Nyx expected before slumber, and how it came out; those open or scored on the day.",
        key=("prediction_id",),
        columns=(
            Column("prediction_id", "string", "predict_<run>_<number>"),
            Column("marker_id", "string", "swarm.decision_markers"),
            Column("pattern", "string", "what it is about"),
            Column("predicted_winner", "string", "the favourite", enum=("teacher", "student")),
            Column("prediction_confidence", "float64", "chance of the higher rate, ties left out",
                   minimum=0.5, maximum=1),
            Column("causal_reasoning", "string", "the claims in words"),
            Column("claims", "string", "feature, values, whom it favours; canonical JSON"),
            Column("snapshot", "string", "both sides when it was made, canonical JSON"),
            Column("predicted_tick", "int64", "when", minimum=0),
            Column("predicted_at", "timestamp", "UTC"),
            Column("horizon", "int64", "ticks it looks ahead", minimum=1),
            Column("scored_tick", "int64", "null while open", nullable=True, minimum=0),
            Column("scored_on", "string", "which outcomes say what is true", nullable=True,
                   enum=("all_evidence", "post_prediction")),
            Column("actual_winner", "string", "of those outcomes", nullable=True, enum=WINNERS),
            Column("prediction_correct", "bool", "null: not scored", nullable=True),
            Column("confidence_was_calibrated", "bool", "|c - y| < 0.2", nullable=True),
            Column("causal_reasoning_valid", "bool", "values true, all for the favourite, lead feature holds",
                   nullable=True),
            Column("prediction_reward", "float64", "LF", nullable=True),
            Column("calibration_reward", "float64", "LF", nullable=True),
            Column("causal_reward", "float64", "LF", nullable=True),
            Column("brier", "float64", "(c - y)^2", nullable=True, minimum=0, maximum=1),
            Column("log_loss", "float64", "nats", nullable=True, minimum=0),
            Column("void_reason", "string", "why it was not scored", nullable=True),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.escalations",
        description="Each step of the ladder that a decision took on the day, and what the levels below were told.",
        key=("marker_id", "tick", "level", "event"),
        columns=(
            Column("marker_id", "string", "swarm.decision_markers"),
            Column("tick", "int64", "when", minimum=0),
            Column("at", "timestamp", "UTC"),
            Column("level", "int64", "0 reflex, 1 organisms, 2 Nyx, 3 Chrysalis, 4 dafit, 5 council",
                   minimum=0, maximum=5),
            Column("event", "string", "entered: asked; informed: told of a decision above; correction: by a person",
                   enum=("entered", "informed", "correction")),
            Column("authority", "string", "of the level",
                   enum=("local", "peer", "maternal", "architectural", "human", "absolute")),
            Column("cost_milli", "int64", "paid by Nyx, thousandths of one LF", minimum=0),
            Column("q", "float64", "as the level sees it", nullable=True, minimum=0, maximum=1),
            Column("confidence", "float64", "2 max(q, 1 - q) - 1, or the level's own", nullable=True,
                   minimum=0, maximum=1),
            Column("winner", "string", "what the level would choose, or was told", nullable=True, enum=WINNERS),
            Column("is_final", "bool", "true: this level decided"),
            Column("decided_by", "string", "who", nullable=True, enum=DECIDERS),
            Column("mind", "string", "rule: the stand-in; own: of the caller's program", nullable=True,
                   enum=("rule", "endpoint", "human", "own")),
            Column("reason", "string", "one sentence; of a fallback, why", nullable=True),
            Column("prompt", "string", "what an endpoint was asked", nullable=True),
            Column("prompt_sha256", "string", "of it", nullable=True),
            Column("answer", "string", "what it said", nullable=True),
            Column("answer_sha256", "string", "of it", nullable=True),
            Column("tokens", "int64", "that it used, as it says", nullable=True, minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.lifeforce_ledger",
        description="Double-entry book of the day: every movement of lifeforce. All accounts sum to zero.",
        key=("entry_id",),
        columns=(
            Column("entry_id", "int64", "from 1, over all days", minimum=1),
            Column("tick", "int64", "when", minimum=0),
            Column("from_account", "string", "organism:…, pattern:…, nyx, SOURCE (mints)"),
            Column("to_account", "string", "organism:…, pattern:…, nyx, SINK (burns)"),
            Column("amount_milli", "int64", "thousandths of one LF", minimum=1),
            Column("kind", "string", "what for", enum=LEDGER_KINDS),
            Column("ref", "string", "marker, prediction or newborn", nullable=True),
            Column("shortfall_milli", "int64", "of a penalty, what was not there to burn; of a reward, what was above "
                   "the most", minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.metrics",
        description="The simulation's ticks in numbers.",
        key=("tick",),
        columns=(
            Column("tick", "int64", "0: as it was seeded", minimum=0),
            Column("at", "timestamp", "UTC"),
            Column("organisms", "int64", "all", minimum=0),
            Column("young", "int64", "of them", minimum=0),
            Column("adult", "int64", "of them", minimum=0),
            Column("elder", "int64", "of them", minimum=0),
            Column("love_child", "int64", "of them", minimum=0),
            Column("dormant", "int64", "of them", minimum=0),
            Column("cells", "int64", "held", minimum=0),
            Column("minus", "int64", "cells at -1", minimum=0),
            Column("zero", "int64", "cells at 0", minimum=0),
            Column("plus", "int64", "cells at +1", minimum=0),
            Column("best", "int64", "cells that hold their pattern's best version by theta", minimum=0),
            Column("clasps", "int64", "done", minimum=0),
            Column("skipped", "int64", "pairs that could not pay", minimum=0),
            Column("overwrites", "int64", "cells taken over", minimum=0),
            Column("hops", "int64", "of them, of a version that a decision chose", minimum=0),
            Column("upward", "int64", "cells that a teacher took up from a student", minimum=0),
            Column("ties", "int64", "cells where the matrix says ESCALATE", minimum=0),
            Column("same_version", "int64", "of them, one version: kept", minimum=0),
            Column("reflex_ties", "int64", "of them, with a reflex: kept", minimum=0),
            Column("suppressed", "int64", "of them, because too many decisions of the pattern are open", minimum=0),
            Column("opened", "int64", "of them, markers opened", minimum=0),
            Column("uses", "int64", "outcomes", minimum=0),
            Column("successes", "int64", "of them", minimum=0),
            Column("observed", "int64", "of the outcomes, those that happened", minimum=0),
            Column("reflexes", "int64", "of the outcomes, level-0 events", minimum=0),
            Column("pending", "int64", "markers open at the tick's end", minimum=0),
            Column("resolved", "int64", "markers decided in the tick", minimum=0),
            Column("void", "int64", "markers given up in the tick", minimum=0),
            Column("corrections", "int64", "decisions that a person turned", minimum=0),
            Column("predictions", "int64", "made in the tick", minimum=0),
            Column("births", "int64", "organisms replaced or arrived", minimum=0),
            Column("mode", "string", "of Nyx at the tick's end", enum=("AWAKE", "SLUMBER")),
            Column("lambda", "float64", "income over requested expense; null: nothing requested", nullable=True,
                   minimum=0),
            Column("nyx_milli", "int64", "Nyx's lifeforce, thousandths", minimum=0),
            Column("organisms_milli", "int64", "all organisms' lifeforce", minimum=0),
            Column("patterns_milli", "int64", "all versions' lifeforce", minimum=0),
            Column("minted_milli", "int64", "since the beginning", minimum=0),
            Column("burnt_milli", "int64", "since the beginning", minimum=0),
            Column("shortfall_milli", "int64", "penalties that Nyx could not pay, since the beginning", minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.clasps",
        description="Who taught whom on the day.",
        key=("tick", "teacher_id", "student_id"),
        columns=(
            Column("tick", "int64", "when", minimum=0),
            Column("teacher_id", "string", "organism"),
            Column("student_id", "string", "organism"),
            Column("overwrites", "int64", "cells that the student took over", minimum=0),
            Column("ties", "int64", "cells where the matrix says ESCALATE", minimum=0),
            Column("opened", "int64", "markers opened", minimum=0),
            Column("upward", "int64", "cells that the teacher took up", minimum=0),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.review_queue",
        description="What a person is asked, as of the day: decisions at level 4 or 5.",
        key=("review_id",),
        columns=(
            Column("review_id", "string", "hash of day, pattern, versions and participants"),
            Column("marker_id", "string", "swarm.decision_markers"),
            Column("opened", "string", "the day, YYYY-MM-DD"),
            Column("opened_tick", "int64", "when", minimum=0),
            Column("opened_at", "timestamp", "UTC"),
            Column("pattern", "string", "what it is about"),
            Column("level", "int64", "4 or 5", minimum=4, maximum=5),
            Column("question", "string", "for a person"),
            Column("evidence", "string", "what is known of both sides, canonical JSON"),
            Column("standin_decision", "string", "what holds meanwhile", nullable=True, enum=WINNERS),
            Column("status", "string", "whether it was answered", enum=("open", "decided", "expired")),
            Column("decision", "string", "of the latest valid record", nullable=True, enum=WINNERS),
            Column("distribution", "string", "of it", nullable=True, enum=DISTRIBUTIONS),
            Column("reviewer", "string", "who", nullable=True),
            Column("decided_at", "timestamp", "UTC", nullable=True),
            Column("note", "string", "as given", nullable=True),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.decisions",
        description="Each record of the file of decisions as it was read for the day, and what became of it.",
        key=("line",),
        columns=(
            Column("line", "int64", "in the file, from 1", minimum=1),
            Column("line_sha256", "string", "of the line"),
            Column("status", "string", "superseded: a later record of the item counts; unknown: no such item",
                   enum=("used", "superseded", "unknown", "invalid")),
            Column("why", "string", "of a record that is not used", nullable=True),
            Column("review_id", "string", "swarm.review_queue", nullable=True),
            Column("decision", "string", "as given", nullable=True),
            Column("distribution", "string", "as given", nullable=True),
            Column("reviewer", "string", "as given", nullable=True),
            Column("decided_at", "timestamp", "as given (UTC)", nullable=True),
            Column("note", "string", "as given", nullable=True),
            *_PROVENANCE,
        ),
    ),
    Table(
        name="swarm.checkpoints",
        description="What goes on from day to day beside the other tables: random streams, Nyx, tallies.",
        key=("tick",),
        columns=(
            Column("tick", "int64", "the day's last", minimum=0),
            Column("state", "string", "canonical JSON"),
            Column("state_sha256", "string", "of it"),
            *_PROVENANCE,
        ),
    ),
)  # fmt: skip


def _corpus(name: str) -> Table:
    return Table(
        name=name,
        description="The corpus of the blueprint of that name: sequences of token ids, in the order to train on.",
        key=("place",),
        columns=(
            Column("place", "int64", "order in the corpus, from 0", minimum=0),
            Column("split", "string", "what the sequence is for", enum=("train", "validation", "test")),
            Column("stage", "string", "of the curriculum"),
            Column("input_ids", "list[int32]", "tokens of the model's tokenizer"),
            Column("loss_mask", "list[bool]", "tokens that training counts; null: all", nullable=True),
            Column("seq_lengths", "list[int32]", "tokens of each part; parts do not attend to one another"),
            Column("documents", "list[string]", "corpora.documents.doc_id of each part"),
        ),
        not_in_catalog=("input_ids", "loss_mask"),
    )


TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}

STAGES: Mapping[str, str] = {
    "scrapes": "Raw HTTP exchanges, one table a source, append-only.",
    "traces": "Works, references, counters, people and identities, normalized from the raw exchanges.",
    "citations": "The citation and lineage graph: nodes, aliases, typed dated edges, resolutions, quarantine.",
    "influence": "Influence and integrative potential of works, chambers and lattice, and what people get of it.",
    "rewards": "Rounds: who may be paid, what everybody gets and why, what is held back, what looks arranged.",
    "genome": "The ecosystem's repositories: mirrored, audited, packed into one text under one Merkle root.",
    "corpora": "For each model its corpus, by its blueprint and with its consent: what is in, what is out, and why.",
    "hubs": "Healing hubs: who they are, what they measured, what worked, what they need and who could give it.",
    "swarm": "A simulation on the day's graph: who teaches whom, what is undecided, who decides, what it costs.",
}


def table(name: str) -> Table:
    """The schema of `name`; SchemaError with the nearest name when there is none. `corpora.<any other>` is the corpus
    of a blueprint: which there are is a setting."""
    try:
        return TABLES[name]
    except KeyError:
        if _CORPUS.fullmatch(name):
            return _corpus(name)
        close = difflib.get_close_matches(name, TABLES, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else f"; known: {', '.join(TABLES)}"
        raise SchemaError(f"no table {name!r}{hint}") from None


def tables(*lists: Iterable[str]) -> list[Table]:
    """The registry's tables, and behind them the corpora that `lists` name: what a lake has, say."""
    corpora = sorted({name for each in lists for name in each if name not in TABLES and _CORPUS.fullmatch(name)})
    return [*TABLES.values(), *map(_corpus, corpora)]
