"""Packages in folders of this machine: checked as the pipeline checks them, written whole or not at all.

Nothing is followed out of a package's folder: a symbolic link in it is refused, whatever it leads to.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from coevo_pipelines.hubs import raw
from coevo_pipelines.hubs.contents import LARGEST_FILE, Contents, read_contents
from coevo_pipelines.hubs.package import LARGEST_DESCRIPTOR, Package, Resource, Rules, read_descriptor
from coevo_pipelines.hubs.problems import DESCRIPTOR, Problem


class FolderError(Exception):
    """A folder cannot be taken; one line that says which, why and the way out."""


@dataclass(frozen=True)
class Checked:
    """A package in a folder: what it says, and what is wrong with it."""

    folder: Path
    package: Package | None
    contents: Contents
    problems: list[Problem]


def folder_of(path: Path) -> Path:
    """The package's folder, of itself or its datapackage.json; FolderError where there is none."""
    if path.is_dir():
        if not (path / DESCRIPTOR).exists():
            raise FolderError(f"{path} has no {DESCRIPTOR}; `coevo hubs init DIR` makes a package")
        return path
    if not path.exists():
        raise FolderError(f"{path}: there is no such folder; `coevo hubs init {path}` makes one")
    if path.name != DESCRIPTOR:
        raise FolderError(f"{path} is no package: name its folder, or the {DESCRIPTOR} in it")
    return path.parent


def check(path: Path, rules: Rules) -> Checked:
    """Read the package in a folder. FolderError where there is none; all else is said as problems."""
    folder = folder_of(path)
    body, problem = _read(folder, DESCRIPTOR, LARGEST_DESCRIPTOR)
    if body is None:
        return Checked(folder, None, Contents(), [problem] if problem else [])
    package, problems = read_descriptor(body, rules)
    if package is None:
        return Checked(folder, None, Contents(), problems)
    unread: list[Problem] = []

    def file(name: str) -> bytes | None:
        found, why_not = _read(folder, name, LARGEST_FILE)
        if why_not:
            unread.append(why_not)
        return found

    contents = read_contents(package, file, rules)
    names = {each.resource for each in unread}
    found = [each for each in contents.problems if each.resource not in names]
    problems = [*problems, *unread, *found]
    if package.is_private:
        problems += _cannot_be_moved(folder, package, contents, rules)
    return Checked(folder, package, contents, problems)


def _cannot_be_moved(folder: Path, package: Package, contents: Contents, rules: Rules) -> list[Problem]:
    """Why tables of a private home cannot be kept, though they can be read."""
    told = {each.resource for each in contents.problems if each.fatal}
    found: list[Problem] = []
    for resource in package.resources:
        if resource.is_table and resource.name in contents.sha256_of and resource.path not in told:
            body, _ = _read(folder, resource.path, LARGEST_FILE)
            found += raw.file(package, resource, body or b"", rules)[1]
    return found


def _read(folder: Path, name: str, most: int) -> tuple[bytes | None, Problem | None]:
    """The file's bytes, at most one more than `most`; None and why, but for one that is not there: that is known."""
    path = folder
    for part in name.split("/"):
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None, None
        except OSError as error:
            return None, _unread(name, f"a file that cannot be read ({error.strerror})")
        if stat.S_ISLNK(mode):
            return None, _unread(name, "a symbolic link")
    if not stat.S_ISREG(mode):
        return None, _unread(name, "what is no file")
    try:
        with path.open("rb") as stream:
            return stream.read(most + 1), None
    except OSError as error:
        return None, _unread(name, f"a file that cannot be read ({error.strerror})")


def _unread(name: str, found: str) -> Problem:
    resource = "" if name == DESCRIPTOR else name
    return Problem(resource, None, "", found, "the file itself in the package's folder", "", fatal=True)


def write_new(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder with these files, all or none. FolderError where something is there already."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise FolderError(f"{folder} is there already, and nothing in it is overwritten: give another name")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise FolderError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        for name, text in files.items():
            (made / name).write_text(text, encoding="utf-8", newline="\n")
        made.chmod(0o755)
        made.replace(folder)  # an empty folder of that name is replaced too
    except OSError as error:
        raise FolderError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True)
class Added:
    """Where a package was put, and what it took the place of: a version, or None."""

    target: Path
    replaced: str | None
    is_new: bool
    """False: the very same was there already."""


def add(checked: Checked, packages: Path, rules: Rules) -> Added:
    """Copy a package without problems into `packages`, as it may be kept: private places moved, only the files that it
    names. FolderError where another of its version, or a newer one, is there."""
    package = checked.package
    assert package is not None and not checked.problems
    files = _kept(checked, package, rules)
    target = packages / package.name
    packages.mkdir(parents=True, exist_ok=True)
    with FileLock(packages.with_name(f"{packages.name}.lock")):
        replaced = _before(target, package, files, rules)
        if replaced == "the same":
            return Added(target, None, is_new=False)
        # Beside the packages, not among them: what a crash leaves must not be read as one.
        made = Path(tempfile.mkdtemp(prefix=".hub-", dir=packages.parent))
        try:
            new, old = made / "new", made / "old"
            for name, body in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            if target.exists():
                target.replace(old)
            try:
                new.replace(target)
            except OSError:
                if old.exists():
                    old.replace(target)
                raise
        except OSError as error:
            raise FolderError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return Added(target, replaced, is_new=True)


def _kept(checked: Checked, package: Package, rules: Rules) -> dict[str, bytes]:
    """The package's files as they may be stored, by path."""
    body, _ = _read(checked.folder, DESCRIPTOR, LARGEST_DESCRIPTOR)
    again, _ = read_descriptor(body or b"", rules)
    if again != package:
        raise FolderError(f"{checked.folder / DESCRIPTOR} was changed while it was read: do it again")
    files = {DESCRIPTOR: raw.descriptor(body or b"", rules)[0]}
    for resource in package.resources:
        if resource.is_table:
            files[resource.path] = _kept_file(checked, package, resource, rules)
    return files


def _kept_file(checked: Checked, package: Package, resource: Resource, rules: Rules) -> bytes:
    body, _ = _read(checked.folder, resource.path, LARGEST_FILE)
    if body is None or hashlib.sha256(body).hexdigest() != checked.contents.sha256_of.get(resource.name):
        raise FolderError(f"{checked.folder / resource.path} was changed while it was read: do it again")
    if not package.is_private:
        return body
    return raw.file(package, replace(resource, sha256=None), body, rules)[0]


def _before(target: Path, package: Package, files: Mapping[str, bytes], rules: Rules) -> str | None:
    """The version that is there and is older; None where none is; `the same` where nothing is different."""
    if not target.exists():
        return None
    if all((target / name).is_file() and (target / name).read_bytes() == body for name, body in files.items()):
        return "the same"
    body, _ = _read(target, DESCRIPTOR, LARGEST_DESCRIPTOR)
    there, _ = read_descriptor(body or b"", rules)
    if there is None:
        return "one that could not be read"
    if there.version == package.version:
        version = package.version or "without a version"
        raise FolderError(
            f"{package.name}: version {version} is in the lake already, with other content: give this one another "
            f"`version`, and a `created` after {there.created:%Y-%m-%dT%H:%M:%SZ}"
        )
    if there.created >= package.created:
        raise FolderError(
            f"{package.name}: version {there.version or '(none)'} in the lake was created "
            f"{there.created:%Y-%m-%dT%H:%M:%SZ}: `created` of a newer one is after that"
        )
    return there.version or "one without a version"
