"""`coevo genome pack` beside the packers that people know, and beside the floor: reading and hashing, nothing more.

Every contestant gets the same repositories in a process of its own. The peers read files, not object stores: HEAD is
written out for them beforehand (regular files only, without `.git`), in one folder, and each packs that folder in one
call. Their options come from their own help texts: what makes them take what our rules take, and no network.

Started as `python -m coevo_pipelines.bench.genome OUT REPO…` this file is the floor itself.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import IO, NamedTuple

from coevo_pipelines.genome.git import CHUNK, Git, algorithm_of, stop

PATIENCE_S = 3600
SAMPLE_S = 0.02
"""Seconds between two looks at memory."""
LAST_WORDS = 500
"""Characters of what a failed contestant wrote to its standard error."""
FILE_MODES = ("100644", "100755", "100664")
LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
"""How the peers are told of licence and notice files; our rules know more names."""


class Blob(NamedTuple):
    """A file of HEAD's tree."""

    mode: str
    oid: str
    path: bytes


class Job(NamedTuple):
    """What a contestant works on. `checkouts` holds HEAD's files, a folder for each repository."""

    repos: Sequence[Path]
    checkouts: Path
    out: Path


class Told(NamedTuple):
    """What a contestant says of its work: how many files it took, and what else is to be known."""

    files: int | None
    note: str = ""


@dataclass(frozen=True)
class Contestant:
    """`program` is looked for on PATH; a contestant without one is always there."""

    name: str
    command: Callable[[Job], list[str]]
    told: Callable[[str, Path], Told]
    """From what it printed, and the folder that it wrote to."""
    leaves_out: str
    program: str = ""
    install: str = ""


@dataclass(frozen=True)
class Measured:
    """One contestant; seconds of each run, in their order, from the start of the process to its end."""

    name: str
    version: str
    runs: tuple[float, ...]
    peak_bytes: int | None
    """The most of all runs; None where there is no /proc."""
    written_bytes: int
    files: int | None
    note: str
    """What it leaves out or does besides."""
    failure: str = ""

    @property
    def seconds(self) -> float:
        """The median of the runs."""
        return median(self.runs) if self.runs else 0.0


@dataclass(frozen=True)
class Ran:
    """One run. `said` is what it printed, `failure` empty when all went well."""

    seconds: float
    peak_bytes: int | None
    said: str
    failure: str


def run(repos: Sequence[Path], folder: Path, repeat: int, tell: Callable[[str], None]) -> list[Measured]:
    """Pack `repos` with every contestant `repeat` times, taking turns. Files are made in a new folder in `folder`.

    Raises GitError for a repository that cannot be read.
    """
    place = Path(tempfile.mkdtemp(prefix="genome_", dir=folder)).resolve()
    checkouts = place / "checkouts"
    resolved = [repo.resolve() for repo in repos]
    for number, repo in enumerate(resolved):
        tell(f"{repo.name}: writing out HEAD for the peers")
        write_out(Git(repo), checkouts / _name(number))
    present = [each for each in CONTESTANTS if not each.program or shutil.which(each.program)]
    versions = {each.name: _version(each.program) for each in present if each.program}
    done: dict[str, list[Ran]] = {each.name: [] for each in present}
    told: dict[str, tuple[Told, int]] = {}
    for turn in range(1, repeat + 1):
        for each in present:
            if done[each.name] and done[each.name][-1].failure:
                continue
            out = place / re.sub(r"\W+", "_", each.name)
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            ran = _measure(each.command(Job(resolved, checkouts, out)), checkouts if each.program else None)
            written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            if not ran.failure and not written:
                ran = Ran(ran.seconds, ran.peak_bytes, ran.said, "ended well and wrote nothing")
            done[each.name].append(ran)
            tell(f"{turn} of {repeat}: {each.name}: {ran.failure or f'{ran.seconds:.2f} s'}")
            if not ran.failure:
                told[each.name] = each.told(ran.said, out), written
    return [
        _summary(each, versions.get(each.name, ""), done.get(each.name), told.get(each.name)) for each in CONTESTANTS
    ]


def _summary(each: Contestant, version: str, runs: list[Ran] | None, last: tuple[Told, int] | None) -> Measured:
    if runs is None:
        return Measured(each.name, "", (), None, 0, None, each.leaves_out, f"not installed: {each.install}")
    failure = runs[-1].failure
    said, written = last or (Told(None), 0)
    peaks = [ran.peak_bytes for ran in runs if ran.peak_bytes is not None]
    return Measured(
        each.name,
        version,
        () if failure else tuple(ran.seconds for ran in runs),
        max(peaks, default=None),
        written,
        said.files,
        "; ".join(filter(None, (each.leaves_out, said.note))),
        failure,
    )


def blobs(git: Git) -> Iterator[Blob]:
    """Every blob of HEAD's tree with its path, in order of path; links are blobs too, submodules are none."""
    for line in git.run("ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, kind, oid = about.decode().split(" ")
        if kind == "blob":
            yield Blob(mode, oid, path)


def write_out(git: Git, folder: Path) -> None:
    """HEAD's regular files as files, byte for byte: no filter, no attribute and no link of the repository counts.

    A path that would lead out of the folder or into a `.git` is left out.
    """
    files = [each for each in blobs(git) if each.mode in FILE_MODES and _is_inside(each.path)]
    folder.mkdir(parents=True)
    for each, (_, chunks) in zip(files, contents(git, [each.oid for each in files]), strict=True):
        place = folder / os.fsdecode(each.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as stream:
            stream.writelines(chunks)


def contents(git: Git, oids: Sequence[str]) -> Iterator[tuple[int, Iterator[bytes]]]:
    """(size, its bytes in chunks of at most a MiB) of each blob, through one `git cat-file --batch`.

    Read each to its end before the next. GitError where one is missing or damaged.
    """
    with tempfile.TemporaryFile() as asked:
        asked.writelines(b"%s\n" % oid.encode() for oid in oids)
        asked.seek(0)
        process = git.start("cat-file", "--batch", "--buffer", stdin=asked, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        stream = process.stdout
        try:
            for oid in oids:
                header = stream.readline().split()
                if len(header) != 3:
                    raise git.error(("cat-file", "--batch"), None, "missing or damaged", oid)
                size = int(header[2])
                yield size, _chunks(stream.read, size)
                stream.read(1)
        finally:
            stop(process)


def _chunks(read: Callable[[int], bytes], left: int) -> Iterator[bytes]:
    while left:
        chunk = read(min(CHUNK, left))
        if not chunk:
            raise EOFError("git cat-file ended in the middle of a blob")
        left -= len(chunk)
        yield chunk


def floor(out: Path, repos: Sequence[Path]) -> int:
    """What nobody who proves every byte can do without: each blob of HEAD read once through git, its git id and its
    SHA-256 computed, its bytes written to `out`. How many blobs; ValueError where an id is not the content's."""
    count = 0
    with out.open("wb", buffering=CHUNK) as file:
        for repo in repos:
            git = Git(repo)
            oids = list(dict.fromkeys(each.oid for each in blobs(git)))
            for oid, (size, chunks) in zip(oids, contents(git, oids), strict=True):
                own = hashlib.new(algorithm_of(oid), b"blob %d\0" % size, usedforsecurity=False)
                sha256 = hashlib.sha256()
                for chunk in chunks:
                    own.update(chunk)
                    sha256.update(chunk)
                    file.write(chunk)
                sha256.digest()
                if own.hexdigest() != oid:
                    raise ValueError(f"{repo}: {oid} has other bytes than its id says")
            count += len(oids)
    return count


def _measure(command: Sequence[str], cwd: Path | None) -> Ran:
    """Run a command to its end, watching the memory of all its processes."""
    environment = {**os.environ, "NO_COLOR": "1"}
    if cwd is not None:  # a peer that asks for something on the network is refused at once
        environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env=environment, start_new_session=True
        )
        watch = Watch(process)
        try:
            status = process.wait()  # with a timeout it would look every 50 ms only
            seconds = perf_counter() - began
        finally:
            watch.end()
            stop(process)
        said = _text(out)
        words = " ".join(_text(err)[-LAST_WORDS:].split())
        failure = "" if status == 0 else f"ended with {status}: {words}".removesuffix(": ")
    return Ran(seconds, watch.peak_bytes, said, failure)


class Watch:
    """The most memory that a process and all its descendants held together, looked at every 20 ms.

    Added up is what each has held at most so far (VmHWM), so that no peak between two looks is missed: an upper
    bound, in which pages that they share and mapped files count too. None where there is no /proc. Ends a process
    that takes longer than PATIENCE_S.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.peak_bytes: int | None = None
        self._process = process
        self._ended = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        # A child that was just forked still shows its parent's memory: it counts from the second look on.
        root = self._process.pid
        before, until = {root}, monotonic() + PATIENCE_S
        while True:
            now = set(_family(root))
            held = sum(_most_held(each) for each in now & before)
            if held:
                self.peak_bytes = max(held, self.peak_bytes or 0)
            before = now | {root}
            if self._ended.wait(SAMPLE_S):
                return
            if monotonic() > until:
                stop(self._process)


def _family(process: int) -> Iterator[int]:
    """Ids of a process and of all its descendants that are running."""
    found = [process]
    while found:
        each = found.pop()
        yield each
        with suppress(OSError):
            for thread in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (thread / "children").read_bytes().split())


def _most_held(process: int) -> int:
    """Bytes; 0 for a process that has ended, and where there is no /proc."""
    with suppress(OSError):
        if match := re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE):
            return int(match[1]) * 1024
    return 0


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _version(program: str) -> str:
    """What `--version` says, empty for a program that does not know it."""
    done = subprocess.run(
        [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip().rpartition(" ")[2] if done.returncode == 0 else ""


def _name(number: int) -> str:
    """A repository's folder and name: no packer has a rule against a number, as some have against `build`."""
    return f"{number:04}"


def _is_inside(path: bytes) -> bool:
    parts = path.split(b"/")
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts)


def _extensions() -> list[str]:
    from coevo_pipelines.genome.files import EXTENSIONS

    return sorted(EXTENSIONS)


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [argument for value in values for argument in (flag, value)]


def _coevo(job: Job) -> list[str]:
    named = [f"{_name(number)}={repo}" for number, repo in enumerate(job.repos)]
    return [
        sys.executable,
        "-m",
        "coevo_pipelines.cli",
        "genome",
        "pack",
        *named,
        "--out",
        str(job.out / "pack"),
        "--json",
    ]


def _floor(job: Job) -> list[str]:
    return [sys.executable, "-m", "coevo_pipelines.bench.genome", str(job.out / "blobs"), *map(str, job.repos)]


def _repomix(job: Job) -> list[str]:
    wanted = [f"**/*{extension}" for extension in _extensions()] + [f"**/{name}*" for name in LICENCES]
    return [
        "repomix", ".", "--output", str(job.out / "pack"), "--include", ",".join(wanted), "--no-gitignore",
        "--no-dot-ignore", "--no-default-patterns",
    ]  # fmt: skip


def _gitingest(job: Job) -> list[str]:
    from coevo_pipelines.genome.files import Rules

    wanted = [f"*{extension}" for extension in _extensions()] + [f"{name}*" for name in LICENCES]
    return [
        "gitingest", ".", "--output", str(job.out / "pack"), "--max-size", str(Rules().largest),
        "--include-gitignored", *_each("--include-pattern", wanted),
    ]  # fmt: skip


def _files_to_prompt(job: Job) -> list[str]:
    return [
        "files-to-prompt", ".", "--output", str(job.out / "pack"), "--cxml", "--include-hidden", "--ignore-gitignore",
        *_each("--extension", (*_extensions(), *LICENCES)),
    ]  # fmt: skip


def _code2prompt(job: Job) -> list[str]:
    wanted = [f"**/*{extension}" for extension in _extensions()] + [f"**/{name}*" for name in LICENCES]
    return [
        "code2prompt", ".", "--output-file", str(job.out / "pack"), *_each("--include", wanted), "--hidden",
        "--no-ignore", "--quiet",
    ]  # fmt: skip


def _told_coevo(said: str, _out: Path) -> Told:
    return Told(json.loads(said)["pack"]["files"])


def _told_floor(said: str, _out: Path) -> Told:
    return Told(int(said))


def _told_repomix(said: str, _out: Path) -> Told:
    found = re.search(r"Total Files:\s*(\d[\d.,\s]*)", said)
    return Told(int(re.sub(r"\D", "", found[1])) if found else None)


def _told_gitingest(said: str, _out: Path) -> Told:
    found = re.search(r"Files analyzed: (\d+)", said)
    counted = "Estimated tokens" in said
    return Told(
        int(found[1]) if found else None,
        "counts tokens" if counted else "counted no tokens (TIKTOKEN_CACHE_DIR names a folder with their vocabulary)",
    )


def _told_files_to_prompt(_said: str, out: Path) -> Told:
    with (out / "pack").open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        mark = b'\n<document index="'
        last = text.rfind(mark)
        return Told(0 if last < 0 else int(text[last + len(mark) : last + len(mark) + 20].partition(b'"')[0]))


def _told_nothing(_said: str, _out: Path) -> Told:
    return Told(None)


_UNPROVEN = "no audit, no hashes, no way back to the bytes"
REPOMIX = "npm install -g repomix"

CONTESTANTS = (
    Contestant("coevo", _coevo, _told_coevo, "nothing: all four audit levels, manifest and Merkle root"),
    Contestant(
        "read+hash",
        _floor,
        _told_floor,
        "the floor: every distinct blob, whatever its kind, read once, hashed twice and written; no rules, no escapes, "
        "no manifest, no check of trees or history",
    ),
    Contestant(
        "repomix",
        _repomix,
        _told_repomix,
        f"{_UNPROVEN}; trims every file, leaves out what its scan takes for secrets, takes files up to 50 MB; counts "
        "tokens",
        "repomix",
        REPOMIX,
    ),
    Contestant(
        "repomix, no scan",
        lambda job: [*_repomix(job), "--no-security-check"],
        _told_repomix,
        f"{_UNPROVEN}; trims every file, takes files up to 50 MB; counts tokens",
        "repomix",
        REPOMIX,
    ),
    Contestant(
        "gitingest",
        _gitingest,
        _told_gitingest,
        f"{_UNPROVEN}; CRLF becomes LF, what is not UTF-8 a remark; its own list of names to leave out cannot be "
        "switched off; stops at 10,000 files, 20 levels, 500 MB",
        "gitingest",
        "pip install gitingest",
    ),
    Contestant(
        "code2prompt",
        _code2prompt,
        _told_nothing,
        f"{_UNPROVEN}; its options are those of version 4, which leaves the clipboard alone; counts tokens",
        "code2prompt",
        "cargo install code2prompt",
    ),
    Contestant(
        "files-to-prompt",
        _files_to_prompt,
        _told_files_to_prompt,
        f"{_UNPROVEN}; CRLF becomes LF, what is not UTF-8 is left out with a warning, no limit of size",
        "files-to-prompt",
        "pip install files-to-prompt",
    ),
)


if __name__ == "__main__":
    print(floor(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]]))
