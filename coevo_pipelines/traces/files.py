"""What the files of a repository and the cards of the Hub say of other works: path and text in, references out."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from coevo_pipelines.traces import citation_file, identifiers, manifests
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.found import Found
from coevo_pipelines.traces.records import Traces

CITATION = "CITATION.cff"
MANIFESTS = (CITATION, *manifests.READERS)
"""The files of a repository's root that are read for references, beside its README."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(content: bytes) -> str:
    """The text, by its byte order mark, else as UTF-8. What is no text of that encoding becomes U+FFFD: identifiers
    are ASCII, so a file in another encoding loses names, not links."""
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "utf-8")
    text = content.decode(encoding, "replace")
    # Half of a surrogate pair, which UTF-16 can hold, cannot be stored.
    return text if encoding in {"utf-8", "utf-8-sig"} else text.encode("utf-8", "replace").decode()


def reader(path: str) -> Callable[[str], Found] | None:
    """The function that reads the file of this path; None when it is prose, whose links are mentions."""
    return citation_file.read if path == CITATION else manifests.READERS.get(path)


def refer(work_id: str, path: str, text: str, traces: Traces) -> None:
    """Each work that the file names, as a reference of `work_id` with the place. ParseError, naming work and file,
    when the file as a whole cannot be read."""
    read = reader(path)
    if read is None:
        for line, target in identifiers.in_text(text):
            traces.file_reference(work_id, target, "mentions", f"{path} line {line}")
        return
    try:
        found = read(text)
    except ParseError as error:
        raise ParseError(f"{work_id} {path}: {error}") from error
    for each in found.references:
        traces.file_reference(work_id, each.target, each.relation, f"{path} {each.place}")
    for place, reason in found.rejected:
        traces.reject(f"{work_id} {path} {place}", reason)
