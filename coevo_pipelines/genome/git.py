"""git as a tool for reading: an environment of its own, and objects streamed from one `git cat-file`.

What a repository, a home folder or the caller's environment says must not change what is read or run a program.
The environment starts from nothing of git's; what a repository's own configuration could still do is switched off:

- replace refs, grafts and the commit-graph file would answer with other objects or parents than the ids stand for;
- hooks, the file-system monitor and credential helpers are programs;
- a partial clone fetches what is missing, by a command that its configuration names. `GIT_ALLOW_PROTOCOL` is the
  switch that no configuration overrides (git(1)), so reading commands get an empty list.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO

TIMEOUT = 600.0
"""Seconds that one git command may take unless told otherwise."""

SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "advice.graftFileDeprecated": "false",  # said of the empty graft file below too
    "core.commitGraph": "false",
    "core.multiPackIndex": "false",
    "core.bigFileThreshold": "32m",  # larger blobs are streamed by git too, not held
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "safe.directory": "*",
}

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}

CHUNK = 1 << 20
WINDOW = 128
"""Requests sent ahead: 128 lines of 65 bytes fit any pipe (the smallest in use hold 16 kB), so neither side waits."""

Fail = Callable[[str, str], "GitError"]
"""Makes the error about an object: (id, what is wrong with it)."""

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_LAST_WORDS = 2000


class GitError(RuntimeError):
    """git failed or answered nonsense; the message names repository, command and git's last words.

    `oid` is the object that was asked for, if there was one; `said` is what git wrote to its standard error.
    """

    def __init__(self, message: str, *, oid: str | None = None, said: str = "", timed_out: bool = False) -> None:
        super().__init__(message)
        self.oid = oid
        self.said = said
        self.timed_out = timed_out


def object_id(kind: str, data: bytes, algorithm: str = "sha1") -> str:
    """git's id of an object: the hash of `<kind> <size in bytes>\\0` and its bytes, in hex."""
    digest = hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def algorithm_of(oid: str) -> str:
    """`sha1` for 40 hex digits, `sha256` for 64; ValueError for anything else."""
    if not _OID.match(oid):
        raise ValueError(f"{oid!r} is not an object id: 40 or 64 lower-case hex digits")
    return "sha1" if len(oid) == 40 else "sha256"


def git_folder(repo: Path) -> Path:
    """Where the objects and refs of `repo` lie: itself when bare, else `.git`, followed through worktree files."""
    inside = repo / ".git"
    if inside.is_dir():
        return inside
    if inside.is_file():
        target = inside.read_text(errors="surrogateescape").removeprefix("gitdir:").strip()
        folder = (repo / target).resolve()
        common = folder / "commondir"
        return (folder / common.read_text().strip()).resolve() if common.is_file() else folder
    return repo


class Git:
    """git commands on one repository (bare, a checkout or a worktree).

    `protocols` are the transports that a command may use; none for reading. The folder is named to git: it never
    looks for a repository further up, where a damaged mirror would turn into the project around it.
    """

    def __init__(self, repo: Path, protocols: Iterable[str] = (), settings: Mapping[str, str] | None = None) -> None:
        self.repo = Path(repo)
        self.folder = git_folder(self.repo)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **ENVIRONMENT,
            "GIT_DIR": str(self.folder.absolute()),
            "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        }
        self._command = ["git", "--no-pager"]
        for name, value in {**SETTINGS, **(settings or {})}.items():
            self._command += ["-c", f"{name}={value}"]

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        timeout: float = TIMEOUT,
        accept: Iterable[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """What the command writes. GitError on an exit status that is not in `accept`, and after `timeout` seconds."""
        return self.ask(*arguments, stdin=stdin, timeout=timeout, accept=accept, environment=environment).out

    def ask(
        self,
        *arguments: str,
        stdin: bytes = b"",
        timeout: float = TIMEOUT,
        accept: Iterable[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `run`, with exit status and standard error."""
        process = self.start(*arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE, environment=environment)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise GitError(f"{self._what(arguments)}: no end after {timeout:g} s", timed_out=True) from error
        finally:
            stop(process)
        said = err.decode(errors="replace")
        if process.returncode not in set(accept):
            raise self.error(arguments, process.returncode, said)
        return Answer(process.returncode, out, said)

    @contextmanager
    def lines(self, *arguments: str, accept: Iterable[int] = (0,)) -> Iterator[Iterator[bytes]]:
        """The command's lines as they come, without their ends. Leaving early stops git; after the last line its
        exit status is checked as in `run`."""
        with tempfile.TemporaryFile() as err:
            process = self.start(*arguments, stdin=subprocess.DEVNULL, stderr=err)
            assert process.stdout is not None

            def produce(stream: IO[bytes]) -> Iterator[bytes]:
                for line in stream:
                    yield line.rstrip(b"\n")
                if process.wait() not in set(accept):
                    raise self.error(arguments, process.returncode, tail(err))

            try:
                yield produce(process.stdout)
            finally:
                stop(process)

    def resolve(self, name: str) -> str | None:
        """The id of the commit that `name` (a ref or an id) stands for, through tags; None where there is none."""
        commit = f"{name}^{{commit}}"
        answer = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", commit, accept=(0, 1, 128))
        return answer.out.decode().strip() if answer.status == 0 else None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Full name -> id (of the tag object for annotated tags), in order of name."""
        out = self.run("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        rows = (line.split(" ", 1) for line in out.decode(errors="surrogateescape").split("\n") if line)
        return {name: oid for oid, name in rows}

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is `new` or one of its ancestors, as far as this repository knows."""
        return self.ask("merge-base", "--is-ancestor", old, new, accept=(0, 1)).status == 0

    def start(
        self,
        *arguments: str,
        stdin: int | IO[bytes],
        stderr: int | IO[bytes],
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """A running command in a process group of its own, so that `stop` reaches git's helpers as well."""
        try:
            return subprocess.Popen(
                [*self._command, *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**self._environment, **(environment or {})},
                bufsize=CHUNK,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitError(f"{self._what(arguments)}: git is not installed or not on PATH") from error

    def error(self, arguments: Iterable[str], status: int | None, said: str, oid: str | None = None) -> GitError:
        """The GitError for a command that ended with `status` (negative: killed by that signal)."""
        end = "no answer" if status is None else f"status {status}" if status >= 0 else f"killed by signal {-status}"
        words = said.strip()[-_LAST_WORDS:] or "git said nothing"
        about = f" object {oid}" if oid else ""
        return GitError(f"{self._what(arguments)}:{about} {end}: {words}", oid=oid, said=said)

    def _what(self, arguments: Iterable[str]) -> str:
        return f"{self.repo}: git {' '.join(arguments)}"


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and how it ended."""

    status: int
    out: bytes
    said: str


@dataclass(frozen=True)
class Hashed:
    """A blob hashed without being held: the id asked for, its git id as recomputed, SHA-256, size in bytes, first
    bytes."""

    asked: str
    oid: str
    sha256: str
    size: int
    head: bytes


class Objects:
    """Objects of a repository by id, through `git cat-file --batch`. git's ids are not recomputed here (`audit` does).

    Use in a `with` block, from one thread. A damaged or missing object raises GitError with its id; after that the
    next read works again.
    """

    def __init__(self, repo: Path | Git) -> None:
        self.git = repo if isinstance(repo, Git) else Git(repo)
        self._process: subprocess.Popen[bytes] | None = None
        self._err: IO[bytes] | None = None

    def __enter__(self) -> Objects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read(self, oid: str) -> tuple[str, bytes]:
        """(kind, bytes) of one object."""
        return next((kind, data) for _, kind, data in self.read_many([oid]))

    def read_many(self, oids: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
        """(oid, kind, bytes) in the order asked, requests sent ahead. Read it to its end, or close it, before asking
        for something else."""
        asked = iter(oids)
        waiting: deque[str] = deque()
        try:
            while True:
                if len(waiting) <= WINDOW // 2 and (new := list(islice(asked, WINDOW // 2))):
                    waiting += new
                    self._ask(new)
                if not waiting:
                    return
                kind, size = self._header(waiting[0])
                data = self._body(waiting[0], size)
                yield waiting.popleft(), kind, data
        finally:
            if waiting:
                self._close()  # answers that nobody waits for

    def hashed(self, oid: str, head: int = 8192) -> Hashed:
        """A blob's hashes and first `head` bytes, read in chunks of a MiB."""
        self._ask([oid])
        kind, size = self._header(oid)
        own = hashlib.new(algorithm_of(oid), b"%s %d\0" % (kind.encode(), size), usedforsecurity=False)
        sha256 = hashlib.sha256()
        first, left = b"", size
        while left:
            chunk = self._stream.read(min(CHUNK, left))
            if not chunk:
                raise self._broken(oid, f"ends {left} of {size} bytes early")
            own.update(chunk)
            sha256.update(chunk)
            first = first or chunk[:head]
            left -= len(chunk)
        self._end(oid)
        return Hashed(oid, own.hexdigest(), sha256.hexdigest(), size, first)

    def sizes(self, oids: Iterable[str]) -> Iterator[tuple[str, str, int]]:
        """(oid, kind, size in bytes) in the order asked, without reading the contents."""
        with self._batch("--batch-check", oids) as (asked, stream, fail):
            for oid in asked:
                yield oid, *_parsed(stream.readline(), oid, fail)

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(oid, bytes) in the order asked; GitError where one is not a blob. All ids are asked for at once, from a
        file, so nothing waits for anything; leaving early stops git."""
        with self._batch("--batch", oids) as (asked, stream, fail):
            for oid in asked:
                kind, size = _parsed(stream.readline(), oid, fail)
                if kind != "blob":
                    raise fail(oid, f"is a {kind}, not a blob")
                data = stream.read(size)
                if len(data) != size or stream.read(1) != b"\n":
                    raise fail(oid, f"ends {size - len(data)} of {size} bytes early")
                yield oid, data

    @contextmanager
    def _batch(self, mode: str, oids: Iterable[str]) -> Iterator[tuple[list[str], IO[bytes], Fail]]:
        arguments = ("cat-file", mode, "--buffer")
        asked = list(oids)
        with tempfile.TemporaryFile() as requests, tempfile.TemporaryFile() as err:
            requests.writelines(_request(oid) for oid in asked)
            requests.flush()
            requests.seek(0)
            process = self.git.start(*arguments, stdin=requests, stderr=err)
            assert process.stdout is not None

            def fail(oid: str, what: str) -> GitError:
                stop(process)
                return self.git.error(arguments, None, f"{what} {tail(err)}", oid)

            try:
                yield asked, process.stdout, fail
            finally:
                stop(process)

    def _ask(self, oids: list[str]) -> None:
        requests = b"".join(map(_request, oids))
        if self._process is None:
            self._err = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
            self._process = self.git.start("cat-file", "--batch", stdin=subprocess.PIPE, stderr=self._err)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(requests)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._broken(oids[0], "cat-file ended") from error

    @property
    def _stream(self) -> IO[bytes]:
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout

    def _header(self, oid: str) -> tuple[str, int]:
        line = self._stream.readline()
        if line == f"{oid} missing\n".encode():
            raise self.git.error(("cat-file", "--batch"), None, "missing", oid)  # git goes on with the next
        return _parsed(line, oid, self._broken)

    def _body(self, oid: str, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise self._broken(oid, f"ends {size - len(data)} of {size} bytes early")
        self._end(oid)
        return data

    def _end(self, oid: str) -> None:
        if self._stream.read(1) != b"\n":
            raise self._broken(oid, "does not end where its size says")

    def _broken(self, oid: str, what: str) -> GitError:
        if self._process is not None:
            stop(self._process)
        said = tail(self._err) if self._err is not None else ""
        self._close()
        return self.git.error(("cat-file", "--batch"), None, f"{what} {said}", oid)

    def _close(self) -> None:
        if self._process is not None:
            stop(self._process)
        if self._err is not None:
            self._err.close()
        self._process = self._err = None


def _request(oid: str) -> bytes:
    algorithm_of(oid)
    return oid.encode() + b"\n"


def _parsed(line: bytes, oid: str, fail: Fail) -> tuple[str, int]:
    match line.decode(errors="replace").split():
        case [name, kind, size] if name == oid and size.isdigit():
            return kind, int(size)
        case [name, "missing"] if name == oid:
            raise fail(oid, "missing")
        case _:
            raise fail(oid, f"answered {line[:200]!r}" if line else "no answer")


def tail(stream: IO[bytes]) -> str:
    """The last words of a process that wrote its standard error into a file."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - _LAST_WORDS))
    return stream.read().decode(errors="replace")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started, if it is still there, and close its pipes."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()
