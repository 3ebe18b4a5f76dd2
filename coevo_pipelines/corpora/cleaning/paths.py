"""What a file is by its path alone: vendored, generated, a backup, a log, a test, and which kind of text.

Facts on vendored and generated files are those of GitHub's Linguist (lib/linguist/vendor.yml and generated.rb), fewer
where a name is ordinary in research code (`env/` of reinforcement learning, `cache/`, `tools/`, `*.d.ts`) and more
where a tool came later (uv.lock, pnpm-lock.yaml). Marks inside files are `quality`'s.

A backup is a copy of what is elsewhere in the same repository, so that leaving it out loses nothing:
1. by name alone where only editors and people who copy write such names (`x.py~`, `x.py.bak`, `Copy of x.py`);
2. a marked name (`x_old.py`, `x_v1.py`, `x_2024-01-02.py`, `x (1).py`) beside the file without marks, or beside one
   with a later mark; not interfaces (`api_v1.py`), not series of notes and reports by date, and no folder `v2/`;
3. what is in `backups/`, `x.bak/`, `.ipynb_checkpoints/`, and in `backup/` unless that is a package of code;
4. what is in `old/`, `archive/`, `src_old/` where its files stand beside the folder too, or most of their names
   stand elsewhere in the repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from coevo_pipelines.genome import files, licences

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["code", "prose", "data", "config", "notebook", "legal"]
COLUMNS = ("vendored", "generated", "backup", "log", "test")


def _any(*patterns: str) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _folder(*names: str) -> str:
    return rf"(?:^|/)(?:{'|'.join(names)})/"


def _name(*names: str) -> str:
    return rf"(?:^|/)(?:{'|'.join(names)})$"


VENDORED = _any(
    _folder(
        r"node_modules", r"bower_components", r"jspm_packages", r"(?:3rd|third)[-_]?party", r"_?vendors?", r"vendored",
        r"extern(?:al)?s?", r"dist", r"godeps", r"site-packages", r"\.?venv", r"virtualenv", r"env/(?:bin|lib|include)",
        r"__pypackages__", r"\.eggs", r"\.tox", r"\.cache", r"__pycache__", r"\.yarn/(?:releases|plugins)",
        r"gradle/wrapper", r"\.mvn/wrapper", r"pods", r"carthage", r"sparkle", r"[^/]*\.framework", r"ace-builds",
        r"mathjax", r"extjs", r"tiny_mce", r"bootstrap-datepicker", r"flow-typed", r"admin_media", r"font-?awesome",
        r"code-?mirror/(?:\d+\.\d+/)?(?:lib|mode|theme|addon|keymap|demo)", r"packages/.+\.\d+",
    ),
    r"^(?:dependencies|deps)/",
    _name(
        r"jquery[^/]*\.(?:js|css)", r"bootstrap[^/.]*\.(?:js|css|less|scss)", r"font-?awesome\.(?:css|less|scss)",
        r"(?:normalize|animate|foundation|materialize|skeleton)\.(?:css|less|scss)", r"d3(?:\.v\d+)?\.js",
        r"(?:angular|mootools|prototype|modernizr|knockout|ckeditor|yui|cordova)[-.\d]*(?:custom\.\d+)?\.js",
        r"react(?:-[^/.]*)?\.js", r"html5shiv\.js", r"chart\.js", r"three(?:\.module)?\.js", r"p5\.js", r"cpplint\.py",
        r"configure", r"config\.(?:guess|sub)", r"(?:aclocal|libtool|lt(?:options|sugar|version|~obsolete))\.m4",
        r"gradlew(?:\.bat)?", r"mvnw(?:\.cmd)?", r"waf", r"rebar", r"erlang\.mk", r"dotnet-install\.(?:ps1|sh)",
        r"versioneer\.py", r"ez_setup\.py", r"get-pip\.py", r"pdf\.worker\.js",
    ),
)  # fmt: skip

GENERATED = _any(
    _name(
        r"package-lock\.json", r"npm-shrinkwrap\.json", r"pnpm-lock\.yaml", r"bun\.lockb?", r"packages\.lock\.json",
        r"(?:yarn|cargo|poetry|pdm|uv|pixi|deno|pipfile|composer|gemfile|gopkg|glide|mix|flake|pubspec|podfile|esy)\.lock",
        r"conda-lock\.ya?ml", r"gradle\.lockfile", r"package\.resolved", r"go\.sum", r"\.terraform\.lock\.hcl",
        r"\.pnp\.[^/]*", r"zz_generated[^/]*\.go", r"[^/]+\.(?:nib|xcworkspacedata|xcuserstate|tsbuildinfo)",
    ),
    r"[-.]min\.(?:js|mjs|cjs|css)$",
    r"\.(?:bundle|chunk)\.(?:js|css)$",
    r"[-.][0-9a-f]{8,20}\.(?:js|css)$",
    r"\.map$",
    r"_pb2(?:_grpc)?\.pyi?$",
    r"_pb\.(?:js|ts|d\.ts)$",
    r"\.pb(?:\.gw)?\.(?:go|cc|h|c|m|dart|swift|rs|py)$",
    r"\.(?:g|freezed)\.dart$",
    r"\.(?:designer|feature|g|g\.i)\.(?:cs|vb)$",
    r".\.zep\.(?:c|h|php)$",
    r"_tlb\.pas$",
    r"\.snap$",
    r"[._-]generated\.[a-z0-9]+$",
    r"(?:^|/)tests?/(?:.*/)?snapshots/",
    _folder(
        r"\.idea", r"__generated__", r"generated", r"__snapshots__", r"gen-(?:py|java|cpp|go|js|nodejs|php|rb)",
        r"[^/]+\.(?:egg|dist)-info", r"docs?/_build", r"_site", r"htmlcov", r"cassettes",
    ),
)  # fmt: skip

LOG = _any(
    r"\.log(?:\.\d+|\.txt|\.gz|[-.]\d{4}-?\d\d-?\d\d)?$",
    r"(?:^|[/_.-])logs?(?:[-_.][\d-]+)?\.(?:txt|json|jsonl|csv|md)$",
    r"\.(?:stdout|stderr)$",
    _name(r"nohup\.out", r"slurm-[^/]*\.(?:out|err)", r"(?:console|stdout|stderr|terminal|traceback)\.(?:txt|out)"),
    r"(?:^|/)(?:\w*[-_])?logs?/[^/]*(?:/[^/]*)*\.(?:txt|out|err|json|jsonl|csv|tsv|ya?ml|md|html)$",
    _folder(r"wandb", r"mlruns", r"lightning_logs", r"tb_logs", r"tensorboard", r"outputs/\d{4}-\d\d-\d\d"),
    r"events\.out\.tfevents\.",
)

TEST = _any(
    _folder(r"tests?", r"testing", r"__tests__", r"__mocks__", r"specs?", r"testdata", r"fixtures", r"e2e"),
    _name(r"conftest\.py", r"tests?[-_][^/]*\.[a-z]+", r"tests\.(?:py|rs)"),
    r"[^/][-_](?:tests?|spec)\.[a-z]+$",
    r"\.(?:test|spec)\.[cm]?[jt]sx?$",
)
_TEST_CASED = r"[a-z0-9](?:Tests?|Spec)\.(?:java|kt|cs|scala|swift|php|groovy)$"

_DAY = r"(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[-_t. ]?\d\d[-_:.h]?\d\d(?:[-_:.m]?\d\d)?)?"
_OLD_WORD = r"(?:old|bak|bkp|backup|copy|orig|original|prev|previous)"
_COPY_ALWAYS = _any(
    r"~$",
    r"\.(?:bak|bkp|backup|orig|old|sav|save|rej|autosave|sw[nop])[-_.]?\d*$",
    r"\.(?:bak|bkp|backup|orig|old)\.[a-z0-9]{1,6}$",
    r"[-_](?:bak|bkp)\d*(?:\.[a-z0-9]{1,6})?$",
    rf"[-_. ](?:backup|bak|bkp)[-_. ]?{_DAY}",
    rf"{_DAY}{_TIME}[-_. ](?:backup|bak|bkp)\b",
    r"^(?:#.*#$|\.#|~\$|(?:copy|backup) of |copy_of_)",
    r" - copy(?: \(\d+\))?(?:\.[a-z0-9]{1,6})?$",
)
_VERSION = r"[-_. ](?:v|ver|version|rev)[-_. ]?(\d+)(?:[._](\d+))?(?:[._](\d+))?"
_MARKS = (
    rf"(?:[-_. ]+(?:{_OLD_WORD}|final)\d*| ?\((?:copy|\d+)\)| copy \d+"
    rf"|[-_. ](?:v|ver|version|rev)[-_. ]?\d+(?:[._]\d+)*|[-_. ]{_DAY}{_TIME})+"
)
_INTERFACE = (
    r"(?:^|[-_. ])(?:api|schema|openapi|swagger|proto|spec|changelog|release|release[-_ ]?notes|notes|migration|"
    r"upgrade|news|l?a?gpl|apache|licen[cs]e)$"
)
"""Bases whose numbered versions stand side by side on purpose."""

_COPIES_FOLDER = (
    r"backups|baks?|\.backups?|\.history|\.ipynb_checkpoints|old[-_ ]?versions?|(?:copy|backup) of [^/]*"
    rf"|[^/]* - copy(?: \(\d+\))?|[^/]*[-_. ](?:baks?|backups)|(?:[^/]*[-_. ])?(?:backups?|bak)[-_. ]?{_DAY}[^/]*"
    rf"|[^/]*{_DAY}[^/]*[-_. ](?:backups?|bak)"
)
_MAYBE_FOLDER = (
    r"backup|_?old|archived?|_?archives?|prev|previous|orig|original|[^/]*[-_. ](?:backup|old|copy|orig)|old[-_][^/]*"
)
_PACKAGE = r"(?:^|/)__init__\.py$|\.(?:go|rs|java|kt|cs|tsx?|swift|scala|c|cc|cpp|h|hpp|rb|php)$|(?:^|/)package\.json$"
_EVERYWHERE = (
    r"(?:^|/)(?:__init__\.py|__main__\.py|main\.[a-z]+|index\.[a-z]+|mod\.rs|lib\.rs|readme[^/]*|licen[cs]e[^/]*|makefile|"
    r"setup\.(?:py|cfg)|package\.json|pyproject\.toml|cargo\.toml|conftest\.py|requirements\.txt|\.[^/]*)$"
)
"""Names that any folder has, so that they tell nothing about copies."""

_CODE_LANGUAGES = frozenset({
    "Python", "Rust", "JavaScript", "TypeScript", "TSX", "Java", "Kotlin", "Swift", "C", "C++", "C#", "Go", "Shell",
    "Ruby", "PHP", "R", "Julia", "Lua", "SQL", "HTML", "CSS",
})  # fmt: skip
_CODE_SUFFIX = (
    r"\.(?:pyx|pxd|pyw|bat|cmd|ps1|psm1|pl|pm|scala|clj|cljs|edn|ex|exs|erl|hrl|hs|lhs|ml|mli|fs|fsx|f|f90|f95|for|m|mm|"
    r"cu|cuh|cl|hlsl|glsl|vert|frag|vue|svelte|astro|scss|sass|less|styl|dart|groovy|gradle|zig|nim|v|sv|vhd|vhdl|asm|s|"
    r"lisp|el|scm|rkt|jl|nlogo|ino|pde|sol|vy|cairo|move|wat|proto|thrift|graphql|gql|tf|hcl|nix|cmake|mk|awk|sed|fish|"
    r"zsh|ksh|vim|tcl|vb|vba|bas|pas|d|cr|coffee|jade|pug|erb|j2|jinja2?|hbs|ejs|htm|xhtml|hxx|hpp|cxx|hh|mjs|cjs|jsx)$"
)
_CODE_NAME = r"(?:^|/)(?:gnu)?(?:makefile|dockerfile[^/]*|containerfile|rakefile|gemfile|vagrantfile|jenkinsfile|snakefile|justfile|cmakelists\.txt|build\.bazel|build|workspace)$"  # noqa: E501
_CONFIG = _any(
    r"\.(?:toml|ini|cfg|conf|config|properties|editorconfig|env|ya?ml|plist|service|desktop|cff)$",
    r"(?:^|/)(?:\.env[^/]*|\.[^/]*(?:rc|ignore|config|attributes)|\.git[^/]*|codeowners|procfile|pipfile)$",
    r"(?:^|/)[^/]*(?:requirements|constraints)[^/]*\.txt$",
    r"(?:^|/)(?:robots|runtime)\.txt$|(?:^|/)manifest\.in$|(?:^|/)py\.typed$",
    r"(?:^|/)(?:package|composer|bower|tsconfig[^/]*|jsconfig|manifest|settings|launch|tasks|extensions|devcontainer|"
    r"angular|nx|lerna|turbo|vercel|firebase|renovate|deno|babel\.config|project|app|appsettings[^/]*|[^/]*[-_.]?config|"
    r"[^/]*rc)\.jsonc?$",
    r"(?:^|/)(?:pom|build|web|app|androidmanifest|nuget|ivy|settings)\.xml$|\.(?:csproj|vbproj|fsproj|props|targets)$",
)
_DATA = (
    r"\.(?:csv|tsv|psv|jsonl|ndjson|json5?|geojson|topojson|xml|svg|dat|data|arff|libsvm|parquet|bib|ris|gml|graphml|net|"
    r"gexf|dot|fasta|fa|fastq|pdb|vcf|bed|obj|stl|ply|mtl|po|pot|srt|vtt|tmx|log|out|err|map|lock|snap|rdf|owl|ttl|nt|"
    r"sum|hex|patch|diff|ics|eps|ps)$"
)
_DATA_FOLDER = r"(?:^|/)(?:data|datasets?|corpus|corpora|results)/(?:.*/)?[^/]*\.(?:txt|ya?ml)$"
_PROSE = r"\.(?:md|mdx|markdown|rst|txt|text|tex|adoc|asciidoc|org|textile|wiki|rmd|qmd|rtf|pod|typ|man|[1-9])$"
_MAYBE_LEGAL = r"licen|copying|patent|ofl|eula|notice|copyright"


def classify(frame: pl.DataFrame) -> pl.DataFrame:
    """For each row of `repo`, `path` and `language` (null: as `genome.files.LANGUAGES` has it), in their order:
    the bool columns `vendored`, `generated`, `backup`, `log`, `test` and the `kind` (one of `Kind`).

    All paths of a repository must be there: a marked name is a backup only beside what it is a copy of.
    ValueError for a missing column. A null path is no file: all false, and `kind` null.
    """
    import polars as pl

    if missing := [name for name in ("repo", "path", "language") if name not in frame.columns]:
        raise ValueError(f"paths: the column {missing[0]!r} is missing; repo, path and language are needed")
    rows = frame.select(
        pl.col("repo").cast(pl.String).fill_null(""),
        pl.col("path").cast(pl.String),
        language=pl.coalesce(
            pl.col("language").cast(pl.String),
            pl.col("path")
            .cast(pl.String)
            .str.to_lowercase()
            .str.extract(r"[^/](\.[^./]+)$")
            .replace_strict(files.LANGUAGES, default=None, return_dtype=pl.String),
        ),
        lower=pl.col("path").cast(pl.String).str.to_lowercase(),
    ).with_row_index("row")
    rows = rows.with_columns(kind=_kind(rows))
    path = pl.col("lower")
    return rows.select(
        vendored=path.str.contains(VENDORED),
        generated=path.str.contains(GENERATED),
        backup=_backups(rows),
        log=path.str.contains(LOG),
        test=path.str.contains(TEST) | pl.col("path").str.contains(_TEST_CASED),
        kind=pl.col("kind"),
    ).with_columns(pl.col(COLUMNS).fill_null(False))


def _kind(rows: pl.DataFrame) -> pl.Series:
    import polars as pl

    def legal(path: str) -> bool:
        return licences.kind(path.encode("utf-8", "surrogateescape")) in ("licence", "notice")

    path, language = pl.col("lower"), pl.col("language")
    likely = rows.filter(path.str.contains(_MAYBE_LEGAL)).select(
        "row", legal=pl.col("path").map_elements(legal, return_dtype=pl.Boolean)
    )
    return rows.join(likely, on="row", how="left", maintain_order="left").select(
        kind=pl.when(path.is_null())
        .then(None)
        .when(pl.col("legal"))
        .then(pl.lit("legal"))
        .when((language == "Jupyter Notebook") | path.str.ends_with(".ipynb"))
        .then(pl.lit("notebook"))
        .when(path.str.contains(_CODE_NAME) | path.str.contains(_CODE_SUFFIX))
        .then(pl.lit("code"))
        .when(language.is_in(sorted(_CODE_LANGUAGES)))
        .then(pl.lit("code"))
        .when(path.str.contains(GENERATED) & language.is_in(["JSON", "YAML", "TOML"]))
        .then(pl.lit("data"))
        .when(path.str.contains(_DATA_FOLDER))
        .then(pl.lit("data"))
        .when(path.str.contains(_CONFIG))
        .then(pl.lit("config"))
        .when(path.str.contains(_DATA))
        .then(pl.lit("data"))
        .when(path.str.contains(_PROSE) | language.is_in(["Markdown", "reStructuredText", "TeX", "Text"]))
        .then(pl.lit("prose"))
        .when(pl.col("path").str.contains(r"(?:^|/)[A-Z][A-Z_-]+$"))
        .then(pl.lit("prose"))
        .otherwise(pl.lit("data"))
    )["kind"]


def _backups(rows: pl.DataFrame) -> pl.Series:
    import polars as pl

    split = rows.select(
        "row",
        "repo",
        "kind",
        "lower",
        folder=pl.col("lower").str.extract(r"^(.*/)").fill_null(""),
        name=pl.col("lower").str.extract(r"([^/]*)$"),
    ).with_columns(
        stem=pl.coalesce(pl.col("name").str.extract(r"^(.+)\.[a-z][a-z0-9_]{0,9}$"), "name"),
        suffix=pl.col("name").str.extract(r"^.+(\.[a-z][a-z0-9_]{0,9})$").fill_null(""),
    )
    by_folder = _in_copies(split)
    always = split["name"].str.contains(_COPY_ALWAYS).fill_null(False)
    return always | by_folder | _beside(split)


def _beside(split: pl.DataFrame) -> pl.Series:
    """Rule 2: marked names beside what they are copies of."""
    import polars as pl

    prefix = rf"^{_OLD_WORD}[-_]"
    unprefixed = pl.col("stem").str.replace(prefix, "")
    marks = pl.coalesce(unprefixed.str.extract(rf"^.+?({_MARKS})$"), pl.lit(""))
    named = split.with_columns(
        base=pl.coalesce(unprefixed.str.extract(rf"^(.+?){_MARKS}$"), unprefixed),
        marks=marks,
        is_old=pl.col("stem").str.contains(prefix) | marks.str.contains(rf"[-_. (]{_OLD_WORD}"),
    ).with_columns(is_plain=(pl.col("marks") == "") & ~pl.col("is_old"))
    number = pl.lit(0, pl.Int64)
    for part, weight in ((1, 10**10), (2, 10**5), (3, 1)):
        number += pl.col("marks").str.extract(_VERSION, part).cast(pl.Int64, strict=False).fill_null(0) * weight
    copies = pl.col("marks").str.extract(r"\((\d+)\)").cast(pl.Int64, strict=False).fill_null(0)
    dated = pl.col("marks").str.extract(rf"({_DAY}{_TIME})").str.replace_all(r"\D", "").fill_null("")
    only_date = pl.col("marks").str.contains(rf"^[-_. ]{_DAY}{_TIME}$")
    is_interface = pl.col("base").str.contains(_INTERFACE) & pl.col("marks").str.contains(rf"^(?:{_VERSION})$")
    group = ["repo", "folder", "base", "suffix"]
    ranked = named.with_columns(
        # A series of notes or results by date is no series of copies; of programs it is.
        sits_out=is_interface | (only_date & ~pl.col("kind").is_in(["code", "notebook"])),
        has_plain=pl.col("is_plain").any().over(group),
        rank=pl.struct(
            new=~pl.col("is_old"),
            number=number,
            dated=dated,
            final=pl.col("marks").str.contains("final"),
            copies=copies,
        ).rank("dense"),
    )
    last = pl.col("rank").max().over(group)
    return ranked.select(
        backup=~pl.col("is_plain")
        & ~is_interface
        & (pl.col("has_plain") | (~pl.col("sits_out") & (pl.col("rank") < last)))
    )["backup"].fill_null(False)


def _in_copies(split: pl.DataFrame) -> pl.Series:
    """Rules 3 and 4: what is in a folder of copies."""
    import polars as pl

    placed = split.select(
        "row",
        "repo",
        "lower",
        "name",
        always=pl.col("lower").str.contains(rf"(?:^|/)(?:{_COPIES_FOLDER})/").fill_null(False),
        top=pl.col("lower").str.extract(rf"^((?:[^/]+/)*?(?:{_MAYBE_FOLDER})/)"),
    )
    outside = placed.filter(~pl.col("always") & pl.col("top").is_null())
    inside = placed.filter(pl.col("top").is_not_null()).with_columns(
        rest=pl.col("lower").str.strip_prefix(pl.col("top")),
        above=pl.col("top").str.replace(r"[^/]+/$", ""),
        likened=pl.col("top").str.extract(r"([^/]+)/$").str.replace(r"^old[-_]|[-_. ](?:backup|old|copy|orig)$", ""),
        telling=~pl.col("lower").str.contains(_EVERYWHERE),
    )
    if inside.is_empty():
        return placed["always"]
    paths = outside.select("repo", path="lower").unique()
    names = outside.select("repo", "name").unique()
    inside = inside.with_columns(
        beside=pl.concat_str("above", "rest"), likened=pl.concat_str("above", "likened", pl.lit("/"), "rest")
    )
    for column in ("beside", "likened"):
        found = paths.select("repo", pl.col("path").alias(column), pl.lit(True).alias(f"has_{column}"))
        inside = inside.join(found, on=["repo", column], how="left")
    inside = inside.join(names.with_columns(known=pl.lit(True)), on=["repo", "name"], how="left").with_columns(
        pl.col("has_beside", "has_likened", "known").fill_null(False)
    )
    telling = pl.col("telling")
    folders = (
        inside.group_by("repo", "top")
        .agg(
            twin=(telling & (pl.col("has_beside") | pl.col("has_likened"))).any(),
            known=(telling & pl.col("known")).sum(),
            telling=telling.sum(),
            package=pl.col("lower").str.contains(_PACKAGE).any(),
        )
        .filter(
            pl.col("twin")
            | ((pl.col("telling") > 0) & (2 * pl.col("known") >= pl.col("telling")))
            | (pl.col("top").str.contains(r"(?:^|/)backup/$") & ~pl.col("package"))
        )
        .select("repo", "top", copies=pl.lit(True))
    )
    return (
        placed.join(folders, on=["repo", "top"], how="left", maintain_order="left")
        .select(pl.col("always") | pl.col("copies").fill_null(False))
        .to_series()
    )
