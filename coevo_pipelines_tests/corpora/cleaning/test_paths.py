"""What a path alone says: known names, and copies that are copies only beside what they are copied from."""

from __future__ import annotations

from pathlib import PurePosixPath

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.cleaning import paths
from coevo_pipelines.genome.files import LANGUAGES


def classified(*names: str, repo: str = "r") -> pl.DataFrame:
    languages = [LANGUAGES.get(PurePosixPath(name).suffix.lower()) for name in names]
    frame = pl.DataFrame(
        {"repo": [repo] * len(names), "path": list(names), "language": languages},
        schema={"repo": pl.String, "path": pl.String, "language": pl.String},
    )
    return paths.classify(frame).insert_column(0, frame["path"])


def backups(*names: str) -> set[str]:
    return set(classified(*names).filter("backup")["path"])


@pytest.mark.parametrize(
    "column, told, not_told",
    [
        (
            "vendored",
            "node_modules/x/index.js web/node_modules/y.js vendor/a.go third_party/b.cc 3rdParty/c.h ThirdParty/d.h "
            "external/e.c dist/app.js js/jquery-3.6.0.js static/bootstrap.css gradlew configure .venv/lib/x.py "
            "deps/lua/lua.c lib/d3.v7.js Pods/A/a.m Godeps/_workspace/x.go docs/MathJax/a.js",
            "src/env/maze.py src/cache/lru.py src/deps/graph.py tools/run.py vendors.py distance/a.py "
            "src/redistribute.py reactor.js external.py my_vendor_api.py bootstrapping.py",
        ),
        (
            "generated",
            "package-lock.json a/yarn.lock uv.lock Cargo.lock go.sum pnpm-lock.yaml app.min.js style-min.css "
            "app.js.map x_pb2.py x_pb2_grpc.py x_pb2.pyi api.pb.go api.pb.cc x_pb.js __snapshots__/a.js a.snap "
            "Form.Designer.cs gen-py/x/ttypes.py pkg.egg-info/PKG-INFO src/__generated__/q.ts "
            "zz_generated.deepcopy.go main.3f2a9bcd.js tests/ui/snapshots/a.txt .idea/x.xml m.g.dart",
            "package.json lock.py src/generator.py minify.js admin.js map.py sitemap.xml pb2.py protobuf.py "
            "snapshots/model.py tests/test_lock.py",
        ),
        (
            "log",
            "train.log a/b.log.1 logs/run1.txt logs/2024/run.jsonl nohup.out slurm-123.out wandb/run/x.yaml "
            "console.txt training_log.txt log.txt run.log.txt outputs/2024-01-02/x.yaml events.out.tfevents.123 "
            "train_logs/a.csv",
            "src/logs/writer.py catalog.txt blog.txt logging.md dialog.json changelog.md outputs/plan.md logo.txt",
        ),
        (
            "test",
            "tests/test_a.py test/a.c src/a_test.go src/a.test.ts src/a.spec.js conftest.py test_x.py src/FooTest.java "
            "spec/a_spec.rb __tests__/a.js",
            "src/contest.py latest.py src/Contest.java testimony.md attest.go src/protest/a.py",
        ),
    ],
)  # fmt: skip
def test_names(column: str, told: str, not_told: str) -> None:
    frame = classified(*told.split(), *not_told.split())
    assert set(frame.filter(column)["path"]) == set(told.split())


@pytest.mark.parametrize(
    "kind, names",
    [
        ("code", "a.py b.rs Makefile Dockerfile c.tsx d.cu e.html CMakeLists.txt x.proto schema.sql"),
        ("prose", "README.md docs/a.rst paper.tex notes.txt NEWS AUTHORS"),
        ("config", "config.yaml pyproject.toml setup.cfg .gitignore requirements.txt package.json tsconfig.json "
                   "pom.xml requirements-dev.txt .env CITATION.cff"),
        ("data", "a.csv b.jsonl results.json data/words.txt data/conf.yaml c.svg refs.bib package-lock.json a.xyz"),
        ("notebook", "a.ipynb"),
        ("legal", "LICENSE COPYING.txt NOTICE LICENSES/MIT.txt LICENSE-APACHE"),
    ],
)  # fmt: skip
def test_kinds(kind: str, names: str) -> None:
    frame = classified(*names.split())
    assert dict(zip(frame["path"], frame["kind"], strict=True)) == dict.fromkeys(names.split(), kind)


ALWAYS = [
    "a.py~", "a.py.bak", "a.bak", "a.bak2", "a.py.orig", "a.old", "a.bak.py", "a.orig.py", "a_bak.py", "#a.py#",
    ".#a.py", "Copy of a.py", "a - Copy.py", "a - Copy (2).py", "a.py.swp", "a.rej", "a_backup_20240102.py",
    "backups/a.txt", "x/backups/y/a.py",
    "src.bak/a.py", ".ipynb_checkpoints/a-checkpoint.ipynb", "backup_2024-01-02/a.py",
    "old_versions/a.py", "backup/all.json", "~$report.docx",
]  # fmt: skip


@pytest.mark.parametrize("name", ALWAYS)
def test_copies_by_name_alone(name: str) -> None:
    assert backups(name) == {name}


@pytest.mark.parametrize(
    "name",
    ["a_old.py", "a_copy.py", "a (1).py", "a copy.py", "a_backup.py", "old_a.py", "a-orig.py", "a_v1.py", "a-v2.py",
     "a_v2_final.py", "a_final.py", "a_2024-01-02.py", "a_20240102.py", "a_2024-01-02_1530.py", "a.v3.py", "a_prev.py",
     "A_Old.py"],
)  # fmt: skip
def test_marked_names_beside_the_unmarked(name: str) -> None:
    assert backups("a.py", name) == {name}
    assert backups(name) == set()
    assert backups(name, "other/a.py") == set()
    assert backups(name, "a.md") == set()


@pytest.mark.parametrize(
    "names, copies",
    [
        ("a_v1.py a_v2.py a_v10.py", "a_v1.py a_v2.py"),
        ("a_v1.2.tex a_v1.10.tex", "a_v1.2.tex"),
        ("a_v2.py a_v2_final.py", "a_v2.py"),
        ("a_old.py a_v2.py", "a_old.py"),
        ("a_old.py a_backup.py", ""),
        ("run_2024-01-01.py run_2024-02-01.py", "run_2024-01-01.py"),
        ("nb_2024-01-01.ipynb nb_2024-02-01.ipynb", "nb_2024-01-01.ipynb"),
        # Series stand side by side on purpose: interfaces, notes by date, chapters.
        ("api_v1.py api_v2.py schema_v1.json schema_v2.json gpl-v2.txt gpl-v3.txt", ""),
        ("v1/users.py v2/users.py api/v1/a.go api/v2/a.go", ""),
        ("notes_2024-01-01.md notes_2024-01-02.md run_2024-01-01.csv run_2024-01-02.csv", ""),
        ("chapter_1.md chapter_2.md test_1.py test_2.py test.py 0001_initial.py 2024-01-02-post.md", ""),
        ("db_backup.sh create_backup.py copy.py copy_files.py old.py finalize.py archive.py", ""),
    ],
)
def test_versions(names: str, copies: str) -> None:
    assert backups(*names.split()) == set(copies.split())


@pytest.mark.parametrize(
    "names, copies",
    [
        ("old/model.py model.py", "old/model.py"),
        ("src/old/a.py src/old/b.py src/a.py", "src/old/a.py src/old/b.py"),  # one twin tells of the folder
        ("src_old/k.py src/k.py", "src_old/k.py"),
        ("archive/m.py src/m.py", "archive/m.py"),  # most names stand elsewhere
        ("archive/2020/essay.md archive/2021/essay2.md src/m.py", ""),
        ("old/README.md README.md old/engine.py", ""),  # a README is in every folder
        # A program about backups is no backup.
        ("tool/backup/__init__.py tool/backup/restore.py tool/main.py", ""),
        ("pkg/backup/run.go pkg/run_all.go", ""),
        ("backup/__init__.py backup/core.py core.py", "backup/__init__.py backup/core.py"),
    ],
)
def test_folders_of_copies(names: str, copies: str) -> None:
    assert backups(*names.split()) == set(copies.split())


def test_repositories_are_apart() -> None:
    frame = pl.DataFrame(
        {"repo": ["a", "b", "b", "b"], "path": ["m.py", "m_old.py", "old/m.py", "n.py"], "language": ["Python"] * 4}
    )
    assert paths.classify(frame)["backup"].to_list() == [False] * 4


def test_nothing_and_nulls() -> None:
    assert classified().height == 0
    frame = pl.DataFrame({"repo": [None, "r"], "path": [None, "a.py"], "language": [None, None]})
    found = paths.classify(frame)
    assert found.row(0, named=True) == dict.fromkeys(paths.COLUMNS, False) | {"kind": None}
    assert found["kind"][1] == "code"
    with pytest.raises(ValueError, match="'language' is missing"):
        paths.classify(frame.drop("language"))


NAMES = st.lists(st.sampled_from(["a", "a_old", "a_v1", "a_v2", "a_2024-01-02", "b", "old/a", "x (1)", "x (2)"]))


@settings(max_examples=25, deadline=None)
@given(NAMES, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_something_stays(names: list[str], rng: object) -> None:
    told = [f"{name}.py" for name in dict.fromkeys(names)]
    found = backups(*told)
    shuffled = list(told)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert backups(*shuffled) == found
    assert not told or found < set(told)
