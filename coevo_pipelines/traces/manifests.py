"""The packages and repositories that a dependency manifest names. Pure.

Read are `requirements.txt` (pip), `pyproject.toml` (PEP 621, PEP 735, Poetry, PDM, uv), `package.json` (npm and its
kin), `Cargo.toml` and `environment.yml` (conda). Each dependency is one `depends_on`, whatever it is needed for; the
place says the table or line (`dependencies.dev`, `dev-dependencies`). One fetched from a GitHub repository depends on
that repository. Not read, because they name no other work: paths, workspaces and files of the project itself, options
and other files (`-r`, `-c`), other registries, and `build-system.requires`, which says who packs a Python project and
is the same few names in nearly all of them.

A reader takes the text and returns `Found`; ParseError when the file as a whole cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from coevo_pipelines.traces import identifiers, toml_text
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.found import Found
from coevo_pipelines.traces.records import json_object
from coevo_pipelines.traces.yaml_tree import tree

NEEDS = "depends_on"
LARGEST = 4 << 20
"""Characters of a manifest. GitHub's contents API gives no file above 1 MB."""
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")
_OPTIONS = re.compile(r"[ \t]--?[A-Za-z].*$")
_EDITABLE = re.compile(r"(?:-e|--editable)[ \t=]{1,20}(.*)$")
_LOCAL = re.compile(r"[./~\\$]|[A-Za-z]:[\\/]|file:|[^@ ]*\.(?:whl|zip|tar\.gz)(?:\[|$)|[\w.-]+[/\\]")
_ADDRESS = re.compile(r"(?:[a-z]+\+)?[a-z]+(?:\+[a-z]+)?://|[\w.-]+@[\w.-]+:|(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_SHORTHAND = re.compile(r"(?:github:)?([A-Za-z0-9][A-Za-z0-9-]{0,38}/[\w.-]{1,100}?)(?:\.git)?(?:#.*)?", re.ASCII)
_NPM_SCHEME = re.compile(r"([a-z][a-z+.-]*):", re.IGNORECASE)
_NPM_PATH = re.compile(r"\.{1,2}(?:[/\\]|$)|~/|/|[A-Za-z]:[/\\]")
_NPM_RANGE = re.compile(r"[\^~<>=*|]|v?\d+(?:\.|$)|[xX]$|$")
_NPM_TABLES = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
_CARGO_TABLES = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies")
_CONDA_SPEC = re.compile(r"(?:[^\s:]{1,200}::)?([A-Za-z0-9_][\w.-]*)\s*(?:$|[=<>!~\[\s].*$)", re.ASCII)

Table = Mapping[str, Any]


def requirements_txt(text: str) -> Found:
    """pip's format (https://pip.pypa.io/en/stable/reference/requirements-file-format/); places are `line 3`."""
    _check_size(text)
    found = Found()
    for number, line in _joined(identifiers.lines(text)):
        _requirement(found, f"line {number}", line)
    return found


def pyproject_toml(text: str) -> Found:
    """Places are keys, such as `project.optional-dependencies.dev[0]`."""
    found, document = Found(), _toml(text)
    project, tool = _table(found, "project", document), _table(found, "tool", document)
    uv, pdm, poetry = (_table(found, f"tool.{name}", tool) for name in ("uv", "pdm", "poetry"))
    sources = _sources(found, _table(found, "tool.uv.sources", uv))
    lists = {"project.dependencies": project.get("dependencies")}
    for path, inside in (
        ("project.optional-dependencies", project),
        ("dependency-groups", document),
        ("tool.pdm.dev-dependencies", pdm),
    ):
        lists |= {f"{path}.{name}": value for name, value in _table(found, path, inside).items()}
    lists["tool.uv.dev-dependencies"] = uv.get("dev-dependencies")
    groups = {_group(name) for name in _table(Found(), "dependency-groups", document)}
    for path, listed in lists.items():
        for place, item in _items(found, path, listed):
            if isinstance(item, str):
                _requirement(found, place, item, sources)
            elif path.startswith("dependency-groups.") and isinstance(item, dict) and set(item) == {"include-group"}:
                if _group(item["include-group"]) not in groups:  # those of a group that is there count where it stands
                    found.reject(place, f"includes no group of this file: {item['include-group']!r}"[:200])
            else:
                found.reject(place, "not a requirement: no text")
    for path, table in _poetry_tables(found, poetry):
        for name, spec in table.items():
            if name.lower() != "python":
                _poetry(found, f"{path}.{name}", name, spec)
    return found


def package_json(text: str) -> Found:
    """Places are keys, such as `devDependencies.eslint`."""
    _check_size(text)
    found, document = Found(), json_object(text.encode("utf-8", "replace"))
    for path in _NPM_TABLES:
        for name, spec in _table(found, path, document).items():
            found.read(NEEDS, f"{path}.{name}"[:300], partial(_npm, name), spec)
    return found


def cargo_toml(text: str) -> Found:
    """Places are keys, such as `target.cfg(unix).dependencies.libc`."""
    found, document = Found(), _toml(text)
    workspace = _table(found, "workspace.dependencies", _table(found, "workspace", document))
    tables = [("workspace.dependencies", workspace)]
    tables += [(path, _table(found, path, document)) for path in _CARGO_TABLES]
    for target, inside in _table(found, "target", document).items():
        if not isinstance(inside, dict):
            found.reject(f"target.{target}"[:300], "not a table")
            continue
        tables += [(f"target.{target}.{path}", _table(found, path, inside)) for path in _CARGO_TABLES]
    for path, table in tables:
        for name, spec in table.items():
            found.read(NEEDS, f"{path}.{name}"[:300], partial(_crate, name, workspace=workspace), spec)
    return found


def environment_yml(text: str) -> Found:
    """conda's format (https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html).

    Places are `line 7`, and `line 9 (pip)` for what pip is to install."""
    found = Found()
    root = tree(text, found.reject)
    if root is None or (isinstance(root.value, str) and root.text is None):
        raise ParseError("the file is empty")
    if not isinstance(root.value, dict):
        raise ParseError(f"line {root.line}: not a mapping of fields")
    listed = root.fields.get("dependencies")
    if listed is not None and not isinstance(listed.value, list) and (listed.text is not None or listed.fields):
        found.reject(f"line {listed.line} (dependencies)", "not a list")
    seen: set[int] = set()
    for item in listed.items if listed is not None else ():
        if id(item) in seen:
            continue
        seen.add(id(item))
        if item.text is not None:
            found.read(NEEDS, f"line {item.line}", _conda, item.text)
        elif (pip := item.fields.get("pip")) is not None and len(item.fields) == 1:
            if id(pip) not in seen:
                seen.add(id(pip))
                if not isinstance(pip.value, list) and (pip.text is not None or pip.fields):
                    found.reject(f"line {pip.line} (pip)", "not a list")
                for each in pip.items:
                    _requirement(found, f"line {each.line} (pip)", each.text or "")
        elif item.fields or item.items:
            found.reject(f"line {item.line}", "neither a package nor a list for pip")
    return found


READERS: Mapping[str, Callable[[str], Found]] = {
    "requirements.txt": requirements_txt,
    "pyproject.toml": pyproject_toml,
    "package.json": package_json,
    "Cargo.toml": cargo_toml,
    "environment.yml": environment_yml,
    "environment.yaml": environment_yml,
}
"""By the name of the file, as it is written."""


def _joined(written: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines of pip with their continuations, without comments; the number is the first line's."""
    parts: list[str] = []
    begun = 0
    for number, line in enumerate(written, start=1):
        begun = begun if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        parts.append("" if is_comment else line)
        yield begun, _without_comment("".join(parts))
        parts = []
    if parts:
        yield begun, _without_comment("".join(parts))


def _without_comment(line: str) -> str:
    return (_COMMENT.sub("", line) if "#" in line else line).strip()


def _requirement(found: Found, place: str, written: str, sources: Table | None = None) -> None:
    """One requirement of pip or PEP 508. `sources`: by `pypi:name`, where uv takes a package from."""
    editable = _EDITABLE.match(written)
    line = editable[1].strip() if editable else written
    if not line or line.startswith("-"):
        return
    line = _OPTIONS.sub("", line).strip()
    if _ADDRESS.match(line):
        found.read(NEEDS, place, _downloaded, line)
    elif editable or _LOCAL.match(line):
        return
    else:
        found.read(NEEDS, place, partial(_named, sources=sources or {}), line)


def _named(line: str, *, sources: Table) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(line)
    except (InvalidRequirement, RecursionError) as error:  # the latter for a marker with 1,000 brackets
        raise ParseError(f"not a requirement: {str(error).splitlines()[0]}") from error
    named = identifiers.pypi(wanted.name)
    if wanted.url:
        return None if wanted.url.lower().startswith("file:") else identifiers.repository(wanted.url) or named
    return _elsewhere(sources[named], named) if named in sources else named


def _sources(found: Found, table: Table) -> Table:
    sources = {}
    for name, source in table.items():
        try:
            sources[identifiers.pypi(name)] = source
        except ParseError as error:
            found.reject(f"tool.uv.sources.{name}"[:300], str(error))
    return sources


def _downloaded(address: str) -> str | None:
    """The repository, or else the package whose name a wheel has."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if repository := identifiers.repository(address):
        return repository
    name = address.partition("#")[0].partition("?")[0].rpartition("/")[2]
    if not name.endswith(".whl"):
        return None
    try:
        return identifiers.pypi(parse_wheel_filename(unquote(name))[0])
    except InvalidWheelFilename as error:
        raise ParseError(f"not the name of a wheel: {name[:80]!r}") from error


def _elsewhere(source: Any, named: str) -> str | None:
    """What a table with `git`, `url`, `path` or `workspace` stands for; else the package `named`."""
    if isinstance(source, list):  # one for each marker: the first speaks for all
        source = next((each for each in source if isinstance(each, dict)), {})
    if not isinstance(source, dict):
        raise ParseError("neither a version nor a table")
    if source.get("path") is not None or source.get("workspace"):
        return None
    for key in ("git", "url"):
        if isinstance(source.get(key), str):
            repository = identifiers.repository(source[key])
            return repository if key == "git" else repository or named
    return named


def _poetry_tables(found: Found, poetry: Table) -> Iterator[tuple[str, Table]]:
    for name in ("dependencies", "dev-dependencies"):
        yield f"tool.poetry.{name}", _table(found, f"tool.poetry.{name}", poetry)
    for group, inside in _table(found, "tool.poetry.group", poetry).items():
        path = f"tool.poetry.group.{group}"
        if isinstance(inside, dict):
            yield f"{path}.dependencies", _table(found, f"{path}.dependencies", inside)
        else:
            found.reject(path[:300], "not a table")


def _poetry(found: Found, place: str, name: str, spec: Any) -> None:
    def convert(spec: Any) -> str | None:
        named = identifiers.pypi(name)
        return named if isinstance(spec, str) else _elsewhere(spec, named)

    found.read(NEEDS, place[:300], convert, spec)


def _npm(name: str, spec: Any) -> str | None:
    if not isinstance(spec, str):
        raise ParseError(f"{name[:80]!r}: the version is not a text")
    wanted = spec.strip()
    named = _NPM_SCHEME.match(wanted)  # `o/n#semver:^1` has none
    scheme = named[1].lower() if named else ""
    if scheme == "npm":
        alias = wanted[4:]
        if _NPM_RANGE.match(alias):  # Yarn's way to say that a version is one of the registry
            alias = name
        return identifiers.npm(alias[:at] if (at := alias.find("@", 1)) > 0 else alias)
    if _NPM_PATH.match(wanted) or scheme in {
        "file",
        "link",
        "portal",
        "workspace",
        "gist",
        "gitlab",
        "bitbucket",
        "jsr",
    }:
        return None
    if scheme == "github" or (not scheme and "/" in wanted and not _ADDRESS.match(wanted)):
        match = _SHORTHAND.fullmatch(wanted)
        if match is None:
            raise ParseError(f"{name[:80]!r}: not a repository: {wanted[:80]!r}")
        return identifiers.github(match[1])
    if _ADDRESS.match(wanted):
        return identifiers.repository(wanted)
    return identifiers.npm(name)


def _crate(name: str, spec: Any, *, workspace: Table) -> str | None:
    if isinstance(spec, str):
        return identifiers.crate(name)
    if not isinstance(spec, dict):
        raise ParseError("neither a version nor a table")
    if spec.get("workspace") is True:
        if name not in workspace:
            raise ParseError("inherits from a workspace that is not in this file")
        return None  # it counts where the workspace names it
    if spec.get("path") is not None or spec.get("registry", "crates-io") != "crates-io" or "registry-index" in spec:
        return None
    if isinstance(spec.get("git"), str):
        return identifiers.repository(spec["git"])
    return identifiers.crate(spec.get("package", name))


def _conda(written: str) -> str | None:
    match = _CONDA_SPEC.fullmatch(written)
    if match is None:
        if _ADDRESS.match(written) or written.startswith((".", "/")):
            return None  # an explicit file of a channel
        raise ParseError(f"not a package of conda: {written[:80]!r}")
    return identifiers.conda(match[1])


def _toml(text: str) -> Table:
    _check_size(text)
    try:
        return toml_text.table(text)
    except ParseError as error:
        raise ParseError(f"not valid TOML ({error})") from error


def _table(found: Found, path: str, inside: Table) -> Table:
    """The table at the last key of `path`; an empty one, and a reject, where something else is."""
    value = inside.get(path.rpartition(".")[2], {})
    if isinstance(value, dict):
        return value
    if value is not None:
        found.reject(path[:300], "not a table")
    return {}


def _items(found: Found, path: str, listed: Any) -> Iterator[tuple[str, Any]]:
    if listed is None:
        return
    if not isinstance(listed, list):
        found.reject(path[:300], "not a list")
        return
    yield from ((f"{path[:280]}[{number}]", item) for number, item in enumerate(listed))


def _group(name: Any) -> str:
    """PEP 735 compares the names of groups as PyPI does those of packages."""
    return re.sub(r"[-_.]+", "-", str(name)).lower()


def _check_size(text: str) -> None:
    if len(text) > LARGEST:
        raise ParseError(f"the file is longer than {LARGEST >> 20} MiB")
