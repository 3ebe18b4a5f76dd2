"""The pages of the documentation, taken apart: headings, links, fenced blocks, commands. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coevo_pipelines.reference import anchor
from coevo_pipelines_tests.runs import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
"""Those that a person wrote, and the walk."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """What is in the fenced blocks of one language."""
    return [body for kind, body in _FENCE.findall(text(page)) if kind == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def links(page: Path) -> list[str]:
    """Targets of all links and pictures; what looks like one in code is none."""
    return [target for target in _LINK.findall(_CODE.sub("`x`", prose(page)))]


def anchors(page: Path) -> set[str]:
    """Where a link into the page can lead; GitHub numbers what stands there twice."""
    found: dict[str, int] = {}
    made = set()
    for heading in _HEADING.findall(prose(page)):
        place = anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", ""))
        made.add(f"{place}-{found[place]}" if place in found else place)
        found[place] = found.get(place, 0) + 1
    return made


def commands(page: Path) -> Iterator[list[str]]:
    """Every call of `coevo` in blocks of sh, as words."""
    for block in blocks(page, "sh"):
        for line in _lines(block.replace("\\\n", " ")):
            yield from calls(line)


def _lines(block: str) -> Iterator[str]:
    """The lines of a shell; one whose double quote is open goes on in the next."""
    held = ""
    for line in block.splitlines():
        held += line
        if held.partition(" # ")[0].count('"') % 2:
            held += " "
            continue
        yield held
        held = ""


def named(page: Path) -> Iterator[list[str]]:
    """Every command that is named between words, `coevo query` say: its arguments may be left out."""
    for span in re.findall(r"`(coevo [^`]+)`", prose(page)):
        if "…" not in span:
            yield from calls(span)


def calls(line: str) -> Iterator[list[str]]:
    """The calls of `coevo` in one line of a shell, without variables before them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    call: list[str] = []
    for word in [*lexer, ";"]:
        if word.strip("|&;"):
            call.append(word)
            continue
        while call and re.fullmatch(r"[A-Z_]+=.*|sudo|-u|--preserve-env=.*", call[0]):
            call = call[2:] if call[0] == "-u" else call[1:]
        if call and call[0].rpartition("/")[2] == "coevo":
            yield call[1:]
        call = []


def wrong(words: list[str], command: Any, whole: bool = True) -> str:
    """What is wrong with a call of the Typer command; empty when it could be run. whole: with all its arguments."""
    words = list(words)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if getattr(command, "commands", None):
        free = {"--help", "--install-completion", "--show-completion"}
        return "" if not words or set(words) <= free else f"no command {words[0]!r}"
    options = {each: parameter for parameter in command.params for each in getattr(parameter, "secondary_opts", [])}
    options |= {each: parameter for parameter in command.params for each in parameter.opts if each.startswith("-")}
    given = 0
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            given += 1
            continue
        option, _, value = word.partition("=")
        if option == "--help":
            continue
        if option not in options:
            return f"no option {option}"
        if not getattr(options[option], "is_flag", False) and not value:
            if not words and whole:
                return f"{option} needs a value"
            del words[:1]
    places = [each for each in command.params if each.param_type_name == "argument"]
    least = sum(each.required for each in places)
    most = None if any(each.nargs == -1 for each in places) else len(places)
    if whole and given < least:
        return f"needs {least} arguments, not {given}"
    return f"takes {most} arguments, not {given}" if most is not None and given > most else ""
