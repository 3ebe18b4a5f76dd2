"""What a text is like in numbers, and named rules on these numbers: a document that breaks one is left out.

A rule is data: one measure, a limit, on which side of it a text is bad, to which kinds of documents it applies, and
who published the limit. A blueprint changes a limit or turns a rule off by its name (`max_line = 2000`,
`stop_words = None`); nothing else decides. Sources of limits:

- Gopher: J. W. Rae et al. 2021, arXiv:2112.11446, appendix A.1 and table A1 (English web text).
- Codex: M. Chen et al. 2021, arXiv:2107.03374, section 3.1; its numbers as CodeParrot and The Stack state them.
- StarCoder: R. Li et al. 2023, arXiv:2305.06161, section 3.
- StarCoder2: A. Lozhkov et al. 2024, arXiv:2402.19173, section 2.1 (The Stack v2, basic filters).
- FineWeb: G. Penedo et al. 2024, arXiv:2406.17557 (web pages where a paragraph is a line).
- Linguist: github-linguist/linguist, lib/linguist/generated.rb.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coevo_pipelines.corpora.cleaning import characters
from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

COUNTS = (
    "characters", "lines", "max_line", "line_characters", "letters", "digits", "spaces", "non_ascii", "replacements",
    "controls", "unspaced", "words", "word_characters", "alphabetic_words", "longest_word", "hashes", "ellipses",
    "stop_words", "full_lines", "bullet_lines", "ellipsis_lines", "short_lines", "punctuated_lines", "distinct_lines",
    "duplicate_characters", "top_line", "encoded", "encoded_run", "number_characters",
)  # fmt: skip
"""What `_count` writes for a text, in the order of its columns."""

SHORT_LINE = 30
"""Characters of a short line (FineWeb)."""

_BATCH = 32 << 20

PROSE = frozenset({"prose", "readme", "card", "abstract"})
LONG_PROSE = PROSE - {"abstract"}
CODE = frozenset({"code"})
MADE = frozenset({"code", "config", "data"})
ANY = PROSE | MADE | {"notebook", "legal"}

_GENERATED = (
    r"(?m)@generated\b|\bDO NOT (?:EDIT|MODIFY)\b"
    r"|(?i:\bdo not (?:edit|modify|change)[ :,-]*(?:this file|by hand|manually|directly|!)"
    r"|\b(?:code|file|module|header|source|class|content) (?:is|was|has been|were)? ?"
    r"(?:auto[- ]?|automatically |machine[- ]?)?generated\b(?: (?:automatically|by|from|with|using)\b|[.!,;]|$)"
    r"|\b(?:auto[- ]?|automatically |machine[- ]?)generated (?:by|from|file|code|using|with)\b"
    r"|\bthis is an? (?:auto[- ]?|automatically |machine[- ]?)?generated file\b"
    r"|\bgenerated (?:automatically|by the protocol buffer compiler)\b"
    r"|^\W*(?:auto[- ]?|automatically |machine[- ]?)?generated (?:by|from|with|using) \S)"
)
"""Marks of generated files in their heads. A text that only speaks of such files ("handles auto-generated names")
has none of them, which the word alone, as Codex and The Stack v2 look for it, would not tell."""
HEAD_LINES = 10
"""Lines that are looked at for such a mark; licence headers stand before many."""


class RuleError(ValueError):
    """A limit that is none; the message names it and what was meant."""


@dataclass(frozen=True)
class Rule:
    """A text of one of `kinds` is bad where `measure` lies on the `bad` side of `limit`; None: off unless asked for.

    `languages` (programming or markup) and `natural` (ISO 639-1) narrow it; a text whose language is not known
    is then not judged. `spaced`: only where words are written with spaces between them.
    """

    name: str
    description: str
    source: str
    kinds: frozenset[str]
    measure: str
    bad: Literal["above", "below"]
    limit: float | None
    languages: frozenset[str] | None = None
    natural: frozenset[str] | None = None
    spaced: bool = False

    def broken(self, limit: float) -> pl.Expr:
        """Whether a row of `measure`'s columns, `kind`, `language` and `natural` breaks the rule."""
        import polars as pl

        value = pl.col(self.measure)
        bad = pl.col("kind").is_in(sorted(self.kinds)) & (value > limit if self.bad == "above" else value < limit)
        if self.languages is not None:
            bad &= pl.col("language").is_in(sorted(self.languages))
        if self.natural is not None:
            bad &= pl.col("natural").is_in(sorted(self.natural))
        if self.spaced:
            bad &= pl.col("unspaced") < _MOSTLY_UNSPACED
        return bad.fill_null(False)


_MOSTLY_UNSPACED = 0.3
_PROGRAMS = frozenset({
    "C", "C#", "C++", "CSS", "Go", "Java", "JavaScript", "Julia", "Kotlin", "Lua", "PHP", "Python", "R", "Ruby", "Rust",
    "SQL", "Shell", "Swift", "TSX", "TypeScript",
})  # fmt: skip

_ALL = (
    Rule("too_short", "fewer characters: nothing to learn from", "own", ANY, "characters", "below", 20),
    Rule("too_long", "more characters: data or a dump", "StarCoder2 (files of pull requests)", ANY,
         "characters", "above", 1_000_000),
    Rule("many_lines", "more lines: data or generated", "StarCoder2", ANY, "lines", "above", 100_000),
    Rule("max_line", "a line of code with more characters", "Codex, The Stack, StarCoder2", CODE, "max_line", "above",
         1000),
    Rule("mean_line", "lines of code with more characters on average", "Codex, The Stack, StarCoder2", CODE,
         "mean_line", "above", 100),
    Rule("max_line_text", "a line of text, markup or data with more characters", "StarCoder2", ANY - CODE, "max_line",
         "above", 100_000),
    Rule("alphanumeric", "a smaller share of letters and digits in code", "Codex, The Stack", CODE, "alphanumeric",
         "below", 0.25),
    Rule("letters", "a smaller share of letters in code and configuration", "StarCoder2", CODE | {"config"}, "letters",
         "below", 0.25),
    Rule("generated", f"marks of a generated file in the first {HEAD_LINES} lines", "Codex, StarCoder2, Linguist",
         MADE, "generated_marks", "above", 0),
    Rule("minified", "JavaScript, TypeScript, CSS or JSON with more characters a line on average",
         "Linguist (minified_files?)", MADE, "mean_line", "above", 110,
         languages=frozenset({"JavaScript", "TypeScript", "CSS", "JSON"})),
    Rule("encoded", "a larger share of base64 and hexadecimal runs of 64 or more", "StarCoder2", ANY, "encoded",
         "above", 0.5),
    Rule("encoded_run", "a longer run of base64 or hexadecimal", "StarCoder2", ANY, "encoded_run", "above", 1024),
    Rule("binary_like", "a larger share of control and replacement characters", "own", ANY, "unreadable", "above",
         0.05),
    Rule("mostly_numbers", "a larger share of numbers in what is no white space", "own", ANY, "numbers", "above", 0.5),
    Rule("repetitive", "a larger share of characters in lines that stood before", "own", MADE | {"notebook"},
         "duplicate_line_characters", "above", 0.6),
    Rule("settings_short", "JSON or YAML with fewer characters", "StarCoder", MADE, "characters", "below", 50,
         languages=frozenset({"JSON", "YAML"})),
    Rule("settings_long", "JSON or YAML with more characters: mostly data", "StarCoder", MADE, "characters", "above",
         5000, languages=frozenset({"JSON", "YAML"})),
    Rule("min_words", "prose with fewer words", "Gopher", LONG_PROSE, "words", "below", 50, spaced=True),
    Rule("max_words", "prose with more words", "Gopher", PROSE, "words", "above", 100_000),
    Rule("min_word_length", "prose with shorter words on average", "Gopher", PROSE, "mean_word", "below", 3,
         spaced=True),
    Rule("max_word_length", "prose with longer words on average", "Gopher", PROSE, "mean_word", "above", 10,
         spaced=True),
    Rule("hashes", "prose with more # for each word", "Gopher", PROSE, "hashes", "above", 0.1, spaced=True),
    Rule("ellipses", "prose with more ellipses for each word", "Gopher", PROSE, "ellipses", "above", 0.1, spaced=True),
    Rule("bullet_lines", "prose with a larger share of lines that start with a bullet", "Gopher", PROSE,
         "bullet_lines", "above", 0.9),
    Rule("ellipsis_lines", "prose with a larger share of lines that end with an ellipsis", "Gopher", PROSE,
         "ellipsis_lines", "above", 0.3),
    Rule("alphabetic_words", "prose with a smaller share of words that hold a letter", "Gopher", PROSE,
         "alphabetic_words", "below", 0.8, spaced=True),
    Rule("stop_words", "English prose with fewer of: the be to of and that have with", "Gopher", LONG_PROSE,
         "stop_words", "below", 2, natural=frozenset({"en"})),
    Rule("duplicate_lines", "prose with a larger share of lines that stood before", "Gopher", PROSE, "duplicate_lines",
         "above", 0.3),
    Rule("duplicate_line_characters", "prose with a larger share of characters in such lines", "Gopher", PROSE,
         "duplicate_line_characters", "above", 0.2),
    Rule("punctuated_lines", "prose with a smaller share of lines that end a sentence (web: 0.12)", "FineWeb", PROSE,
         "punctuated_lines", "below", None),
    Rule("short_lines", f"prose with a larger share of lines of {SHORT_LINE} characters or fewer (web: 0.67)",
         "FineWeb", PROSE, "short_lines", "above", None),
    Rule("lines_per_word", "prose with more lines for each word: lists (web: 0.3)", "FineWeb", PROSE, "lines_per_word",
         "above", None, spaced=True),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
"""Name -> rule. FineWeb's three are off: their limits are for web pages and would drop hard-wrapped Markdown."""


def limits_of(limits: Mapping[str, float | None] | None = None) -> dict[str, float]:
    """The limits in force: the rules' own, changed by `limits`; None turns a rule off.

    RuleError for a name that no rule has, and for a limit that is no number.
    """
    given = dict(limits or {})
    for name, limit in given.items():
        if name not in RULES:
            close = difflib.get_close_matches(name, RULES, n=1)
            raise RuleError(
                f"quality: there is no rule {name!r}"
                + (f" (did you mean {close[0]!r}?)" if close else f"; the rules are {', '.join(RULES)}")
            )
        if limit is not None and (
            isinstance(limit, bool) or not isinstance(limit, (int, float)) or not np.isfinite(limit)
        ):
            raise RuleError(f"quality.{name}: the limit {limit!r} is not a number; write one, or None to turn it off")
    merged = {name: given.get(name, rule.limit) for name, rule in RULES.items()}
    return {name: float(limit) for name, limit in merged.items() if limit is not None}


def measure(texts: pl.Series) -> pl.DataFrame:
    """The measures of each text, in the order given; a null is measured as an empty text.

    Lengths are in characters (code points), lines end at LF, CR LF or CR, words at white space; shares are of all
    characters, of lines, of lines that are not empty (`duplicate_lines`, `top_line`), of words, or of what is no
    white space (`numbers`), and 0 where there is nothing to share. Two lines are the same if they are without
    the white space around them, up to a collision of 64 bits.
    """
    import polars as pl

    counted = np.zeros((len(texts), len(COUNTS)))
    table = characters.classes()
    for first, data, offsets in characters.batches(texts, _BATCH):
        _count(data, offsets, table, counted[first : first + len(offsets) - 1], SHORT_LINE)
    head = texts.cast(pl.String).fill_null("").str.slice(0, 200 * HEAD_LINES)
    head = head.str.extract(rf"^((?:[^\n]*\n?){{0,{HEAD_LINES}}})")

    of = dict(zip(COUNTS, counted.T, strict=True))

    def share(part: NDArray[np.float64], whole: str | NDArray[np.float64]) -> NDArray[np.float64]:
        # Polars 2.1 divides by a column of one row through its reciprocal: the last bit would tell how many texts
        # were measured together.
        wholes = of[whole] if isinstance(whole, str) else whole
        return np.divide(part, wholes, out=np.zeros(len(part)), where=wholes > 0)

    def count(name: str) -> NDArray[np.int64]:
        return of[name].astype(np.int64)

    return pl.DataFrame(
        {
            "characters": count("characters"),
            "lines": count("lines"),
            "max_line": count("max_line"),
            "mean_line": share(of["line_characters"], "lines"),
            "alphanumeric": share(of["letters"] + of["digits"], "characters"),
            "letters": share(of["letters"], "characters"),
            "digits": share(of["digits"], "characters"),
            "whitespace": share(of["spaces"], "characters"),
            "non_ascii": share(of["non_ascii"], "characters"),
            "replacements": share(of["replacements"], "characters"),
            "unreadable": share(of["replacements"] + of["controls"], "characters"),
            "unspaced": share(of["unspaced"], "letters"),
            "words": count("words"),
            "mean_word": share(of["word_characters"], "words"),
            "longest_word": count("longest_word"),
            "alphabetic_words": share(of["alphabetic_words"], "words"),
            "hashes": share(of["hashes"], "words"),
            "ellipses": share(of["ellipses"], "words"),
            "stop_words": count("stop_words"),
            "bullet_lines": share(of["bullet_lines"], "full_lines"),
            "ellipsis_lines": share(of["ellipsis_lines"], "full_lines"),
            "short_lines": share(of["short_lines"], "full_lines"),
            "punctuated_lines": share(of["punctuated_lines"], "full_lines"),
            "lines_per_word": share(of["lines"], "words"),
            "duplicate_lines": share(of["full_lines"] - of["distinct_lines"], "full_lines"),
            "duplicate_line_characters": share(of["duplicate_characters"], "characters"),
            "top_line": share(of["top_line"], "full_lines"),
            "encoded": share(of["encoded"], "characters"),
            "encoded_run": count("encoded_run"),
            "numbers": share(of["number_characters"], of["characters"] - of["spaces"]),
            "generated_marks": head.str.count_matches(_GENERATED).cast(pl.Int64),
        }
    )


def flags(
    measures: pl.DataFrame,
    kinds: pl.Series,
    limits: Mapping[str, float | None] | None = None,
    languages: pl.Series | None = None,
    natural: pl.Series | None = None,
) -> pl.Series:
    """For each row of `measure` the names of the rules that it breaks, in the order of `RULES`: list[string].

    `kinds` are the documents' kinds, `languages` their programming or markup languages, `natural` the natural ones
    (`languages.identify`); without these, the rules for some languages only are not applied.
    RuleError as `limits_of`; ValueError where lengths differ.
    """
    import polars as pl

    for name, given in (("kinds", kinds), ("languages", languages), ("natural", natural)):
        if given is not None and len(given) != measures.height:
            raise ValueError(f"{name}: {len(given)} values for {measures.height} measured texts")
    if not (found := limits_of(limits)):
        return pl.Series("flags", [[]] * measures.height, dtype=pl.List(pl.String))

    def column(given: pl.Series | None) -> pl.Series:
        return given.cast(pl.String) if given is not None else pl.Series([None] * measures.height, dtype=pl.String)

    frame = measures.with_columns(kind=column(kinds), language=column(languages), natural=column(natural))
    broken = [pl.when(RULES[name].broken(limit)).then(pl.lit(name)).otherwise(None) for name, limit in found.items()]
    return frame.select(flags=pl.concat_list(broken).list.drop_nulls())["flags"]


@kernel
def _count(  # noqa: PLR0912, PLR0915 - one pass over the bytes, and kernels cannot call each other
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    table: NDArray[np.uint8],
    out: NDArray[np.float64],
    short_line: int,
) -> None:
    """`COUNTS` of each text into a row of `out`; `table` is `characters.classes()`."""
    # The stop words as their letters in one integer each: the be to of and that have with.
    stops = (7628901, 25189, 29807, 28518, 6385252, 1952997748, 1751217765, 2003399784)
    slots = 1024
    keys = np.zeros(slots, np.int64)
    owners = np.full(slots, -1, np.int64)
    seen = np.zeros(slots, np.int64)
    for text in range(offsets.size - 1):
        start, end = offsets[text], offsets[text + 1]
        breaks = 2
        for at in range(start, end):
            breaks += (data[at] == 10) | (data[at] == 13)
        if 2 * breaks > slots:
            while slots < 2 * breaks:
                slots *= 2
            keys = np.zeros(slots, np.int64)
            owners = np.full(slots, -1, np.int64)
            seen = np.zeros(slots, np.int64)
        top: Any = 0
        length = lines = max_line = line_total = letters = digits = spaces = non_ascii = replacements = controls = 0
        unspaced = words = word_total = alphabetic = longest_word = hashes = ellipses = stop_mask = 0
        full = bullets = ellipsis_lines = short = punctuated = distinct = duplicate_total = 0
        encoded = encoded_run = number_total = 0
        line = word = word_letters = packed = dots = 0
        word_alphabetic: Any = 0
        hashed = kept_hash = kept = 0
        first_char = second_char = last_char = last_dots = 0
        run = segment = run_digit = run_letter = 0
        token = token_kind = 0
        at = start
        while at <= end:
            # One step past the end closes what is open, as a line end would, but is no character.
            past = at == end
            size = 1
            point: Any = 10
            if not past:
                point = np.int64(data[at])
                if point > 127:
                    size = 2 + (point >= 224) + (point >= 240)
                    point &= 127 >> size
                    for step in range(1, size):
                        point = (point << 6) | (np.int64(data[at + step]) & 63)
                    non_ascii += 1
                    replacements += point == 0xFFFD
                length += 1
            what = np.int64(table[np.uint64(point)])
            is_break = point == 10 or (point == 13 and not (at + 1 < end and data[at + 1] == 10))
            if not past:
                letters += (what & 1) != 0
                digits += (what & 2) != 0
                spaces += (what & 4) != 0
                controls += (what & 8) != 0
                unspaced += (what & 16) != 0
                hashes += point == 35
            # ellipses
            if point == 46:
                dots += 1
                ellipses += dots == 3
            elif dots:
                last_dots = dots
                dots = 0
            ellipses += point == 0x2026
            # base64 and hexadecimal
            lower = point | 32
            is_latin = point < 128 and 97 <= lower <= 122
            if (is_latin or 48 <= point <= 57 or point == 43 or point == 47 or point == 61) and not past:  # noqa: PLR1714
                run += 1
                segment += 1
                run_letter |= is_latin
                run_digit |= 48 <= point <= 57
            elif point == 13 and not is_break:
                pass
            elif is_break and not past and segment >= 60:
                segment = 0
            elif run:
                if run >= 64 and run_letter and run_digit:
                    encoded += run
                    encoded_run = max(encoded_run, run)
                run = segment = run_letter = run_digit = 0
            # numbers
            if (what & 3) or point == 95 or point == 46 or point == 43 or point == 45:  # noqa: PLR1714
                token += 1
                if token_kind == 0:
                    if what & 2:
                        token_kind = 1
                    elif (what & 1) or point == 95:
                        token_kind = 2
            elif token:
                number_total += token if token_kind == 1 else 0
                token = token_kind = 0
            # words
            if what & 4:
                if word:
                    words += 1
                    word_total += word
                    longest_word = max(longest_word, word)
                    alphabetic += word_alphabetic
                    if 2 <= word_letters <= 4:
                        for number in range(8):
                            if packed == stops[number]:
                                stop_mask |= 1 << number
                word = word_letters = packed = word_alphabetic = 0
            else:
                word += 1
                word_alphabetic |= what & 1
                if is_latin:
                    word_letters += 1
                    packed = ((packed << 8) | lower) & 0xFFFFFFFFFF
            # lines
            if not is_break:
                line += point != 13
                if (what & 4) == 0:
                    if kept == 0:
                        first_char = point
                    elif second_char == 0:
                        second_char = point
                    hashed = (hashed ^ point) * 1099511628211
                    kept_hash = hashed
                    last_char = point
                    kept += 1
                elif kept:
                    if second_char == 0:
                        second_char = 32
                    hashed = (hashed ^ point) * 1099511628211
            elif not (past and (line == 0 and (length == 0 or data[end - 1] == 10 or data[end - 1] == 13))):
                lines += 1
                line_total += line
                max_line = max(max_line, line)
                if kept:
                    full += 1
                    short += line <= short_line
                    is_bullet = first_char in (0x2022, 0x2023, 0x25CF, 0x25CB, 0x25AA)
                    if first_char in (45, 42, 43) and second_char == 32:
                        is_bullet = True
                    bullets += is_bullet
                    ellipsis_lines += last_char == 0x2026 or (last_char == 46 and last_dots >= 3)
                    punctuated += last_char in (46, 33, 63, 34, 39, 0x2026, 0x3002, 0xFF01, 0xFF1F, 0x201D)
                    slot = (kept_hash ^ (kept_hash >> 32)) & (slots - 1)
                    while owners[slot] == text and keys[slot] != kept_hash:
                        slot = (slot + 1) & (slots - 1)
                    if owners[slot] != text:
                        owners[slot] = text
                        keys[slot] = kept_hash
                        seen[slot] = 0
                        distinct += 1
                    else:
                        duplicate_total += line
                    seen[slot] += 1
                    top = max(top, seen[slot])
            if is_break:
                line = hashed = kept_hash = kept = 0
                first_char = second_char = last_char = last_dots = 0
            at += size
        row = out[text]
        row[0], row[1], row[2], row[3], row[4], row[5] = length, lines, max_line, line_total, letters, digits
        row[6], row[7], row[8], row[9], row[10] = spaces, non_ascii, replacements, controls, unspaced
        row[11], row[12], row[13], row[14] = words, word_total, alphabetic, longest_word
        row[15], row[16], row[18], row[19], row[20] = hashes, ellipses, full, bullets, ellipsis_lines
        for number in range(8):
            row[17] += (stop_mask >> number) & 1
        row[21], row[22], row[23], row[24], row[25] = short, punctuated, distinct, duplicate_total, top
        row[26], row[27], row[28] = encoded, encoded_run, number_total
