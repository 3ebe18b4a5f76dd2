"""`coevo bench …`: measure on this machine. Nothing here decides whether a build is good."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coevo_pipelines.options import DebugOption, JsonOption, UsageError

if TYPE_CHECKING:
    from coevo_pipelines.bench.influence import Measured
    from coevo_pipelines.bench.swarm import Day, Moved, Raced

bench = typer.Typer(
    name="bench", no_args_is_help=True, help="Measure: synthetic worlds, and stages beside the tools people know."
)

FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Keep the files that are made here; default: a temporary folder.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same world.")]


@bench.command()
def world(
    works: Annotated[int, typer.Option("--works", min=10, help="Works that appear in all.")],
    edges: Annotated[int, typer.Option("--edges", min=0, help="References, duplicates and dirt included.")],
    lake: Annotated[Path, typer.Option("--lake", help="A new folder for the lake.")],
    days: Annotated[int, typer.Option("--days", min=1, help="Partitions; the first holds the history.")] = 3,
    seed: SeedOption = 0,
    debug: DebugOption = False,
) -> None:
    """Make a synthetic world of any size: ordinary partitions of traces and citations in a lake of its own.

    Power-law citations with ageing, fields, owners, all relations, aliases, duplicates and dirt in realistic shares,
    so that every later stage can be measured on it.

    \b
    Example:
      coevo bench world --works 100000 --edges 1000000 --lake world
      coevo bench stages --lake world
    """
    from coevo_pipelines.bench.world.shape import Shape
    from coevo_pipelines.bench.world.writing import write
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.terminal import say

    summary = write(Lake(lake.resolve()), Shape(works, edges, days, seed), lambda line: say(f"  {line}", error=True))
    say(str(summary))
    say(f"Done: {lake}", style="bold green")


@bench.command()
def stages(
    lake: Annotated[
        Path, typer.Option("--lake", help="A lake with traces and citations, such as `bench world` makes.")
    ],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time every stage after citations on a lake, day by day, committing what it makes as a run would."""
    from dataclasses import asdict

    from coevo_pipelines.bench.stages import run
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.options import existing_lake, settings_of
    from coevo_pipelines.terminal import json_out, rows_table, say

    settings = settings_of(lake, None)
    store = Lake(existing_lake(settings))
    timed = list(run(store, settings, lambda line: say(f"  {line}", style="dim", error=True)))
    if as_json:
        json_out([asdict(each) for each in timed])
    else:
        rows_table(
            ("stage", "day", "seconds", "peak GB", "rows"),
            [
                (
                    each.stage, str(each.day), f"{each.seconds:.1f}", f"{each.peak_bytes / 1e9:.2f}",
                    ", ".join(f"{name.partition('.')[2]} {count:,}" for name, count in each.rows.items()),
                )
                for each in timed
            ],
        )  # fmt: skip


@bench.command("report")
def report_(
    works: Annotated[int, typer.Option("--works", min=10, help="Works in the world.")] = 50_000,
    edges: Annotated[int | None, typer.Option("--edges", min=0, help="References.", show_default="10 a work")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Partitions; the newest day's report is made.")] = 3,
    lake: Annotated[
        Path | None, typer.Option("--lake", help="A finished lake with its catalog, instead of a new world.")
    ] = None,
    folder: FolderOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time a day's report part by part: questions to the catalog, pages and pictures, records, and how much came out.

    A synthetic world is made first and taken through influence and rewards (a minute for 50,000 works). Seconds of
    the processor are those of this process, whatever else the machine does.

    \b
    Example:
      coevo bench report --works 50000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench import report as measuring
    from coevo_pipelines.bench.world.shape import Shape
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.options import existing_lake, settings_of
    from coevo_pipelines.terminal import json_out, rows_table, say

    with ExitStack() as stack:
        if lake is not None:
            store = Lake(existing_lake(settings_of(lake, None)))
        else:
            if folder is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
            elif not folder.is_dir():
                raise UsageError(f"--folder {folder}: there is no such folder")
            store = Lake(folder.resolve() / "lake")
            shape = Shape(works, 10 * works if edges is None else edges, days, seed)
            settings = settings_of(store.root, None)
            measuring.make(store, settings, shape, lambda line: say(f"  {line}", style="dim", error=True))
        measured = measuring.run(store)
    if as_json:
        totals = {"seconds": measured.seconds, "cpu_seconds": measured.cpu_seconds}
        json_out(asdict(measured) | totals)
        return
    rows_table(
        ("part", "of", "seconds", "CPU s"),
        [(each.part, each.of, f"{each.seconds:.2f}", f"{each.cpu_seconds:.2f}") for each in measured.parts]
        + [("in all", "", f"{measured.seconds:.2f}", f"{measured.cpu_seconds:.2f}")],
    )
    say(
        f"{measured.works:,} works and stubs, {measured.edges:,} links: {measured.files:,} files, "
        f"{measured.bytes / 1e6:,.1f} MB; peak {measured.peak_bytes / 1e9:.2f} GB"
    )


@bench.command()
def influence(
    edges: Annotated[
        list[int] | None,
        typer.Option("--edges", min=1000, help="Links; again for each size. Default: 1, 10 and 100 million."),
    ] = None,
    damping: Annotated[float, typer.Option("--damping", min=0, max=0.999, help="0.85 is the textbook's.")] = 0.85,
    peers: Annotated[
        bool, typer.Option(help="Measure scipy, igraph (to 10 million) and networkx (to 1 million) too.")
    ] = True,
    text: Annotated[
        int, typer.Option("--text", min=0, help="Map this many links with text ids to numbers, too; 0: none.")
    ] = 10_000_000,
    folder: FolderOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time the influence solve from Parquet to Parquet: load, solve, write and peak memory, beside its peers.

    All sizes together take about a quarter of an hour. Every contestant runs in a process of its own, solves to a
    residual of 1e-12 (igraph: as precisely as it does), and is compared with the first. Peers need
    `pip install "coevo_pipelines[bench]"`.

    \b
    Example:
      coevo bench influence --edges 1000000 --text 0
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.influence import mapping, run
    from coevo_pipelines.terminal import json_out, say

    def tell(line: str) -> None:
        say(f"  {line}", style="dim", error=True)

    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        measured = list(
            run(
                edges or [1_000_000, 10_000_000, 100_000_000],
                folder,
                damping=damping,
                seed=seed,
                peers=peers,
                tell=tell,
            )
        )
        mapped = list(mapping(text, folder, seed=seed, tell=tell)) if text else []
    if as_json:
        json_out([asdict(each) for each in (*measured, *mapped)])
    else:
        _show(measured)
        _show(mapped)


@bench.command()
def rewards(
    works: Annotated[int, typer.Option("--works", min=100, help="Works with scores.")] = 10_000_000,
    people: Annotated[int, typer.Option("--people", min=10, help="People behind them.")] = 3_000_000,
    pool: Annotated[int, typer.Option("--pool", min=1, max=10**17, help="Minor units to divide.")] = 10**12,
    folder: FolderOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time a reward round from Parquet to Parquet, beside the same formula in pandas' floating point.

    Shows the money that the float version loses or makes, and who gets another amount by it. A tenth is floor, the cap
    is a ten-thousandth of the pool, the minimum 100 minor units. Needs `pip install "coevo_pipelines[bench]"`.

    \b
    Example:
      coevo bench rewards --works 100000 --people 30000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.rewards import run
    from coevo_pipelines.terminal import json_out, rows_table, say

    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        measured = list(run(works, people, pool, folder, seed, lambda line: say(f"  {line}", style="dim", error=True)))
    if as_json:
        json_out([asdict(each) for each in measured])
        return
    rows_table(
        (
            "who",
            "seconds by step",
            "total s",
            "of ours",
            "peak GB",
            "lost or made",
            "people off",
            "most",
            "over the cap",
        ),
        [
            (
                each.name,
                ", ".join(f"{step} {seconds:.1f}" for step, seconds in each.seconds.items()),
                f"{each.total:.1f}",
                f"{each.total / measured[0].total:.1f} x",
                f"{each.peak_bytes / 1e9:.2f}",
                f"{each.divided - pool:+,}",
                f"{each.off:,}",
                f"{each.most_off:,}",
                f"{each.over_cap:,}",
            )
            for each in measured
        ],
    )


@bench.command()
def genome(
    repos: Annotated[
        list[Path], typer.Argument(help="Local git repositories; what HEAD stands for is packed.", show_default=False)
    ],
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="Runs of each; the median counts.")] = 3,
    folder: FolderOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time audit and pack of repositories end to end, beside the packers that people know and that are on PATH.

    Also beside the floor: every blob read through one `git cat-file --batch`, hashed twice and written. All take
    turns, each in processes of its own, their start included; the peers get HEAD's files written out beforehand, in
    one folder, in one call.

    \b
    Example:
      coevo bench genome . ../other --repeat 1
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.genome import run
    from coevo_pipelines.genome.git import Git
    from coevo_pipelines.terminal import json_out, rows_table, say

    for repo in repos:
        if not repo.is_dir() or Git(repo).resolve("HEAD") is None:
            raise UsageError(f"{repo}: there is no git repository with a commit")
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        measured = run(repos, folder, repeat, lambda line: say(f"  {line}", style="dim", error=True))
    if as_json:
        json_out([asdict(each) | {"seconds": each.seconds} for each in measured])
        return
    own = measured[0].seconds
    rows_table(
        ("who", "version", "seconds", "of ours", "peak MB", "MB written", "files"),
        [
            (
                each.name,
                each.version,
                f"{each.seconds:.2f}",
                f"{each.seconds / own:.2f} x" if own else "",
                "" if each.peak_bytes is None else f"{each.peak_bytes / 1e6:.0f}",
                f"{each.written_bytes / 1e6:.1f}",
                "" if each.files is None else f"{each.files:,}",
            )
            for each in measured
            if not each.failure
        ],
    )
    for each in measured:
        say(f"{each.name}: {each.failure or each.note}", style="yellow" if each.failure else "dim")


@bench.command()
def corpora(
    documents: Annotated[int, typer.Option("--documents", min=100, help="Texts to compose.")] = 65_000,
    text: Annotated[
        Path | None, typer.Option("--text", help="Make the originals of this folder's UTF-8 files; default: of words.")
    ] = None,
    peers: Annotated[bool, typer.Option(help="Measure rensa, datasketch and datatrove too, where installed.")] = True,
    folder: FolderOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time a day of corpora from end to end, and near-duplicate search beside its peers, with recall and precision.

    The day: cleaning, near-duplicates, tokens, packing and release of the same composed texts, for one blueprint.
    Recall and precision are by brute force on a sample. All search for the same: sets of five words, 128 permutations,
    Jaccard 0.8, each contestant by its own defaults, in a process of its own, on all cores that it can use. Peers
    need `pip install "coevo_pipelines[bench]"`.

    \b
    Example:
      coevo bench corpora --documents 10000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench import corpora as whole
    from coevo_pipelines.bench.duplicates import run
    from coevo_pipelines.terminal import json_out, rows_table, say

    if text is not None and not text.is_dir():
        raise UsageError(f"--text {text}: there is no such folder")
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        searched = list(
            run(
                documents,
                folder,
                seed=seed,
                peers=peers,
                text=text,
                tell=lambda line: say(f"  {line}", style="dim", error=True),
            )
        )
        say("  a day from end to end", style="dim", error=True)
        day = whole.run(folder / "texts.parquet", folder)
    if as_json:
        json_out({"day": asdict(day), "duplicates": [asdict(each) for each in searched]})
        return
    total = sum(day.seconds.values())
    rows_table(
        ("a day", "seconds", "documents/s", "MB/s"),
        [
            (step, f"{seconds:.2f}", f"{day.documents / seconds:,.0f}", f"{day.megabytes / seconds:,.1f}")
            for step, seconds in {**day.seconds, "in all": total}.items()
            if seconds
        ],
    )
    say(
        f"{day.documents:,} documents, {day.megabytes:,.0f} MB, {day.kept:,} kept, {day.tokens:,} tokens in sequences; "
        f"peak {day.own_bytes / 1e9:.2f} GB, {day.peak_bytes / 1e9:.2f} GB with mapped files. "
        f"Tokenizer: {day.by_us:,.0f} tokens/s, one by one {day.one_by_one:,.0f}"
    )
    own = searched[0].total
    rows_table(
        (
            "near-duplicates",
            "seconds by step",
            "total s",
            "of ours",
            "CPU s",
            "documents/s",
            "MB/s",
            "peak GB",
            "pairs",
            "recall",
            "precision",
        ),
        [
            (
                each.name,
                ", ".join(f"{step} {seconds:.2f}" for step, seconds in each.seconds.items()),
                f"{each.total:.2f}",
                f"{each.total / own:.1f} x" if own else "",
                f"{each.cpu_seconds:.1f}",
                f"{each.documents / each.total:,.0f}",
                f"{each.megabytes / each.total:.1f}",
                f"{each.peak_bytes / 1e9:.2f}",
                f"{each.pairs:,}",
                "" if each.recall is None else f"{each.recall:.4f}",
                "" if each.precision is None else f"{each.precision:.4f}",
            )
            for each in searched
            if not each.failure
        ],
    )
    for each in searched:
        if each.failure:
            say(f"{each.name}: {each.failure}", style="yellow")


@bench.command()
def normalize(
    works: Annotated[
        int, typer.Option("--works", min=400, help="Works in all, a quarter from each service.")
    ] = 1_000_000,
    apart: Annotated[bool, typer.Option(help="Measure each service alone too.")] = True,
    folder: FolderOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time normalization of stored answers beside a loop that only reads their JSON or XML.

    The answers are made up, field for field as arXiv, OpenAlex, GitHub and the Hugging Face Hub send them, and stored
    as in a lake. The loop is the least that can be done: every body through json.loads or lxml. Both use one core, and
    seconds are those of the core. A million works take about ten minutes and 1 GB of disk.

    \b
    Example:
      coevo bench normalize --works 20000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.normalize import run
    from coevo_pipelines.terminal import json_out, rows_table, say

    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        measured = run(works, folder, seed, lambda line: say(f"  {line}", style="dim", error=True), apart=apart)
    if as_json:
        json_out([asdict(each) for each in measured])
        return
    rows_table(
        ("answers of", "works", "works/s", "MB/s", "loop MB/s", "x loop", "seconds", "rows", "peak MB", "stored"),
        [
            (
                ", ".join(each.sources), f"{each.works:,}", f"{each.works / each.normalized_s:,.0f}",
                f"{each.received / each.normalized_s / 1e6:,.1f}", f"{each.received / each.loop_s / 1e6:,.1f}",
                f"{each.ratio:.2f}", ", ".join(f"{step} {seconds:.1f}" for step, seconds in each.seconds.items()),
                f"{each.rows:,}", f"{each.peak / 1e6:,.0f}", f"{each.stored / each.received:.3f}",
            )
            for each in measured
        ],
    )  # fmt: skip
    say("stored: bytes in Parquet for each byte received; x loop: without writing the tables", style="dim")


@bench.command("swarm")
def swarm_(
    organisms: Annotated[
        list[int] | None,
        typer.Option("--organisms", min=10, help="Again for each size. Default: 10 and 100 thousand, 1 million."),
    ] = None,
    patterns: Annotated[int, typer.Option("--patterns", min=1, max=1000, help="Ways of doing things.")] = 32,
    peers: Annotated[bool, typer.Option(help="Measure a plain NumPy loop and Mesa too.")] = True,
    day: Annotated[bool, typer.Option(help="Measure a whole day too, from files to files.")] = True,
    folder: FolderOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time clasps and uses of the swarm beside Mesa, NumPy and the memory that they move; then a whole day.

    All begin with the same cells, get the same pairs and random numbers, and must end with the same cells. The day is
    one tick, from the tables of the day before to its own, with ledger, metrics and checkpoint. All sizes together
    take about ten minutes and 6 GB. Mesa needs `pip install "coevo_pipelines[bench]"`.

    \b
    Example:
      coevo bench swarm --organisms 10000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.swarm import days, movements, races
    from coevo_pipelines.terminal import json_out, say

    def tell(line: str) -> None:
        say(f"  {line}", style="dim", error=True)

    sizes = organisms or [10_000, 100_000, 1_000_000]
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coevo_bench_")))
        elif not folder.is_dir():
            raise UsageError(f"--folder {folder}: there is no such folder")
        raced = list(races(sizes, patterns, seed=seed, peers=peers, tell=tell))
        if not as_json:
            _show_passes(raced)
        moved = list(movements(sizes, patterns, seed=seed, tell=tell))
        if not as_json:
            _show_moved(moved)
        lived = list(days(sizes, patterns, folder, seed=seed, tell=tell)) if day else []
    if as_json:
        json_out(
            {
                "passes": [asdict(each) for each in raced],
                "memory": [asdict(each) for each in moved],
                "days": [asdict(each) for each in lived],
            }
        )
    elif lived:
        _show_days(lived)


@bench.command("hubs")
def hubs_(
    hubs: Annotated[int, typer.Option("--hubs", min=2, help="That need and offer.")] = 10_000,
    offers: Annotated[int, typer.Option("--offers", min=1, help="Rows.")] = 100_000,
    needs: Annotated[int, typer.Option("--needs", min=1, help="Rows.")] = 60_000,
    items: Annotated[int, typer.Option("--items", min=2, help="Things; the first is asked for most.")] = 200,
    trials: Annotated[int, typer.Option("--trials", min=0, help="Rows that are changed, one by one; 0: none.")] = 24,
    peers: Annotated[bool, typer.Option(help="Give a smaller world to HiGHS too.")] = True,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time the matching of needs with offers; show its proof, what one row changes, and HiGHS beside it.

    The bound is what no matching of any pairs can exceed, by the prices of the solution. HiGHS solves the linear
    program of all pairs of a smaller world of the same density, and needs `pip install "coevo_pipelines[bench]"`.

    \b
    Example:
      coevo bench hubs --hubs 1000 --offers 10000 --needs 6000
    """
    from dataclasses import asdict

    from coevo_pipelines.bench.hubs import run
    from coevo_pipelines.terminal import json_out, rows_table, say

    found = run(hubs, needs, offers, items, seed, trials, peers, lambda line: say(f"  {line}", style="dim", error=True))
    if as_json:
        json_out(asdict(found) | {"gap": found.gap})
        return
    rows_table(
        ("markets", "seconds", "CPU s", "peak GB", "pairs", "rounds", "matches", "matched", "gap to the bound"),
        [
            (
                f"{found.markets:,}", f"{found.seconds:.1f}", f"{found.cpu_seconds:.1f}",
                f"{found.peak_bytes / 1e9:.2f}", f"{found.pairs:,}", str(found.rounds), f"{found.matches:,}",
                f"{found.matched:.0%}", f"{found.gap:.1e}" if found.gap else "0",
            )
        ],
    )  # fmt: skip
    say("unmet: " + ", ".join(f"{reason} {count:,}" for reason, count in found.reasons.items()))
    say(f"worth {found.objective:,}, at most {found.bound:,}")
    if stable := found.stable:
        say(
            f"one row changes {stable.share:.2%} of what its market matches, {stable.pairs:.1f} pairs; where ties are "
            f"left to the solver {stable.unsettled_share:.2%}, {stable.unsettled_pairs:.1f} pairs"
        )
    if peer := found.peer:
        say(
            f"HiGHS, {peer.needs:,} needs, {peer.offers:,} offers, {peer.pairs:,} pairs: {peer.seconds:.1f} CPU s, "
            f"ours {peer.own_seconds:.1f} ({peer.seconds / max(peer.own_seconds, 1e-9):.0f} x); its objective differs "
            f"by {peer.difference:.1e}"
        )


def _show_passes(raced: Iterable[Raced]) -> None:
    from coevo_pipelines.terminal import rows_table, say

    rows = []
    own: dict[int, Raced] = {}
    for each in raced:
        if each.failure:
            say(f"{each.name}, {each.organisms:,} organisms: {each.failure}", style="yellow")
            continue
        first = own.setdefault(each.organisms, each)
        rows.append(
            (
                f"{each.organisms:,}", each.name, f"{each.clasps:,}", f"{each.clasps_a_second:,.0f}",
                f"{first.clasps_a_second / each.clasps_a_second:.1f} x", f"{each.cells_a_second:,.0f}",
                f"{first.cells_a_second / each.cells_a_second:.1f} x", f"{each.peak_bytes / 1e9:.2f}",
                {None: "", True: "yes", False: "NO"}[each.agrees],
            )
        )  # fmt: skip
    rows_table(
        ("organisms", "who", "clasps", "clasps/s", "of ours", "cell updates/s", "of ours", "peak GB", "same cells"),
        rows,
    )


def _show_moved(moved: Iterable[Moved]) -> None:
    from coevo_pipelines.terminal import rows_table

    rows_table(
        ("organisms", "clasps", "clasp pass s", "again s", "planes moved s", "of it", "all rows moved s", "of it",
         "planes, MB", "copied, GB/s"),
        [
            (
                f"{each.organisms:,}", f"{each.pairs:,}", f"{each.clasped:.4f}", f"{each.repeated:.4f}",
                f"{each.gathered:.4f}", f"{each.clasped / each.gathered:.1f} x", f"{each.rows:.4f}",
                f"{each.clasped / each.rows:.1f} x", f"{each.plane_bytes / 1e6:,.1f}",
                f"{2 * each.plane_bytes / each.copied / 1e9:.1f}",
            )
            for each in moved
        ],
    )  # fmt: skip


def _show_days(lived: Iterable[Day]) -> None:
    from coevo_pipelines.terminal import rows_table

    rows_table(
        ("a day of", "total s", "read", "tick", "write", "rows", "MB", "own GB", "peak GB", "bytes an organism",
         "in arrays"),
        [
            (
                f"{each.organisms:,}", f"{each.total:.1f}", *(f"{seconds:.1f}" for seconds in each.seconds.values()),
                f"{sum(each.rows.values()):,}", f"{each.written_bytes / 1e6:,.1f}", f"{each.own_bytes / 1e9:.2f}",
                f"{each.peak_bytes / 1e9:.2f}", f"{each.own_bytes / each.organisms:,.0f}",
                f"{each.state_bytes / each.organisms:,.0f}",
            )
            for each in lived
        ],
    )  # fmt: skip


def _show(measured: Iterable[Measured]) -> None:
    from coevo_pipelines.terminal import rows_table

    rows, own = [], dict[int, float]()
    for each in measured:
        own.setdefault(each.edges, each.total)
        if each.failure:
            rows.append((f"{each.edges:,}", each.name, each.failure, "", "", "", ""))
            continue
        steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in each.seconds.items())
        ratio = f"{each.total / own[each.edges]:.1f} x" if own[each.edges] else ""
        difference = "" if each.difference is None else f"{each.difference:.1e}"
        rows.append(
            (
                f"{each.edges:,}",
                each.name,
                steps,
                f"{each.total:.2f}",
                ratio,
                f"{each.peak_bytes / 1e9:.2f}",
                difference,
            )
        )
    if rows:
        rows_table(("links", "who", "seconds by step", "total s", "of ours", "peak GB", "largest difference"), rows)
