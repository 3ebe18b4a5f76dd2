"""Dependency manifests: what each kind of entry names, and that a wrong one costs itself only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.traces import manifests
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.found import Found
from coevo_pipelines_tests.scrapes.parsing import quick

Read = Callable[[str], Found]


def targets(found: Found) -> list[str]:
    return [each.target for each in found.references]


def places(found: Found) -> list[tuple[str, str]]:
    assert {each.relation for each in found.references} <= {"depends_on"}
    return [(each.target, each.place) for each in found.references]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy", ["pypi:numpy"]),
        ("Zope.Interface>=5 ; python_version < '3'", ["pypi:zope-interface"]),
        ("scikit_learn[extra] == 1.0  # comment", ["pypi:scikit-learn"]),
        ("numpy==1.0 --hash=sha256:aa --hash=sha256:bb", ["pypi:numpy"]),
        ("foo (>=1.0)", ["pypi:foo"]),
        ("name @ git+https://github.com/O/N.git@v1#egg=name", ["github:o/n"]),
        ("name @ https://github.com/o/n/archive/main.zip", ["github:o/n"]),
        ("name @ https://example.org/name-1.0.tar.gz", ["pypi:name"]),
        ("name @ file:///home/me/name", []),
        ("-e git+https://github.com/o/n.git@main#egg=n&subdirectory=x", ["github:o/n"]),
        ("--editable=git+ssh://git@github.com/o/n.git", ["github:o/n"]),
        ("git+git@github.com:o/n.git", ["github:o/n"]),
        ("git+https://gitlab.com/o/n.git", []),
        ("https://download.pytorch.org/whl/torch-1.0-cp37-cp37m-linux_x86_64.whl", ["pypi:torch"]),
        ("https://github.com/o/n/releases/download/v1/n-1.0-py3-none-any.whl", ["github:o/n"]),
        ("https://example.org/n.zip", []),
        ("-e .", []),
        ("-e ./sub[dev]", []),
        (".[dev]", []),
        ("../other", []),
        ("sub/dir", []),
        ("./n-1.0-py3-none-any.whl", []),
        ("-r dev.txt", []),
        ("--requirement=dev.txt", []),
        ("-c constraints.txt", []),
        ("-i https://github.com/simple", []),
        ("--extra-index-url https://x.example/simple", []),
        ("# numpy", []),
        ("   ", []),
    ],
)
def test_a_line_of_requirements(line: str, expected: list[str]) -> None:
    found = manifests.requirements_txt(line)
    assert (targets(found), found.rejected) == (expected, [])


def test_requirements_with_continuations_comments_and_wrong_lines() -> None:
    text = (
        "numpy==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\r\n# a comment \\\nscipy\n"
        "numpy=1.26=py311\n<<<<<<< HEAD\nattrs \\\n"
    )
    found = manifests.requirements_txt(text)
    assert places(found) == [("pypi:numpy", "line 1"), ("pypi:scipy", "line 5"), ("pypi:attrs", "line 8")]
    assert [place for place, _ in found.rejected] == ["line 6", "line 7"]
    assert all(reason.startswith("not a requirement: ") for _, reason in found.rejected)


def test_a_requirement_of_many_brackets_costs_itself_only() -> None:
    found = manifests.requirements_txt("numpy\nx; " + "(" * 5_000 + "os_name == 'a'" + ")" * 5_000 + "\nscipy\n")
    assert places(found) == [("pypi:numpy", "line 1"), ("pypi:scipy", "line 3")]
    assert [place for place, _ in found.rejected] == ["line 2"]


def test_a_wrong_source_of_uv_costs_itself_only() -> None:
    found = manifests.pyproject_toml(
        "[project]\ndependencies = ['a', 'b']\n[tool.uv.sources]\n'not valid!' = {path = 'x'}\n"
        "B = {git = 'https://github.com/o/b'}\n"
    )
    assert places(found) == [("pypi:a", "project.dependencies[0]"), ("github:o/b", "project.dependencies[1]")]
    assert found.rejected == [("tool.uv.sources.not valid!", "not a name of a Python package: 'not valid!'")]


PYPROJECT = """
[build-system]
requires = ["setuptools"]
[project]
dependencies = ["attrs>=1", "Py.Swarms", "patched", "local-one", "indexed"]
[project.optional-dependencies]
dev = ["pytest", 5]
[dependency-groups]
Test_Group = ["coverage", {include-group = "lint"}, {include-group = "nothing"}]
lint = ["ruff", {include-group = "test.group"}]
[tool.uv]
dev-dependencies = ["mypy"]
[tool.uv.sources]
patched = {git = "https://github.com/O/Patched"}
local_one = {workspace = true}
indexed = [{index = "x", marker = "y"}]
[tool.pdm.dev-dependencies]
doc = ["mkdocs"]
[tool.poetry.dependencies]
python = "^3.11"
requests = "^2"
Flask = {version = "^3", optional = true}
fork = {git = "https://github.com/o/fork.git", rev = "x"}
elsewhere = {git = "https://gitlab.com/o/n.git"}
near = {path = "../near"}
many = [{version = "1", python = "<3"}, {version = "2"}]
wrong = 5
[tool.poetry.dev-dependencies]
black = "*"
[tool.poetry.group.docs.dependencies]
sphinx = "*"
"""


def test_pyproject() -> None:
    found = manifests.pyproject_toml(PYPROJECT)
    assert places(found) == [
        ("pypi:attrs", "project.dependencies[0]"),
        ("pypi:py-swarms", "project.dependencies[1]"),
        ("github:o/patched", "project.dependencies[2]"),
        ("pypi:indexed", "project.dependencies[4]"),
        ("pypi:pytest", "project.optional-dependencies.dev[0]"),
        ("pypi:coverage", "dependency-groups.Test_Group[0]"),
        ("pypi:ruff", "dependency-groups.lint[0]"),
        ("pypi:mkdocs", "tool.pdm.dev-dependencies.doc[0]"),
        ("pypi:mypy", "tool.uv.dev-dependencies[0]"),
        ("pypi:requests", "tool.poetry.dependencies.requests"),
        ("pypi:flask", "tool.poetry.dependencies.Flask"),
        ("github:o/fork", "tool.poetry.dependencies.fork"),
        ("pypi:many", "tool.poetry.dependencies.many"),
        ("pypi:black", "tool.poetry.dev-dependencies.black"),
        ("pypi:sphinx", "tool.poetry.group.docs.dependencies.sphinx"),
    ]
    assert found.rejected == [
        ("project.optional-dependencies.dev[1]", "not a requirement: no text"),
        ("dependency-groups.Test_Group[2]", "includes no group of this file: 'nothing'"),
        ("tool.poetry.dependencies.wrong", "neither a version nor a table"),
    ]


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        ("react", "^18.0.0", ["npm:react"]),
        ("@scope/name", "*", ["npm:@scope/name"]),
        ("JSONStream", "latest", ["npm:JSONStream"]),
        ("x", "", ["npm:x"]),
        ("x", ">=1 <2 || 3.x", ["npm:x"]),
        ("mine", "npm:theirs@^1", ["npm:theirs"]),
        ("mine", "npm:@scope/theirs@1.0.0", ["npm:@scope/theirs"]),
        ("mine", "npm:theirs", ["npm:theirs"]),
        ("x", "catalog:default", ["npm:x"]),
        ("x", "patch:x@npm%3A1.0#fix.patch", ["npm:x"]),
        ("x", "npm:^1.0", ["npm:x"]),  # Yarn
        ("x", "npm:1.x || 2", ["npm:x"]),
        ("mine", "npm:7zip-bin@5", ["npm:7zip-bin"]),
        ("x", "github:O/N#semver:^1", ["github:o/n"]),
        ("x", "o/n#semver:^1", ["github:o/n"]),
        ("x", "o/n", ["github:o/n"]),
        ("x", "o/n.git#v1", ["github:o/n"]),
        ("x", "git+https://github.com/o/n.git#v1", ["github:o/n"]),
        ("x", "git+ssh://git@github.com/o/n.git", ["github:o/n"]),
        ("x", "git://github.com/o/n.git", ["github:o/n"]),
        ("x", "git@github.com:o/n.git", ["github:o/n"]),
        ("x", "https://github.com/o/n/tarball/main", ["github:o/n"]),
        ("x", "https://example.org/x.tgz", []),
        ("x", "gitlab:o/n", []),
        ("x", "jsr:@std/x@1", []),
        ("x", "workspace:*", []),
        ("x", "file:../x", []),
        ("x", "link:./x", []),
        ("x", "../x", []),
        ("x", "..\\x", []),
        ("x", "C:/x", []),
        ("x", "~/x", []),
    ],
)
def test_an_entry_of_package_json(name: str, spec: str, expected: list[str]) -> None:
    import json

    found = manifests.package_json(json.dumps({"dependencies": {name: spec}}))
    assert (targets(found), found.rejected) == (expected, [])


def test_package_json() -> None:
    found = manifests.package_json(
        '{"name": "x", "dependencies": {"a": "1", "b": 5, "has space": "1", "c": "github:nothing"},'
        '"devDependencies": {"eslint": "8"}, "peerDependencies": {"react": "*"}, "optionalDependencies": {"fs": "1"},'
        '"bundledDependencies": ["a"]}'
    )
    assert places(found) == [
        ("npm:a", "dependencies.a"),
        ("npm:eslint", "devDependencies.eslint"),
        ("npm:react", "peerDependencies.react"),
        ("npm:fs", "optionalDependencies.fs"),
    ]
    assert found.rejected == [
        ("dependencies.b", "'b': the version is not a text"),
        ("dependencies.has space", "not a name of a package (npm): 'has space'"),
        ("dependencies.c", "'c': not a repository: 'github:nothing'"),
    ]
    assert manifests.package_json('{"dependencies": [], "devDependencies": null}').rejected == [
        ("dependencies", "not a table")
    ]


CARGO = """
[package]
name = "x"
[dependencies]
serde = { version = "1", features = ["derive"] }
rand = "0.8"
renamed = { package = "real-name", version = "1" }
near = { path = "../near", version = "1" }
forked = { git = "https://github.com/O/Forked", branch = "x" }
elsewhere = { git = "https://gitlab.com/o/n" }
private = { version = "1", registry = "mine" }
shared = { workspace = true }
lost = { workspace = true }
wrong = 5
"bad name" = "1"
[dev-dependencies]
criterion = "0.5"
[build-dependencies]
cc = "1"
[target.'cfg(unix)'.dependencies]
libc = "0.2"
[target.x86_64-pc-windows-gnu.dev-dependencies]
winapi = "0.3"
[workspace.dependencies]
shared = "2"
member = { path = "member" }
"""


def test_cargo() -> None:
    found = manifests.cargo_toml(CARGO)
    assert places(found) == [
        ("crates:shared", "workspace.dependencies.shared"),
        ("crates:serde", "dependencies.serde"),
        ("crates:rand", "dependencies.rand"),
        ("crates:real-name", "dependencies.renamed"),
        ("github:o/forked", "dependencies.forked"),
        ("crates:criterion", "dev-dependencies.criterion"),
        ("crates:cc", "build-dependencies.cc"),
        ("crates:libc", "target.cfg(unix).dependencies.libc"),
        ("crates:winapi", "target.x86_64-pc-windows-gnu.dev-dependencies.winapi"),
    ]
    assert found.rejected == [
        ("dependencies.lost", "inherits from a workspace that is not in this file"),
        ("dependencies.wrong", "neither a version nor a table"),
        ("dependencies.bad name", "not a name of a package (crates): 'bad name'"),
    ]


CONDA = """name: swarm
channels: [conda-forge, defaults]
dependencies:
  - python=3.11
  - conda-forge::NumPy>=1.20
  - pytorch::pytorch=2.*=*cuda*
  - "scipy [version='>=1']"
  - _libgcc_mutex=0.1=main
  - https://conda.anaconda.org/x/linux-64/y-1.tar.bz2
  - pip
  - pip:
      - Requests==2.0
      - -r requirements.txt
      - git+https://github.com/o/n
      - not valid!
  - "!!"
  - other: [x]
  - pip: scipy
prefix: /home/me/envs/swarm
"""


def test_environment() -> None:
    found = manifests.environment_yml(CONDA)
    assert places(found) == [
        ("conda:python", "line 4"),
        ("conda:numpy", "line 5"),
        ("conda:pytorch", "line 6"),
        ("conda:scipy", "line 7"),
        ("conda:_libgcc_mutex", "line 8"),
        ("conda:pip", "line 10"),
        ("pypi:requests", "line 12 (pip)"),
        ("github:o/n", "line 14 (pip)"),
    ]
    assert [place for place, _ in found.rejected] == ["line 15 (pip)", "line 16", "line 17", "line 18 (pip)"]


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("pyproject.toml", "[project\n", "not valid TOML (Expected ']' at the end of a table declaration"),
        ("pyproject.toml", "x = " + "9" * 5000, "not valid TOML ("),
        ("Cargo.toml", "a = " + "[" * 5000, "not valid TOML ("),
        ("package.json", "", "not JSON: "),
        ("package.json", "[]", "the body is a JSON list, not an object"),
        ("package.json", "[" * 100_000, "not JSON: "),
        ("environment.yml", "", "the file is empty"),
        ("environment.yaml", "- a\n", "line 1: not a mapping of fields"),
        ("environment.yml", "a: b: c", "line 1: not YAML: "),
        ("requirements.txt", "x\n" * 3_000_000, "the file is longer than 4 MiB"),
    ],
)
def test_a_file_that_cannot_be_read(path: str, text: str, reason: str) -> None:
    with pytest.raises(ParseError) as error:
        manifests.READERS[path](text)
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    "text",
    ["project = 5\ntool = []\ndependency-groups = 1", "project.dependencies = 'x'\ntool.poetry.group.a = 1",
     "target.x = 1\nworkspace = 1\ndependencies = 1", "tool.uv = 1\ntool.uv-sources = 1"],
)  # fmt: skip
@pytest.mark.parametrize("read", [manifests.pyproject_toml, manifests.cargo_toml])
def test_tables_that_are_none_are_rejects(read: Read, text: str) -> None:
    found = read(text)
    assert found.references == []
    assert all(reason in {"not a table", "not a list"} for _, reason in found.rejected)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("requirements.txt", "a \\\n" * 200_000),
        ("requirements.txt", "a" + " " * 500_000 + "#" * 500_000),
        ("requirements.txt", "a" + " -" * 300_000),
        ("requirements.txt", "-e" + " " * 500_000 + "x"),
        ("requirements.txt", "a/" * 300_000),
        ("pyproject.toml", "[project]\ndependencies = [" + "'a', " * 19_000 + "]\n[tool.uv.sources]\n"
         + "".join(f"b{n} = {{workspace = true}}\n" for n in range(19_000))),
        ("package.json", '{"dependencies": {"a": "' + "a/" * 300_000 + '"}}'),
        ("environment.yml", "dependencies:\n- " + "a" * 500_000 + "!\n- " + "a:" * 200_000),
        ("environment.yml", "p: &p\n" + "- a\n" * 9_000 + "dependencies:\n" + "- pip: *p\n" * 9_000),
    ],
)  # fmt: skip
def test_time_grows_with_the_length_alone(path: str, text: str) -> None:
    """The time limit of a test ends what is quadratic: it would take minutes."""
    with contextlib.suppress(ParseError):
        manifests.READERS[path](text)


PIECES = (
    "[project]", "dependencies", " = ", "{", "}", "[", "]", '"a"', ":", ",", "\n", "- ", "pip:", "git+https://", "=",
    "github.com/o/n", "@", "::", "workspace", "true", "==", "-e ", "#", "\\\n", "a/b", "npm:", "&a", "*a", " ",
)  # fmt: skip


@quick
@given(text=st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@pytest.mark.parametrize("path", sorted(manifests.READERS))
def test_any_text_is_read_or_is_a_parse_error(path: str, text: str) -> None:
    try:
        found = manifests.READERS[path](text)
    except ParseError:
        return
    prefixes = {target.partition(":")[0] for target in targets(found)}
    assert prefixes <= {"pypi", "npm", "crates", "conda", "github"}
