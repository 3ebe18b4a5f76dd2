"""`coevo genome …`: repositories as one text with a proof, audited, packed, compared and taken apart again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import DebugOption, JsonOption, UsageError, date_of

if TYPE_CHECKING:
    from coevo_pipelines.genome.standalone import Choice

genome = typer.Typer(
    name="genome",
    no_args_is_help=True,
    help="Repositories as one text, with a proof for every byte: audit, pack, verify, prove, unpack, compare.",
)

ReposArgument = Annotated[
    list[str],
    typer.Argument(
        help="Local paths or addresses (https, git, file); NAME=PLACE gives a name of your own.", show_default=False
    ),
]
OnOption = Annotated[
    str | None,
    typer.Option("--date", help="The default branch as of the end of this day, YYYY-MM-DD (UTC); else as it is now."),
]
MirrorsOption = Annotated[Path, typer.Option("--mirrors", help="Folder for mirrors of what is not a local path.")]
ShallowOption = Annotated[bool, typer.Option("--shallow", help="Take repositories whose history was cut off.")]
PackArgument = Annotated[
    Path, typer.Argument(help="A pack; its manifest lies beside it (FILE.manifest.jsonl).", show_default=False)
]
DEFAULT_MIRRORS = Path("data_lake/genome/mirrors")


@genome.command()
def pack(
    repos: ReposArgument,
    out: Annotated[Path, typer.Option("--out", help="Where to write the pack; its manifest is written beside it.")],
    on: OnOption = None,
    first: Annotated[list[str] | None, typer.Option("--first", help="Name that comes first; again for more.")] = None,
    last: Annotated[list[str] | None, typer.Option("--last", help="Name that comes last; again for more.")] = None,
    all_text: Annotated[bool, typer.Option("--all-text", help="Every text file, whatever its extension.")] = False,
    largest: Annotated[int, typer.Option("--largest", help="Bytes; larger files are only listed.", min=0)] = 5_000_000,
    outputs: Annotated[bool, typer.Option("--outputs", help="Keep the outputs of notebooks.")] = False,
    archives: Annotated[bool, typer.Option("--archives", help="Also what is in zip and tar files.")] = False,
    mirrors: MirrorsOption = DEFAULT_MIRRORS,
    shallow: ShallowOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Pack repositories into one text, and write what is in it, with a Merkle root over all files, beside it.

    Nothing is checked out: files are read from the object store, after an audit of every object (`coevo genome
    audit`). A repository that fails it is left out and named, and the exit code is 1. Binary, large and LFS files,
    links and submodules are listed in the manifest, not packed; licence and notice files always are.

    \b
    Example:
      coevo genome pack . ../other https://github.com/octocat/Hello-World --out genome.txt
    """
    from coevo_pipelines.genome import ecosystem, manifest, standalone
    from coevo_pipelines.genome.files import Rules
    from coevo_pipelines.terminal import json_out, say

    _writable(out)
    rules = Rules(all_text=all_text, largest=largest, strip_notebooks=not outputs, archives=archives)
    sources = ecosystem.in_order(map(ecosystem.source_of, repos), first or (), last or ())

    def tell(line: str) -> None:
        if not as_json:
            say(f"  {line}", style="dim", error=True)

    header = standalone.pack(sources, out, _choice(on, mirrors, shallow), rules, tell)
    if as_json:
        json_out(header | {"out": str(out), "manifest": str(manifest.place(out))})
    else:
        packed = header["pack"]
        say(f"{out}: {packed['files']:,} files of {len(header['repositories'])} repositories, {packed['size']:,} bytes")
        listed = {reason: count for reason, count in header["reasons"].items() if reason != "packed"}
        if listed:
            say("only listed: " + ", ".join(f"{count:,} {reason}" for reason, count in listed.items()))
        say(f"root {header['root']}")
        say(f"Next: coevo genome verify {out}")
    if header["left_out"]:
        if not as_json:
            say(f"left out: {', '.join(each['name'] for each in header['left_out'])}", style="red", error=True)
        raise typer.Exit(1)


@genome.command()
def audit(
    repos: ReposArgument,
    on: OnOption = None,
    mirrors: MirrorsOption = DEFAULT_MIRRORS,
    shallow: ShallowOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check repositories on four levels: every object, nothing sampled. Exit code 1 when one fails.

    1 the commit and its tree, against the remote (of a local path: not run); 2 git's full check of the object store,
    and nothing in it that shows other objects than there are (grafts, replace refs, alternates); 3 every file's bytes
    against their id; 4 every tree rebuilt from its entries.
    """
    from dataclasses import asdict

    from coevo_pipelines.genome import ecosystem, standalone
    from coevo_pipelines.terminal import json_out, say

    choice = _choice(on, mirrors, shallow)
    passed, told = True, []
    for source, chosen in standalone.choose_all(ecosystem.in_order(map(ecosystem.source_of, repos)), choice):
        if isinstance(chosen, Exception):
            passed = False
            told.append({"name": source.name, "passed": False, "error": str(chosen)})
            if not as_json:
                say(f"{source.name}: {chosen}", style="red", error=True)
            continue
        found = standalone.audited(chosen, choice)
        passed &= found.passed
        told.append(
            {
                "name": source.name,
                "passed": found.passed,
                "commit": found.commit,
                "tree": found.tree,
                "levels": [asdict(level) for level in found.levels],
            }
        )
        if not as_json:
            say(f"{source.name}: {'passed' if found.passed else 'FAILED'}  commit {found.commit}  tree {found.tree}")
            for level in found.levels:
                say(f"  level {level.level}: {level.status.replace('_', ' ')}, {level.checked:,} objects")
                for each in level.differences[:10]:
                    where = f" at {each.path}" if each.path else ""
                    say(f"    {each.object}{where}: {each.found}; expected {each.expected}", style="red")
                if len(level.differences) > 10:
                    say(f"    and {len(level.differences) - 10:,} more")
    if as_json:
        json_out(told)
    if not passed:
        raise typer.Exit(1)


@genome.command()
def verify(file: PackArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Recompute every hash of a pack and its manifest. Exit code 1 after naming what differs, and where."""
    from coevo_pipelines.genome import manifest, standalone
    from coevo_pipelines.terminal import json_out, say

    _is_there(file, manifest.place(file))
    findings = standalone.verify(file)
    if as_json:
        json_out({"findings": findings})
    elif findings:
        for finding in findings[:20]:
            say(finding, style="red", error=True)
        if len(findings) > 20:
            say(f"and {len(findings) - 20:,} more", error=True)
    else:
        header = manifest.read(manifest.place(file)).header
        say(f"verified: {header['files']:,} files, {header['pack']['files']:,} of them packed: all agree")
        say(f"root {header['root']}")
    if findings:
        raise typer.Exit(1)


@genome.command()
def prove(
    file: PackArgument,
    path: Annotated[str, typer.Argument(help="REPO:PATH, or a path that only one repository has.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the proof; else it is printed.")] = None,
    debug: DebugOption = False,
) -> None:
    """A proof that one file is in the genome: its row and the hashes up to the root, checkable without the rest."""
    from coevo_pipelines.genome import manifest
    from coevo_pipelines.lake.ledger import write_whole

    _is_there(manifest.place(file))
    found = manifest.read(manifest.place(file))
    text = json.dumps(manifest.proof_of(found, manifest.find(found, path)), indent=1, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        _writable(out)
        write_whole(out, text.encode())


@genome.command("verify-proof")
def verify_proof(
    proof: Annotated[Path, typer.Argument(help="What `coevo genome prove` wrote.")],
    content: Annotated[Path | None, typer.Option("--content", help="The file that it should be about.")] = None,
    root: Annotated[str | None, typer.Option("--root", help="The root that you trust, 64 hex digits.")] = None,
    debug: DebugOption = False,
) -> None:
    """Check a proof, and with --content that this very file is the one. Exit code 1 when it shows nothing.

    Without --root it is checked against the root that it names itself: compare that with one that you trust.
    """
    from coevo_pipelines.genome import manifest
    from coevo_pipelines.lake.ledger import file_sha256
    from coevo_pipelines.terminal import say

    _is_there(proof, *([content] if content else []))
    try:
        given: Any = json.loads(proof.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{proof}: no JSON ({error}): give what `coevo genome prove` wrote") from None
    wrong = manifest.checked(given if isinstance(given, dict) else {}, root)
    if wrong is None and content is not None:
        own = file_sha256(content)
        if own != given["row"].get("sha256"):
            wrong = f"{content} is another file: its sha256 is {own}, and the proof is of {given['row'].get('sha256')}"
    if wrong:
        say(f"{proof}: {wrong}", style="red", error=True)
        raise typer.Exit(1)
    row = given["row"]
    say(f"{row['repo']}: {row['path']}, sha256 {row['sha256']}, is in the genome")
    say(f"of root {given['root']}" + ("" if root else "; compare it with one that you trust, or give it as --root"))


@genome.command()
def unpack(
    file: PackArgument,
    out: Annotated[Path, typer.Option("--out", help="A new folder: OUT/REPO/PATH.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write every packed file back, byte for byte as it was; all of them or none.

    Notebooks that were stripped of their outputs come without them.
    """
    from coevo_pipelines.genome import manifest, standalone
    from coevo_pipelines.terminal import json_out, say

    _is_there(file, manifest.place(file))
    if out.exists():
        raise UsageError(f"{out} is there already: unpack writes to a new folder only")
    _writable(out)
    files = standalone.unpack(file, out)
    if as_json:
        json_out({"out": str(out), "files": files})
    else:
        say(f"{out}: {files:,} files")


@genome.command()
def diff(
    before: PackArgument,
    after: PackArgument,
    text: Annotated[bool, typer.Option("--text", help="Show what changed inside the files, too.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Which files were added, removed or changed between two packs. Exit code 0 also when they differ."""
    from dataclasses import asdict

    from coevo_pipelines.genome import manifest, standalone
    from coevo_pipelines.terminal import json_out, say

    _is_there(manifest.place(before), manifest.place(after), *((before, after) if text else ()))
    found = list(standalone.changes(*(manifest.read(manifest.place(each)) for each in (before, after))))
    diffs = standalone.diffs(before, after, found) if text else {}
    if as_json:
        json_out([asdict(change) | ({"diff": diffs[change]} if text else {}) for change in found])
        return
    marks = {"added": "+", "removed": "-", "changed": "~"}
    for change in found:
        sizes = " -> ".join(f"{size:,}" for size in (change.before, change.after) if size is not None)
        say(f"{marks[change.what]} {change.repo}: {change.path}  {sizes} bytes")
        if body := diffs.get(change):
            typer.echo(body)
    counts = ", ".join(f"{sum(change.what == what for change in found):,} {what}" for what in marks)
    say(counts if found else "no file differs")


def _choice(on: str | None, mirrors: Path, shallow: bool) -> Choice:
    from coevo_pipelines.genome.standalone import Choice

    return Choice(on=None if on is None else date_of(on), mirrors=mirrors, shallow=shallow)


def _writable(out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent}: there is no such folder")
    if out.is_dir():
        raise UsageError(f"{out} is a folder: name a file")


def _is_there(*files: Path) -> None:
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: there is no such file")
