"""What the text of a unit means: UCUM codes, names of pint, and what stands on most sheets, as exact fractions.

Nothing is evaluated. A unit is a product of powers of names that are looked up, in UCUM's grammar and in that of most
sheets; powers above 9 and long numbers are no units, so that none of them is a number of a million digits.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

PH = "[pH]"
"""A logarithm: it has no multiples, and is compared by name."""
BRACES = re.compile(r"\{([^{}]*)\}")
"""What is counted, or other words beside a unit."""
UCUM: Mapping[str, str] = {
    "[ppth]": "ppth", "[ppm]": "ppm", "[ppb]": "ppb", "[pptr]": "pptr", "[NTU]": "NTU", "[FNU]": "FNU", "[CFU]": "CFU",
    "Cel": "degC", "[degF]": "degF", "wk": "week", "mo": "month", "mo_j": "month", "a_j": "year", "ar": "are",
    "har": "hectare", "[in_i]": "inch", "[ft_i]": "foot", "[yd_i]": "yard", "[mi_i]": "mile", "Ohm": "ohm",
    "[nmi_i]": "nautical_mile", "[sin_i]": "inch2", "[sft_i]": "foot2", "[syd_i]": "yard2", "[acr_us]": "acre",
    "[cin_i]": "inch3", "[cft_i]": "foot3", "[cyd_i]": "yard3", "[gal_us]": "gallon", "[qt_us]": "quart",
    "[pt_us]": "pint", "[cup_us]": "cup", "[foz_us]": "fluid_ounce", "[tbs_us]": "tablespoon", "[tsp_us]": "teaspoon",
    "[bu_us]": "bushel", "[gal_br]": "imperial_gallon", "[qt_br]": "imperial_quart", "[pt_br]": "imperial_pint",
    "[foz_br]": "imperial_fluid_ounce", "[gr]": "grain", "[oz_av]": "ounce", "[lb_av]": "pound", "[stone_av]": "stone",
    "[ston_av]": "short_ton", "[lton_av]": "long_ton", "mm[Hg]": "mmHg", "[psi]": "psi", "[kn_i]": "knot",
    "[Cal]": "kcal",
}  # fmt: skip
"""Codes of UCUM that pint has by other names (https://ucum.org/ucum); most others are the same in both."""
TWO_MEANINGS: Mapping[str, str] = {
    "ton": "t (1000 kg), short_ton (2000 lb) or long_ton (2240 lb)",
    "tons": "t (1000 kg), short_ton (2000 lb) or long_ton (2240 lb)",
    "gr": "g (gram) or grain",
    "ppt": "[ppth] (a thousandth) or [pptr] (a millionth of a millionth)",
    "kt": "knot or kilotonne",
    "ct": "g (a carat is 0.2 g)",
} | {
    name: f"[{code}_us] (United States) or [{code}_br] (British), or litres"
    for code, names in {"gal": "gal gallon gallons", "pt": "pt pint pints", "qt": "qt quart quarts"}.items()
    for name in names.split()
}
"""Names that stand for different units in different countries or trades, and what to write instead."""

_SHEETS = {"°C": "degC", "°F": "degF", "%": "percent", "‰": "permille", "cc": "cm3", "qm": "m2", "sqm": "m2"}
_WORDS = {"CFU": "CFU", "count": ""}
"""Units that are counts of something; an empty word: of anything."""
_POWERS = {"square": 2, "sq": 2, "cubic": 3}
_TOKEN = re.compile(
    r"""\s*(?:
      10[*^](?P<ten>[+-]?[0-9]{1,2})(?![0-9])
    | (?P<number>[0-9]{1,6}(?:\.[0-9]{1,6})?)(?![0-9]|\.[0-9]|\s*(?:\*\*|\^)|\*[0-9+-])
    | (?P<name>°[CF]|%|‰|[A-Za-z]*\[[A-Za-z_']+\]|[^\W\d_](?:[^\W\d]*[^\W\d_])?)
      (?:\s*(?:\*\*|\^)\s*(?P<raised>[+-]?[1-9])|(?P<power>[+-]?[1-9])|)(?![0-9]|\s*(?:\*\*|\^))
    | (?P<mark>\*|\.|/|\(|\)(?!\s*(?:[0-9+^-]|\*\*)))
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Meaning:
    """A unit: so many of the SI base units; `plus` of them where its zero is not theirs."""

    factor: Fraction
    dimension: str
    part: str
    """Dimension above the fraction bar: of a part of a whole, what it is a part of."""
    names: tuple[str, ...] = ()
    """Its units without dimension, such as percent or ppm, sorted."""
    words: frozenset[str] = frozenset()
    """What it counts: in braces."""
    plus: Fraction = Fraction(0)


class AmbiguousError(Exception):
    """A unit that stands for different things to different people: what to write instead."""


@lru_cache(maxsize=65_536)
def meaning(text: str) -> Meaning | None:
    """What `text` means, None where it is no unit. AmbiguousError for a name of `TWO_MEANINGS`."""
    if text == PH:
        return Meaning(Fraction(1), PH, PH)
    words = frozenset(BRACES.findall(text))
    plain = re.sub(r"(?<=[^./(*\s])\{[^{}]*\}", "", text)  # beside a unit; else in the place of one
    plain = re.sub(r"\bper\b", "/", BRACES.sub("count", plain)).strip()
    tokens: list[re.Match[str]] = []
    at = 0
    while at < len(plain):
        token = _TOKEN.match(plain, at)
        if token is None:
            return None
        tokens.append(token)
        at = token.end()
    with _LOCK:
        try:
            factor, units, rest = _factors(tokens, 0)
        except (ValueError, ArithmeticError):
            return None
        return None if rest < len(tokens) else _meaning(factor, units, words)


def of(code: str) -> Meaning:
    """What a UCUM code of this package means."""
    found = meaning(code)
    if found is None:
        raise AssertionError(f"{code} is no UCUM code")
    return found


_LOCK = threading.RLock()
"""pint's registry fills caches of its own as it is asked."""


@cache
def _registry() -> Any:
    """pint's units, all factors exact, with those that it lacks."""
    import pint

    registry: Any = pint.UnitRegistry(non_int_type=Fraction, on_redefinition="ignore")
    for name, value in (("ppth", "1e-3"), ("ppb", "1e-9"), ("pptr", "1e-12"), ("NTU", "1"), ("FNU", "1"), ("CFU", "1")):
        registry.define(f"{name} = {value}")
    return registry


_Units = dict[tuple[str, bool], Fraction]
"""Powers of units, those above the fraction bar and those below it: kg/kg is not the same as L/L."""


def _factors(tokens: list[re.Match[str]], at: int) -> tuple[Fraction, _Units, int]:
    """What stands from token `at` to the closing bracket or the end. ValueError where that is no product."""
    factor = Fraction(1)
    units: _Units = {}
    sign, power, is_due = 1, 1, True
    while at < len(tokens) and tokens[at]["mark"] != ")":
        token = tokens[at]
        at += 1
        number = Fraction(1)
        found: _Units = {}
        if token["mark"] and token["mark"] != "(":
            if power != 1 or (is_due and (token["mark"] != "/" or at > 1)):
                raise ValueError("two marks")
            sign, is_due = (-1 if token["mark"] == "/" else 1), True
            continue
        if token["name"] in _POWERS:
            power = _POWERS[token["name"]]
            continue
        if token["mark"]:
            number, found, at = _factors(tokens, at)
            if at >= len(tokens):
                raise ValueError("an open bracket")
            at += 1
        elif token["name"]:
            found = _named(token["name"], power * int(token["raised"] or token["power"] or 1))
            power = 1
        else:
            number = Fraction(10) ** int(token["ten"]) if token["ten"] else Fraction(token["number"])
        if power != 1 or not number:
            raise ValueError("a power of no unit, or nothing")
        factor *= number**sign
        for (name, is_above), value in found.items():
            key = name, is_above == (sign > 0)
            units[key] = units.get(key, Fraction(0)) + sign * value
        is_due = False
        if not (token["number"] and at < len(tokens) and tokens[at]["name"]):
            sign = 1  # `mg/100 g` is by 100 g
    if is_due:
        raise ValueError("nothing")
    return factor, units, at


def _named(name: str, power: int) -> _Units:
    """Powers of pint's own units, for a name."""
    import pint

    if name in TWO_MEANINGS:
        raise AmbiguousError(TWO_MEANINGS[name])
    name = UCUM.get(name) or _SHEETS.get(name, name)
    if name[-1] in "23":
        name, power = name[:-1], power * int(name[-1])
    if "[" in name:
        raise ValueError(name)
    try:
        found = {key: Fraction(value) * power for key, value in _registry().parse_units(name)._units.items()}
    except (pint.PintError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(name) from error
    return {(key, value > 0): value for key, value in found.items()}


def _meaning(factor: Fraction, given: _Units, words: frozenset[str]) -> Meaning | None:
    """What so many of those units are. None where that is no multiple of SI units."""
    import pint

    registry = _registry()
    words |= {_WORDS[name] for name, _ in given if name in _WORDS} - {""}
    names = {name for name, _ in given if name not in _WORDS}
    none = Fraction(0)
    units = {name: given.get((name, True), none) + given.get((name, False), none) for name in names}
    units = {name: value for name, value in units.items() if value}
    container = registry.UnitsContainer
    try:
        if not all(registry._units[registry.get_name(name)].is_multiplicative for name in units):
            return _shifted(factor, units, words)
        bare = {name: value for name, value in units.items() if not registry.get_dimensionality({name: 1})}
        above = {name: value for (name, is_above), value in given.items() if is_above and name not in _WORDS}
        times, _ = registry.get_root_units(container(units))
        whole = _powers(registry.get_dimensionality(container(units)))
        part = _powers(registry.get_dimensionality(container(above))) if above else ""
    except (pint.PintError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return None
    bares = tuple(sorted(name if value == 1 else f"{name} {value}" for name, value in bare.items()))
    return Meaning(factor * Fraction(times), whole, part, bares, words)


def _shifted(factor: Fraction, units: Mapping[str, Fraction], words: frozenset[str]) -> Meaning | None:
    """A temperature by its own zero, which has no multiples; None for logarithms."""
    registry = _registry()
    if len(units) != 1 or factor != 1 or set(units.values()) != {1}:
        return None
    (name,) = units
    if registry._units[registry.get_name(name)].is_logarithmic:
        return None
    zero, one = (Fraction(registry.Quantity(Fraction(n), name).to_root_units().magnitude) for n in (0, 1))
    return Meaning(one - zero, "[temperature]", "[temperature]", (), words, plus=zero)


def _powers(dimension: Any) -> str:
    return " * ".join(f"{key} ** {value}" if value != 1 else key for key, value in sorted(dimension.items()) if value)
