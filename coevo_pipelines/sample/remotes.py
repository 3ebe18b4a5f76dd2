"""The sample's git remotes, made on the spot: commits from `facts/remotes.toml`, and this project's own checkout.

Unlike the world of the other sources, a remote always holds its whole history, as real ones do: what comes after a
day is left out by the rule that finds the day's commit.
"""

from __future__ import annotations

import base64
import functools
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from coevo_pipelines.genome.ecosystem import Listed, Source
from coevo_pipelines.genome.git import Git

PERSON = b"Sample <sample@example.org>"
ADDRESS = "sample://git"
OWN = "coevo_pipelines"


@contextmanager
def remotes() -> Iterator[list[Listed]]:
    """The sample's ecosystem, at addresses that are there only inside the block."""
    with tempfile.TemporaryDirectory(prefix="coevo-sample-") as folder:
        made = []
        for each in facts():
            name = each["name"]
            made.append(Listed(Source(name, make(Path(folder), each).as_uri()), "settings", shown=f"{ADDRESS}/{name}"))
        own = Path(__file__).parents[2]
        if (own / ".git").exists():
            made.append(Listed(Source(OWN, str(own)), "settings", shown=f"{ADDRESS}/{OWN}"))
        yield made


@functools.cache
def facts() -> tuple[Mapping[str, Any], ...]:
    """The bundled `facts/remotes.toml`."""
    text = resources.files("coevo_pipelines.sample").joinpath("facts", "remotes.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["repository"])


def make(folder: Path, repository: Mapping[str, Any]) -> Path:
    """A bare repository with the commits of `repository`; where it lies."""
    path = folder / f"{repository['name'].replace('/', '-')}.git"
    path.mkdir()
    git = Git(path)
    git.run("init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha1", "--template=")
    git.run("fast-import", "--quiet", stdin=b"".join(_stream(repository["commit"])))
    return path


def _stream(commits: list[Mapping[str, Any]]) -> Iterator[bytes]:
    """The commits as git-fast-import(1) reads them."""
    for number, commit in enumerate(commits, start=1):
        when: datetime = commit["at"]
        message = commit["message"].encode()
        yield b"commit refs/heads/main\nmark :%d\n" % number
        yield b"committer %s %d +0000\n" % (PERSON, when.timestamp())
        yield b"data %d\n%s\n" % (len(message), message)
        for path, content in commit["files"].items():
            yield _change(path.encode(), content)


def _change(path: bytes, content: Any) -> bytes:
    match content:
        case {"gone": True}:
            return b"D %s\n" % path
        case {"submodule": oid}:
            return b"M 160000 %s %s\n" % (oid.encode(), path)
        case {"link": target}:
            mode, data = b"120000", target.encode()
        case {"base64": text}:
            mode, data = b"100644", base64.b64decode(text)
        case text:
            mode, data = b"100644", text.encode()
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, path, len(data), data)
