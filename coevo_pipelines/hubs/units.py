"""Units that people write, and the ones the lake keeps: SI for measurements, thousandths for needs and offers.

A unit may be written as a UCUM code (`g/kg`, `[ppm]`, `mg/L`, `Cel`, `t/har`: https://ucum.org/ucum), as pint has it
(`gram/kilogram`, `tonne/hectare`, `degC`), or as it stands on most sheets (`t/ha`, `kg m-2`, `µg/m³`, `°C`). Names
with two meanings (`ton`, `gallon`) are asked back. Factors are exact fractions; the last step is one multiplication,
one addition and one division of floats.

What is measured is a quantity of `quantities.toml`. Parts of a whole are no plain numbers here: organic carbon may be
given in g/kg or %, never in mL/L, [NTU] or meals. Every text that is not taken raises `UnitError`, and nothing else.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from coevo_pipelines.hubs.unit_codes import BRACES, AmbiguousError, Meaning, meaning, of

LONGEST = 60
"""Characters of a unit; no known one has half of them."""
MOST = 10**12
"""Thousandths of a unit that one need or offer may have: a thousand million of anything."""
COUNTS = (
    "bag", "bed", "bed_night", "bicycle", "blanket", "book", "box", "bunch", "concert", "consultation", "course", "cup",
    "desk", "event", "garment", "home", "hygiene_kit", "individual", "item", "jar", "job", "lesson", "loaf", "mattress",
    "meal", "night", "pair", "parcel", "person", "piece", "place", "plant", "plot", "point", "portion", "ride", "room",
    "score", "seat", "seedling", "session", "shift", "species", "stay", "tent", "ticket", "toolbox", "treatment",
    "tree", "visit", "voucher", "work", "workshop",
)  # fmt: skip
"""What is counted often: these may stand without braces, and as plurals."""

_MANY = {"person": "people", "loaf": "loaves", "species": "species", "score": "points"}
_ONE = {"persons": "person", "pcs": "piece", "pc": "piece", "scores": "score"} | {
    _MANY.get(word, word + ("es" if word.endswith(("s", "x")) else "s")): word for word in COUNTS if word != "score"
}
_POSTS = ("kg", "m", "m2", "L", "min", "kW.h")
"""Units of needs and offers. Litres, minutes and kilowatt hours are not of the SI (its brochure has them in table 8),
but a thousandth of a cubic metre is too coarse for a jar of honey, and a third of an hour is no whole number of its
thousandths."""
_USUAL = (
    "g/kg", "mg/kg", "mg/g", "%", "ppm", "[ppb]", "kg", "g", "mg", "t", "t/ha", "kg/ha", "kg/m2", "g/m2", "m", "cm",
    "mm", "km", "m2", "ha", "km2", "m3", "L", "mL", "m3/ha", "L/m2", "mg/L", "ug/L", "g/L", "ug/m3", "mg/m3", "kg/m3",
    "g/cm3", "t/m3", "Cel", "K", "[degF]", "mm/h", "mm/d", "mm/a", "m/s", "km/h", "W/m2", "MJ/m2/d", "kWh", "MJ", "J",
    "MWh", "h", "min", "d", "wk", "mo", "a", "s", "Pa", "kPa", "hPa", "mm[Hg]", "mmol/mol", "umol/mol", "[NTU]",
    "[FNU]", "pH", "uS/cm", "mS/cm", "dS/m", "CFU/100 mL", "liter", "gram", "kilogram", "hour", "hectare", "tonne",
    "gram/kilogram", "tonne/hectare", "kilogram/hectare",
)  # fmt: skip
"""What a mistyped unit is compared with."""
_SLIPS = {"c": "Cel", "f": "[degF]", "celcius": "Cel", "fahrenheit": "[degF]"}
_MONEY = re.compile(r"[€$£¥₹]|\b(?:EUR|USD|GBP|CHF|JPY|CNY|INR|euros?|dollars?)\b", re.IGNORECASE)
_PARTS = {"kg/kg": "[mass]", "m3/m3": "[length] ** 3", "mol/mol": "[substance]", "1": ""}
"""Dimension of what the part is of, by the unit of a quantity that is a part of a whole."""
_PART_NAMES = frozenset(("percent", "permille", "ppm", "ppb", "ppth", "pptr"))
_ALONE = re.compile(r"(?:^|[./(*\s])\{")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")
_NUMBERS = (float, int, Decimal, Fraction)
_EXACT = 2**53
_COUNTABLE = "a unit of mass, length, area, volume, time or energy, or what is counted, in braces"


class UnitError(ValueError):
    """A unit or a number that cannot be taken: `found` as written, what was `expected`, an `example` (may be empty)."""

    def __init__(self, found: str, expected: str, example: str = "") -> None:
        super().__init__(f"found {found!r}, expected {expected}" + (f", such as {example}" if example else ""))
        self.found = found
        self.expected = expected
        self.example = example

    def again(self) -> UnitError:
        """The same without where it was raised: one that is kept would grow with each raise."""
        return UnitError(self.found, self.expected, self.example)


@dataclass(frozen=True)
class Quantity:
    """What can be measured; units are UCUM codes, `low` and `high` in `unit`."""

    name: str
    title: str
    unit: str
    shown: str
    better: Literal["up", "down", "none"]
    low: float
    high: float
    examples: tuple[str, ...]
    health: bool = False
    same: tuple[str, ...] = ()
    """Other codes of the very same unit."""
    same_count: tuple[str, ...] = ()
    """Other words for what is counted."""
    beside: tuple[str, ...] = ()
    """Words that people put behind the unit, and which say nothing new: `kg CO2e`."""
    source: str = ""

    @property
    def counted(self) -> tuple[str, ...]:
        """Words for what is counted; empty where nothing is."""
        words = tuple(BRACES.findall(self.unit))
        return (*words, *self.same_count) if words else ()

    @property
    def accepts(self) -> str:
        """Units for it, in words."""
        return _either(self.examples)


@dataclass(frozen=True)
class Conversion:
    """From some unit to `unit`, the SI unit of a quantity: times `times`, plus `plus`, by `by`."""

    quantity: Quantity
    unit: str
    times: float
    plus: float
    by: float

    def si(self, value: float) -> float:
        """`value` in the SI unit. Whether it may be is not asked."""
        return (value * self.times + self.plus) / self.by

    def spread(self, value: float) -> float:
        """A standard deviation or a difference, in the SI unit: where a temperature's zero lies does not matter."""
        return value * self.times / self.by

    def back(self, value: float) -> float:
        """`value`, which is in the SI unit, in the unit that this is from."""
        return (value * self.by - self.plus) / self.times


def _read_quantities() -> Mapping[str, Quantity]:
    document = tomllib.loads((Path(__file__).parent / "quantities.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _quantity(name, given) for name, given in document.items()})


def _quantity(name: str, given: Mapping[str, Any]) -> Quantity:
    lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    numbers = {key: float(given[key]) for key in ("low", "high")}
    described: Any = {**given, **lists, **numbers}
    return Quantity(name=name, **described)


QUANTITIES: Mapping[str, Quantity] = _read_quantities()
"""By name: `quantities.toml`."""


def conversion(unit: str, quantity: str) -> Conversion:
    """How numbers in `unit` become SI. UnitError where one of both is unknown, or the unit is of something else."""
    if not isinstance(unit, str) or not isinstance(quantity, str):
        raise UnitError(_short(quantity if isinstance(unit, str) else unit), "a text", "g/kg")
    found = _converted(unit, quantity)
    if isinstance(found, UnitError):
        raise found.again()
    return found


def to_si(value: float, unit: str, quantity: str) -> tuple[float, str]:
    """`value`, which is in `unit`, in the SI unit of the quantity, and that unit's UCUM code.

    UnitError where the unit is unknown, ambiguous or of something else, where the number is none or not finite, and
    where it lies outside what may be.
    """
    how = conversion(unit, quantity)
    si = how.si(_number(value, how.quantity))
    if not how.quantity.low <= si <= how.quantity.high:
        raise _implausible(value, unit, how.back(how.quantity.low), how.back(how.quantity.high), quantity)
    return si, how.unit


def spread_to_si(value: float, unit: str, quantity: str) -> float:
    """A standard deviation of the quantity (not below 0), in its SI unit: 2 °C are 2 K, not 275.15 K.

    UnitError as `to_si`, and where it is wider than what may be.
    """
    how = conversion(unit, quantity)
    si = how.spread(_number(value, how.quantity))
    widest = how.quantity.high - how.quantity.low
    if not 0 <= si <= widest:
        raise _implausible(value, unit, 0.0, widest * how.by / how.times, f"the standard deviation of {quantity}")
    return si


def shown(value: float, quantity: str) -> tuple[float, str]:
    """`value`, which is in the quantity's SI unit, in the unit that people read it in, and that unit for people."""
    how = conversion(QUANTITIES[quantity].shown, quantity)
    return how.back(value), label(how.quantity.shown)


def shown_spread(value: float, quantity: str) -> tuple[float, str]:
    """The same for a difference or a standard deviation."""
    how = conversion(QUANTITIES[quantity].shown, quantity)
    return value * how.by / how.times, label(how.quantity.shown)


def label(unit: str) -> str:
    """A UCUM code as people write it: `t/har` is t/ha, `{bed_night}` bed nights, `1` nothing."""
    if unit == "1":
        return ""
    text = unit.replace("mm[Hg]", "mmHg").replace("kW.h", "kWh").replace("Cel", "°C").replace("{CFU}/dL", "CFU/100 mL")
    text = re.sub(r"\bhar\b", "ha", re.sub(r"\[(\w+)\]", r"\1", text))
    text = re.sub(r"\bu(?=[a-zA-Z])", "µ", text).replace(".", "·")
    text = re.sub(r"(?<=[a-zA-Z])[23]\b", lambda m: {"2": "²", "3": "³"}[m[0]], text)
    return BRACES.sub(lambda m: _many(m[1]), text)


def _many(word: str) -> str:
    ending = "s" if word in COUNTS and word not in _MANY else ""
    return (_MANY.get(word, word) + (("es" if word.endswith(("s", "x")) else "s") if ending else "")).replace("_", " ")


# ---- how a unit is taken


def _either(texts: Sequence[str], word: str = "or") -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"


def _short(value: object) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "a number of thousands of digits"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _tidy(unit: str) -> str:
    """`unit` less what only looks different: µ, superscripts, middle dots, minus signs. UnitError where it is none."""
    text = unicodedata.normalize("NFKC", unit[: 4 * LONGEST]).strip().replace("μ", "u").replace("−", "-")
    text = re.sub(r"[·⋅×∙]", ".", text)
    text = re.sub(r"\bmm Hg\b", "mmHg", text)
    if not text or len(unit) > LONGEST or not text.isprintable():
        raise UnitError(_short(unit), f"a unit of 1 to {LONGEST} characters", "kg")
    return text


def _braced(text: str, quantity: Quantity) -> str:
    """`text` with the words for what the quantity counts in braces, as UCUM wants them: `individuals/m2`."""
    words = {word.casefold(): word for word in quantity.counted}
    spelled = {*words, *(many for many, one in _ONE.items() if one in words)}
    either = "|".join(sorted(spelled, key=len, reverse=True)).replace("_", "[ _-]")
    return re.sub(
        rf"(?<![\w{{\[])(?:{either})(?![\w}}\]])", lambda m: f"{{{words[_single(m[0])]}}}", text, flags=re.IGNORECASE
    )


def _single(word: str) -> str:
    folded = re.sub(r"[\s-]+", "_", word.strip().casefold())
    return _ONE.get(folded, folded)


def _fits(found: Meaning, quantity: Quantity) -> bool:
    """Whether the quantity may be given so."""
    si = of(quantity.unit)
    if found.dimension != si.dimension:
        return False
    if quantity.counted:
        return not found.names and {_single(word) for word in found.words} <= {
            each.casefold() for each in quantity.counted
        }
    if quantity.unit in _PARTS:
        bare = {name.partition(" ")[0] for name in found.names}
        return bare <= _PART_NAMES and found.part in ("", _PARTS[quantity.unit])
    return found.names == si.names


def _read(unit: str, quantity: Quantity) -> Meaning | None:
    """What `unit` means, beside the quantity; None where it is no unit."""
    text = _tidy(unit)
    if quantity.beside:
        text = re.sub(rf"\s*\b(?:{'|'.join(quantity.beside)})\b", "", text)
    if quantity.counted:
        text = _braced(text, quantity)
    elif _ALONE.search(text):
        return None
    return meaning(text)


@lru_cache(maxsize=65_536)
def _converted(unit: str, name: str) -> Conversion | UnitError:
    try:
        return _conversion(unit, _known(name))
    except UnitError as error:
        return error.again()


def _known(name: str) -> Quantity:
    if name not in QUANTITIES:
        near = get_close_matches(name.casefold()[:100], QUANTITIES, n=1, cutoff=0.5)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise UnitError(_short(name), f"a quantity that is known{meant}", "soil_organic_carbon")
    return QUANTITIES[name]


def _conversion(unit: str, quantity: Quantity) -> Conversion:
    if unit in (quantity.unit, *quantity.same):
        return Conversion(quantity, quantity.unit, 1.0, 0.0, 1.0)
    example = quantity.examples[0]
    expected = f"{quantity.name} ({quantity.title}) in {quantity.accepts}"
    try:
        found = _read(unit, quantity)
    except AmbiguousError as error:
        raise UnitError(_short(unit), f"a unit with one meaning: {error}", example) from error
    except UnitError as error:
        raise UnitError(error.found, expected, example) from error
    if found is None or not _fits(found, quantity):
        raise UnitError(unit, _expected(unit, quantity, expected, found), example)
    si = of(quantity.unit)
    factor, plus = found.factor / si.factor, found.plus / si.factor
    by = math.lcm(factor.denominator, plus.denominator)
    whole = (factor * by, plus * by, Fraction(by))
    if max(each.numerator for each in whole) > _EXACT:
        whole = (factor, plus, Fraction(1))
    return Conversion(quantity, quantity.unit, *map(float, whole))


def _expected(unit: str, quantity: Quantity, expected: str, found: Meaning | None) -> str:
    """What to say where the unit does not fit: what was probably meant, or what it would fit."""
    if _MONEY.search(unit):
        return f"{expected} (money is not measured)"
    usual = ((known, _read(known, quantity)) for known in (*quantity.examples, *_USUAL))
    fitting = [known for known, read in usual if read is not None and _fits(read, quantity)]
    meant = _meant(unit, fitting, cutoff=0.75 if found is None else 1.0)  # a unit that is known is no slip of the pen
    if meant:
        return f"{expected}{meant}"
    if found is None:
        return expected if _ALONE.search(unit) else f"a unit that is known{_meant(unit, _USUAL)}: {expected}"
    others = [each.name for each in QUANTITIES.values() if _fits(found, each) and each.health <= quantity.health]
    fits = f" ({_short(unit)} is for {_either(others, 'and')})" if 0 < len(others) <= 5 else ""
    return expected + fits


def _meant(text: str, usual: Sequence[str], cutoff: float = 0.75) -> str:
    """Which of `usual` was meant by `text`, as " (did you mean …?)"; empty where none comes near."""
    folded = text.casefold().replace(" ", "")[:LONGEST]
    by_fold = {known.casefold(): known for known in reversed(usual)}
    near = [_SLIPS[folded]] if _SLIPS.get(folded) in usual else []
    near = near or [by_fold[match] for match in get_close_matches(folded, by_fold, n=1, cutoff=cutoff)]
    return f" (did you mean {near[0]}?)" if near and near[0] != text else ""


def _number(value: object, quantity: Quantity) -> float:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise UnitError(_short(value), f"a number for {quantity.name}", "12.5")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UnitError(_short(value), f"a finite number for {quantity.name}", "12.5")
    return number


def _implausible(value: object, unit: str, low: float, high: float, what: str) -> UnitError:
    return UnitError(
        f"{_short(value)} {_short(unit)}",
        f"{what} from {low:.6g} to {high:.6g} {_short(unit)} (is the unit right?)",
    )


# ---- needs and offers


def count_unit(text: str) -> str:
    """The unit in which needs and offers of `text` are counted: kg, m, m2, L, min, kW.h, or what is counted in braces.

    `{meal}`, `meals` and `{Meals}` are `{meal}`; any word in braces will do. UnitError where it is none of these.
    """
    return _post_unit(text)[0]


def amount(value: str | int | Decimal, unit: str, zero: bool = False) -> tuple[int, str]:
    """An amount of a need or an offer as thousandths of a unit, exactly, and that unit: `("2", "kg")` is (2000, "kg"),
    so is `("2000", "g")`. Above 0, or from 0 with `zero`.

    UnitError where the number is none, too small, too large, or finer than a thousandth of the unit.
    """
    code, factor = _post_unit(unit)
    least = "a number from 0" if zero else "a number above 0"
    text = _digits(value)
    if not _NUMBER.fullmatch(text):
        point = ", with a decimal point and nothing between thousands" if re.fullmatch(r"[0-9.,'\s]+", text) else ""
        raise UnitError(_short(value), least + point, "12.5")
    thousandths = Fraction(text) * factor * 1000
    if thousandths < 0 or (thousandths == 0 and not zero):
        raise UnitError(_short(value), least, "12.5")
    given = f"{_short(text)} {_short(unit)}"
    if thousandths > MOST:
        raise UnitError(given, f"at most {MOST // 1000:,} {label(code)}", told(12500, code))
    if thousandths.denominator != 1:
        near = max(round(thousandths), 0 if zero else 1)
        raise UnitError(given, f"whole thousandths of {code}: round it", told(near, code))
    return int(thousandths), code


def told(thousandths: int, unit: str) -> str:
    """Thousandths of a unit as people write them: 2500 of kg are "2.5 kg", 2000 of {meal} "2 meals"."""
    whole, rest = divmod(abs(thousandths), 1000)
    digits = f"{whole}.{rest:03d}".rstrip("0").rstrip(".")
    words = BRACES.fullmatch(unit)
    name = words[1].replace("_", " ") if words and abs(thousandths) == 1000 else label(unit)
    return f"{'-' if thousandths < 0 else ''}{digits} {name}"


def _digits(value: object) -> str:
    """The number as text; empty where it is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return ""
    is_usual = value.is_finite() and value.adjusted() < 30 if isinstance(value, Decimal) else value.bit_length() < 100
    return str(value) if is_usual else ""


def _post_unit(text: str) -> tuple[str, Fraction]:
    found = _posted(text) if isinstance(text, str) else UnitError(_short(text), _COUNTABLE, "kg or {meal}")
    if isinstance(found, UnitError):
        raise found.again()
    return found


@lru_cache(maxsize=65_536)
def _posted(unit: str) -> tuple[str, Fraction] | UnitError:
    try:
        text = _tidy(unit)
        counted = _counted(text)
        return (counted, Fraction(1)) if counted else _measured(text)
    except AmbiguousError as error:
        return UnitError(_short(unit), f"a unit with one meaning: {error}", "kg")
    except UnitError as error:
        return UnitError(error.found, error.expected, "kg or {meal}")


def _counted(text: str) -> str | None:
    """What is counted, in braces; None where it is a unit, or may be one."""
    word = _single(text[1:-1] if text[0] == "{" and text[-1] == "}" else text)
    if text[0] == "{" and text[-1] == "}" and "{" not in word:
        if not re.fullmatch(r"[^\W\d_](?:\w{0,38}[^\W_])?", word):
            raise UnitError(text, "in braces a word of up to 40 letters for what is counted")
        return f"{{{word}}}"
    return f"{{{word}}}" if word in COUNTS else None


def _measured(text: str) -> tuple[str, Fraction]:
    if _MONEY.search(text):
        raise UnitError(text, f"{_COUNTABLE} (money is not matched)")
    found = None if _ALONE.search(text) else meaning(text)
    for code in _POSTS if found is not None and not found.plus and not found.names else ():
        if found is not None and found.dimension == of(code).dimension:
            return code, found.factor / of(code).factor
    is_rate = found is not None and "[time]" in found.dimension
    if is_rate or re.search(r"(?:/|\bper\b)\s*(?:d|day|wk|week|mo|month|a|year)s?\b", text):
        raise UnitError(text, f"the amount for the whole time, no rate: {_COUNTABLE}")
    meant = "" if found is not None else _meant(_single(text), COUNTS).replace("mean ", "mean {").replace("?", "}?")
    raise UnitError(
        text, _COUNTABLE + (meant or _meant(text, ("kg", "g", "t", "L", "mL", "m", "m2", "m3", "h", "min")))
    )
