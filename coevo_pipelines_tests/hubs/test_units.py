"""Units: what people write becomes SI, exactly; what can't be right is refused in words."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.unit_codes import UCUM, meaning, of
from coevo_pipelines.hubs.units import (
    COUNTS,
    LONGEST,
    QUANTITIES,
    Quantity,
    UnitError,
    amount,
    conversion,
    count_unit,
    label,
    shown,
    shown_spread,
    spread_to_si,
    to_si,
    told,
)

EVERY = sorted(QUANTITIES)


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "si"),
    [
        # UCUM codes
        (25, "g/kg", "soil_organic_carbon", 0.025),
        (2.5, "%", "soil_organic_carbon", 0.025),
        (25000, "[ppm]", "soil_organic_carbon", 0.025),
        (25, "[ppth]", "soil_organic_carbon", 0.025),
        (0.025, "1", "soil_organic_carbon", 0.025),
        (25, "g{carbon}/kg{soil}", "soil_organic_carbon", 0.025),
        (8, "t/har", "yield", 0.8),
        (50, "mg/L", "nitrate", 0.05),
        (50, "mg/l", "nitrate", 0.05),
        (20, "Cel", "temperature", 293.15),
        (68, "[degF]", "temperature", 293.15),
        (120, "mm[Hg]", "blood_pressure_systolic", 15998.6864898),
        (1, "mm/d", "precipitation", 1e-3 / 86400),
        (365.25, "mm/a", "precipitation", 1e-3 / 86400),
        (3, "kW.h/(m2.d)", "solar_irradiance", 125),
        (400, "umol/mol", "co2", 4e-4),
        (5, "/m2", "earthworm_density", 5),
        (3, "{CFU}/(100.mL)", "e_coli", 30_000),
        # pint
        (25, "gram/kilogram", "soil_organic_carbon", 0.025),
        (25, "gram / kilogram", "soil_organic_carbon", 0.025),
        (25, "grams per kilogram", "soil_organic_carbon", 0.025),
        (8, "tonne/hectare", "yield", 0.8),
        (20, "degC", "temperature", 293.15),
        (68, "degree_Fahrenheit", "temperature", 293.15),
        (5, "ft", "tree_height", 1.524),
        (5, "cubic meter/hectare", "water_use", 5e-4),
        (18, "km/hour", "wind_speed", 5),
        # as it stands on sheets
        (8, "t/ha", "yield", 0.8),
        (8, "t ha-1", "yield", 0.8),
        (8, "t·ha⁻¹", "yield", 0.8),
        (8, " kg/m² ", "yield", 8),
        (8, "kg/m^2", "yield", 8),
        (8, "kg/m**2", "yield", 8),
        (5000, "m3/ha", "water_use", 0.5),
        (5, "L/m2", "water_use", 0.005),
        (20, "°C", "temperature", 293.15),
        (20, "℃", "temperature", 293.15),
        (68, "°F", "temperature", 293.15),
        (12, "µg/m³", "pm2_5", 1.2e-8),
        (12, "μg/m3", "pm2_5", 1.2e-8),
        (12, "mg/100 g", "soil_phosphorus", 1.2e-4),
        (120, "mm Hg", "blood_pressure_systolic", 15998.6864898),
        (12, "CFU/100 ml", "e_coli", 120_000),
        (12, "MPN/100mL", "e_coli", 120_000),
        (6.5, "pH", "soil_ph", 6.5),
        (6.5, "[pH]", "soil_ph", 6.5),
        (40, "points", "wellbeing_who5", 40),
        (7, "species", "species_richness", 7),
        (7, "People", "participants", 7),
        (7, "{individuals}/m2", "earthworm_density", 7),
        (60, "individuals/min", "pollinator_rate", 1),
        (3, "t CO₂e", "greenhouse_gas", 3000),
    ],
)
def test_what_people_write_becomes_si(value: float, unit: str, quantity: str, si: float) -> None:
    found, code = to_si(value, unit, quantity)
    assert found == pytest.approx(si, rel=1e-12) and code == QUANTITIES[quantity].unit


@pytest.mark.parametrize(
    ("unit", "quantity", "said"),
    [
        (
            "t/ha",
            "soil_organic_carbon",
            r"part of its mass\) in g/kg, % or mg/g \(t/ha is for soil_organic_carbon_stock, yield",
        ),
        ("mL/L", "soil_organic_carbon", "part of its mass"),
        ("mol/mol", "relative_humidity", "in %"),
        ("L/L", "soil_organic_carbon", "part of its mass"),
        ("kg/kg", "soil_moisture", "part of its volume"),
        ("{meal}", "soil_organic_carbon", "part of its mass"),
        ("[NTU]", "soil_organic_carbon", "is for turbidity"),
        ("[FNU]", "turbidity", "is for turbidity_fnu"),
        ("T/ha", "yield", r"did you mean t/ha\?"),
        ("Kg/m2", "yield", r"did you mean kg/m2\?"),
        ("g/Kg", "soil_organic_carbon", r"did you mean g/kg\?"),
        ("C", "temperature", r"did you mean Cel\?"),
        ("Celcius", "temperature", r"did you mean Cel\?"),
        ("F", "temperature", r"did you mean \[degF\]\?"),
        ("gram per kilogramm", "soil_nitrogen", r"did you mean gram/kilogram\?"),
        ("ton/ha", "yield", r"one meaning: t \(1000 kg\), short_ton"),
        ("gallon/m2", "water_use", r"one meaning: \[gal_us\]"),
        ("ppb", "no2", "ug/m3 or mg/m3"),
        ("EUR/ha", "yield", "money is not measured"),
        ("$", "yield", "money is not measured"),
        ("%", "species_richness", "in {species}"),
        ("{meal}", "species_richness", "in {species}"),
        ("[pH]", "temperature", "temperature of the air"),
        ("mol/L", "soil_ph", "in pH"),
        ("dB", "soil_cover", "a unit that is known"),
        ("degC/d", "temperature", "temperature of the air"),
        ("kCel", "temperature", "temperature of the air"),
        ("kg/{person}", "waste", "waste"),
        ("{meal}.kg", "waste", "waste"),
        ("", "yield", "t/ha"),
        ("   ", "yield", "t/ha"),
        ("m" * (LONGEST + 1), "tree_height", "in m or cm"),
        ("kg\x00", "waste", "in kg or t"),
        ("km99999999", "tree_height", "in m or cm"),
        ("m**9**9**9", "tree_height", "in m or cm"),
        ("((km9)9)9", "tree_height", "in m or cm"),
        ("1e999999", "shannon_diversity", "Shannon"),
        ("m**", "tree_height", "in m or cm"),
        ("m23", "tree_height", "in m or cm"),
        ("m//s", "wind_speed", "m/s or km/h"),
        ("m/", "tree_height", "in m or cm"),
        ("(m", "tree_height", "in m or cm"),
        ("m)", "tree_height", "in m or cm"),
        ("square", "tree_height", "in m or cm"),
        ("__class__", "tree_height", "in m or cm"),
        ("0", "shannon_diversity", "Shannon"),
        ("m/0", "tree_height", "in m or cm"),
        ("g/kg", "soil_organic_karbon", r"did you mean soil_organic_carbon\?"),
    ],
)
def test_a_unit_of_something_else_is_refused_in_words(unit: str, quantity: str, said: str) -> None:
    with pytest.raises(UnitError, match=said) as raised:
        to_si(1.0, unit, quantity)
    assert "\n" not in str(raised.value)
    assert raised.value.example in {
        "soil_organic_carbon",
        *(QUANTITIES[quantity].examples if quantity in QUANTITIES else ()),
    }


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "said"),
    [
        (
            250,
            "%",
            "soil_organic_carbon",
            r"found '250 %', expected soil_organic_carbon from 0 to 60 % \(is the unit right",
        ),
        (-1, "t/ha", "yield", "from 0 to 2000 t/ha"),
        (15, "pH", "soil_ph", "from 0 to 14 pH"),
        (293, "Cel", "temperature", "from -93.15 to 61.85 Cel"),
        (120, "Pa", "blood_pressure_systolic", "from 5000 to 40000 Pa"),
        (math.nan, "g/kg", "soil_organic_carbon", "a finite number"),
        (math.inf, "g/kg", "soil_organic_carbon", "a finite number"),
        (10**400, "g/kg", "soil_organic_carbon", "a finite number"),
        pytest.param(10**5000, "g/kg", "soil_organic_carbon", "a finite number", id="huge"),
        (Decimal("NaN"), "g/kg", "soil_organic_carbon", "a finite number"),
        (Decimal("sNaN"), "g/kg", "soil_organic_carbon", "a finite number"),
        ("25", "g/kg", "soil_organic_carbon", "a number for"),
        (None, "g/kg", "soil_organic_carbon", "a number for"),
        (True, "g/kg", "soil_organic_carbon", "a number for"),
        (25, None, "soil_organic_carbon", "a text"),
        (25, "g/kg", None, "a text"),
    ],
)
def test_a_number_that_cannot_be_is_refused(value: Any, unit: Any, quantity: Any, said: str) -> None:
    with pytest.raises(UnitError, match=said):
        to_si(value, unit, quantity)


def test_the_ends_of_what_may_be_are_taken() -> None:
    for quantity in QUANTITIES.values():
        for end in (quantity.low, quantity.high):
            assert to_si(end, quantity.unit, quantity.name) == (end, quantity.unit)
            if abs(end) > 0:
                beyond = end + math.copysign(abs(end) * 1e-9, 1 if end == quantity.high else -1)
                with pytest.raises(UnitError):
                    to_si(beyond, quantity.unit, quantity.name)


def test_a_spread_of_temperatures_knows_no_zero() -> None:
    assert spread_to_si(2, "Cel", "temperature") == 2
    assert spread_to_si(9, "[degF]", "temperature") == 5
    assert spread_to_si(0, "Cel", "temperature") == 0
    assert shown_spread(2, "temperature") == (2, "°C")
    for value in (-1, 1000, math.nan):
        with pytest.raises(UnitError):
            spread_to_si(value, "Cel", "temperature")


@pytest.mark.parametrize("name", EVERY)
def test_each_quantity_is_whole(name: str) -> None:
    quantity = QUANTITIES[name]
    assert isinstance(quantity, Quantity) and quantity.title and quantity.examples
    assert quantity.better in ("up", "down", "none") and isinstance(quantity.health, bool)
    assert math.isfinite(quantity.low) and math.isfinite(quantity.high) and quantity.low < quantity.high
    own = conversion(quantity.unit, name)
    assert (own.times, own.plus, own.by) == (1, 0, 1)
    for unit in (quantity.shown, *quantity.examples, *quantity.same):
        how = conversion(unit, name)
        assert how.times > 0 and how.by > 0
    # what pages write can be read again
    assert not label(quantity.shown) or conversion(label(quantity.shown), name) == conversion(quantity.shown, name)
    value, unit = shown(quantity.high, name)
    assert unit == label(quantity.shown) and to_si(value * (1 - 1e-9), quantity.shown, name)[0] <= quantity.high


def test_there_is_a_quantity_for_what_hubs_measure() -> None:
    asked = """soil_organic_carbon soil_ph soil_nitrogen bulk_density infiltration_rate water_use water_saved yield
        biodiversity_count species_richness pollinator_count pm2_5 pm10 no2 co2 turbidity nitrate e_coli
        dissolved_oxygen water_ph temperature precipitation solar_irradiance wind_speed relative_humidity energy_use
        indoor_temperature textile_reused training_hours people_trained employment_rate bed_nights waiting_time
        wellbeing_who5 blood_pressure_systolic prevalence participants loneliness_ucla3 events_held"""
    assert set(asked.split()) <= set(QUANTITIES)
    health = {name for name in QUANTITIES if QUANTITIES[name].health}
    assert {"wellbeing_who5", "blood_pressure_systolic", "prevalence", "loneliness_ucla3"} <= health
    assert not health & {"yield", "temperature", "waiting_time", "participants"}


@pytest.mark.parametrize(
    ("code", "value", "by"),
    [
        # the standard's table of units (ucum-essence.xml): a value and the code by which it is defined
        ("[ft_i]", "12", "[in_i]"), ("[in_i]", "2.54", "cm"), ("[yd_i]", "3", "[ft_i]"), ("[mi_i]", "5280", "[ft_i]"),
        ("[nmi_i]", "1852", "m"), ("[kn_i]", "1", "[nmi_i]/h"), ("[sin_i]", "1", "[in_i]2"),
        ("[sft_i]", "1", "[ft_i]2"), ("[syd_i]", "1", "[yd_i]2"), ("[cin_i]", "1", "[in_i]3"),
        ("[cft_i]", "1", "[ft_i]3"), ("[cyd_i]", "1", "[yd_i]3"),
        ("[gal_us]", "231", "[in_i]3"), ("[qt_us]", "0.25", "[gal_us]"), ("[pt_us]", "0.5", "[qt_us]"),
        ("[cup_us]", "16", "[tbs_us]"), ("[foz_us]", "0.0625", "[pt_us]"), ("[tbs_us]", "0.5", "[foz_us]"),
        ("[bu_us]", "2150.42", "[in_i]3"), ("[gal_br]", "4.54609", "L"), ("[qt_br]", "0.25", "[gal_br]"),
        ("[pt_br]", "0.5", "[qt_br]"), ("[foz_br]", "0.05", "[pt_br]"), ("[gr]", "64.79891", "mg"),
        ("[lb_av]", "7000", "[gr]"), ("[oz_av]", "0.0625", "[lb_av]"), ("[stone_av]", "14", "[lb_av]"),
        ("[ston_av]", "2000", "[lb_av]"), ("[lton_av]", "2240", "[lb_av]"), ("ar", "100", "m2"), ("har", "100", "ar"),
        ("t", "1000", "kg"), ("L", "1", "dm3"), ("l", "1", "L"), ("min", "60", "s"), ("h", "60", "min"),
        ("d", "24", "h"), ("wk", "7", "d"), ("a", "365.25", "d"), ("mo", "30.4375", "d"), ("bar", "100000", "Pa"),
        ("atm", "101325", "Pa"), ("cal", "4.184", "J"), ("[Cal]", "1", "kcal"), ("%", "1", "10*-2"),
        ("[ppth]", "1", "10*-3"), ("[ppm]", "1", "10*-6"), ("[ppb]", "1", "10*-9"), ("[pptr]", "1", "10*-12"),
        ("kW.h", "3600", "kJ"), ("N", "1", "kg.m/s2"), ("J", "1", "N.m"), ("W", "1", "J/s"), ("S", "1", "/Ohm"),
        ("Ohm", "1", "V/A"),
    ],
)  # fmt: skip
def test_units_mean_what_ucum_says(code: str, value: str, by: str) -> None:
    given, defined = of(code), of(by)
    assert (given.factor, given.dimension) == (defined.factor * Fraction(value), defined.dimension)


@pytest.mark.parametrize("code", sorted(UCUM))
def test_every_code_of_ucum_is_read(code: str) -> None:
    found = meaning(code)
    assert found is not None and found.factor > 0


def test_millimetres_of_mercury_and_acres_are_as_near_as_their_definitions() -> None:
    """UCUM has the one to six digits, and the other by the foot of the survey."""
    assert float(of("mm[Hg]").factor / of("Pa").factor) == pytest.approx(133.322, rel=1e-5)
    assert float(of("[acr_us]").factor / of("m2").factor) == pytest.approx(4046.872609874252, rel=1e-12)
    assert float(of("[psi]").factor / of("Pa").factor) == pytest.approx(6894.757, rel=1e-6)


@given(st.sampled_from(EVERY), st.data())
@settings(max_examples=200, deadline=None)
def test_conversion_has_an_inverse(name: str, data: st.DataObject) -> None:
    quantity = QUANTITIES[name]
    unit = data.draw(st.sampled_from((quantity.shown, *quantity.examples)))
    si = data.draw(st.floats(quantity.low, quantity.high))
    how = conversion(unit, name)
    assert how.si(how.back(si)) == pytest.approx(si, rel=1e-9, abs=1e-12 * quantity.high)
    assert how.spread(1.0) == pytest.approx(how.si(1.0) - how.si(0.0), rel=1e-9, abs=1e-12)


PARTS = st.sampled_from(
    ["kg", "m", "ha", "har", "%", "Cel", "°C", "{x}", "{", "}", "[", "]", "(", ")", "/", ".", "*", "**", "^", "2", "-",
     "9", "10", "per", "square", "[ppm]", "ton", "€", "pH", " ", "'", "1e9", "µ", "count", "degC", "dB", "{CFU}", "0"]
)  # fmt: skip


@given(
    st.one_of(st.text(max_size=70), st.lists(PARTS, max_size=20).map("".join)),
    st.sampled_from(EVERY),
    st.text(max_size=40),
)
@example("{a}{b}", "yield", "1")
@example("{a}/{b}", "species_richness", "1")
@example("m" * 60, "tree_height", "٣")
@example("(" * 60, "tree_height", "1" * 30)
@example("kg.count", "waste", "1_000")
@settings(max_examples=400, deadline=None)
def test_no_text_raises_anything_else(unit: str, quantity: str, number: str) -> None:
    started = time.process_time()
    for attempt in (
        lambda: to_si(1.0, unit, quantity),
        lambda: to_si(1.0, unit, unit),
        lambda: amount(number, unit),
        lambda: amount(number, "kg"),
    ):
        try:
            attempt()
        except UnitError as error:
            assert "\n" not in error.expected and error.expected
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("value", "unit", "thousandths", "code"),
    [
        ("2", "kg", 2000, "kg"),
        ("2000", "g", 2000, "kg"),
        ("0.002", "t", 2000, "kg"),
        (2, "kilogram", 2000, "kg"),
        (Decimal("0.001"), "kg", 1, "kg"),
        ("+2.50", "kg", 2500, "kg"),
        ("1e3", "g", 1000, "kg"),
        ("1.", "kg", 1000, "kg"),
        (".5", "kg", 500, "kg"),
        ("0.5", "L", 500, "L"),
        ("500", "mL", 500, "L"),
        ("1", "m3", 1_000_000, "L"),
        ("20", "min", 20_000, "min"),
        ("1.5", "h", 90_000, "min"),
        ("2", "hours", 120_000, "min"),
        ("1", "d", 1_440_000, "min"),
        ("5", "ft", 1524, "m"),
        ("2", "ha", 20_000_000, "m2"),
        ("2", "square meter", 2000, "m2"),
        ("3", "kWh", 3000, "kW.h"),
        ("3600000", "J", 1000, "kW.h"),
        ("3", "{meal}", 3000, "{meal}"),
        ("3", "meals", 3000, "{meal}"),
        ("3", "{Meals}", 3000, "{meal}"),
        ("1", "bed night", 1000, "{bed_night}"),
        ("1", "{bed-nights}", 1000, "{bed_night}"),
        ("2", "people", 2000, "{person}"),
        ("2", "loaves", 2000, "{loaf}"),
        ("1", "{décor}", 1000, "{décor}"),
        ("0.5", "{portion}", 500, "{portion}"),
        ("1000000000", "kg", 10**12, "kg"),
    ],
)
def test_amounts_are_exact_thousandths(value: Any, unit: str, thousandths: int, code: str) -> None:
    found = amount(value, unit)
    assert found == (thousandths, code) and type(found[0]) is int
    assert count_unit(unit) == code and count_unit(code) == code


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("10", "lb", "whole thousandths of kg: round it, such as 4.536 kg"),
        ("1e-5", "kg", "round it, such as 0.001 kg"),
        ("0.0005", "kg", "round it, such as 0.001 kg"),
        ("0", "kg", "a number above 0"),
        ("-1", "kg", "a number above 0"),
        ("12,5", "kg", "with a decimal point"),
        ("1'000", "kg", "nothing between thousands"),
        ("ten", "kg", "found 'ten', expected a number above 0, such as 12.5"),
        ("", "kg", "a number above 0"),
        ("nan", "kg", "a number above 0"),
        ("inf", "kg", "a number above 0"),
        ("1e99", "kg", "at most 1,000,000,000 kg"),
        ("1e999999999", "kg", "a number above 0"),
        ("1000000000.001", "kg", "at most"),
        ("٣", "kg", "a number above 0"),
        (True, "kg", "a number above 0"),
        (2.5, "kg", "a number above 0"),
        pytest.param(10**5000, "kg", "a number above 0", id="huge"),
        (Decimal("NaN"), "kg", "a number above 0"),
        (Decimal("1e999999"), "kg", "a number above 0"),
        ("5", "EUR", "money is not matched"),
        ("5", "kg/d", "the amount for the whole time, no rate"),
        ("5", "{meal}/d", "no rate"),
        ("5", "°C", "a unit of mass"),
        ("5", "%", "a unit of mass"),
        ("5", "g/kg", "a unit of mass"),
        ("5", "ton", "one meaning"),
        ("5", "pint", "one meaning"),
        ("5", "ct", "one meaning"),
        ("5", "kt", "one meaning"),
        ("5", "mealz", r"did you mean \{meal\}\?"),
        ("5", "KG", r"did you mean kg\?"),
        ("5", "{}", "in braces a word"),
        ("5", "{1st}", "in braces a word"),
        ("5", "{a b/c}", "in braces a word"),
        ("5", "{" + "a" * 41 + "}", "in braces a word"),
        ("5", "", "a unit of 1 to 60 characters"),
        ("5", None, "a unit of mass"),
        ("5", "{meal", "a unit of mass"),
        ("5", "10*6{meal}", "a unit of mass"),
    ],
)
def test_amounts_that_cannot_be_are_refused(value: Any, unit: Any, said: str) -> None:
    with pytest.raises(UnitError, match=said):
        amount(value, unit)


def test_nothing_may_have_been_received() -> None:
    assert amount("0", "kg", zero=True) == (0, "kg")
    with pytest.raises(UnitError, match="from 0"):
        amount("-1", "kg", zero=True)


@given(st.integers(1, 10**12), st.sampled_from(["kg", "m", "m2", "L", "min", "kW.h", "{meal}", "{x}"]))
@settings(max_examples=200, deadline=None)
def test_amounts_go_there_and_back(thousandths: int, unit: str) -> None:
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}"
    assert amount(text, unit) == (thousandths, unit)
    number, _, name = told(thousandths, unit).partition(" ")
    assert amount(number, name if name in ("kg", "m", "L", "min") or name in COUNTS else unit) == (thousandths, unit)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_amounts_add_up(one: int, other: int) -> None:
    a, b, both = (amount(str(n), "g", zero=True)[0] for n in (one, other, one + other))
    assert a + b == both


@pytest.mark.parametrize(
    ("thousandths", "unit", "text"),
    [
        (2500, "kg", "2.5 kg"),
        (2000, "{meal}", "2 meals"),
        (1000, "{meal}", "1 meal"),
        (1500, "{bed_night}", "1.5 bed nights"),
        (1000, "{person}", "1 person"),
        (3000, "{person}", "3 people"),
        (2000, "{box}", "2 boxes"),
        (2000, "{zither}", "2 zither"),
        (1, "kW.h", "0.001 kWh"),
        (0, "m2", "0 m²"),
        (-1500, "L", "-1.5 L"),
    ],
)
def test_amounts_are_told_as_people_write_them(thousandths: int, unit: str, text: str) -> None:
    assert told(thousandths, unit) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("t/har", "t/ha"), ("m3/(har.a)", "m³/(ha·a)"), ("Cel", "°C"), ("ug/m3", "µg/m³"), ("[ppm]", "ppm"), ("1", ""),
        ("{individual}/m2", "individuals/m²"), ("{CFU}/dL", "CFU/100 mL"), ("kW.h/(m2.a)", "kWh/(m²·a)"),
        ("{species}", "species"), ("{score}", "points"), ("[pH]", "pH"), ("%", "%"), ("uS/cm", "µS/cm"),
    ],
)  # fmt: skip
def test_labels_are_as_people_write_them(unit: str, text: str) -> None:
    assert label(unit) == text


def test_a_million_conversions_take_seconds() -> None:
    to_si(25.0, "g/kg", "soil_organic_carbon")
    started = time.process_time()
    for _ in range(100_000):
        to_si(25.0, "g/kg", "soil_organic_carbon")
    assert time.process_time() - started < 1.5
    started = time.process_time()
    for _ in range(20_000):
        with pytest.raises(UnitError):
            to_si(25.0, "T/ha", "yield")
    assert time.process_time() - started < 3


def test_a_code_of_the_package_that_is_none_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        of("no such")
