"""What must not be published: where private homes are, who persons are, and aggregates of too few of them."""

from __future__ import annotations

import math
import re

KM_PER_DEGREE = 111.195
"""Of latitude, on a sphere with the Earth's mean radius of 6,371.0088 km."""


def cell_centre(latitude: float, longitude: float, km: float) -> tuple[float, float]:
    """The centre of the grid's cell that a place lies in, in degrees; cells are at least `km` high and wide.

    The grid is fixed to the globe: rows of equal height from pole to pole, each divided into equal cells. So all
    places in a cell get the same centre, a centre is its own, and asking many times tells no more.
    """
    rows = max(1, math.floor(180 * KM_PER_DEGREE / km))
    row = min(rows - 1, max(0, math.floor((latitude + 90) / 180 * rows)))
    centre = (row + 0.5) * 180 / rows - 90
    cells = max(1, math.floor(360 * KM_PER_DEGREE * math.cos(math.radians(centre)) / km))
    cell = min(cells - 1, max(0, math.floor((longitude + 180) / 360 * cells)))
    return round(centre, 6), round((cell + 0.5) * 360 / cells - 180, 6)


_PERSONAL = frozenset(
    (
        "name", "surname", "forename", "firstname", "lastname", "fullname", "nickname", "initials", "username",
        "patient", "patients", "client", "person", "email", "mail", "phone", "telephone", "tel", "mobile", "cell",
        "fax", "street", "address", "addr", "postcode", "zip", "zipcode", "housenumber", "birth", "birthday",
        "birthdate", "dob", "ssn", "passport", "iban", "vorname", "nachname", "familienname", "geburtstag",
        "geburtsdatum", "telefon", "handy", "anschrift", "adresse", "strasse", "straße", "plz", "hausnummer",
        "patientin", "teilnehmer", "teilnehmerin", "klient", "klientin", "nom", "prenom", "prénom", "naissance",
        "adresse", "téléphone", "nombre", "apellido", "apellidos", "nacimiento", "correo", "teléfono", "direccion",
        "dirección",
    )
)  # fmt: skip
"""Words in the name of a column that speak of a person."""
_NO_PERSON = frozenset(
    (
        "species", "common", "scientific", "plant", "crop", "variety", "item", "practice", "site", "plot", "plots",
        "bed", "tree", "station", "sample", "place", "hub", "unit", "stand", "soil", "compost", "taxon", "layer",
        "mac", "ip",
    )
)  # fmt: skip
"""Words beside them by which they speak of something else: the name of a species, the age of a stand."""
_ALWAYS = frozenset({"patient", "patients", "email", "birth", "birthday", "dob", "surname", "phone"})


def is_about_a_person(column: str, role: str = "measurements") -> bool:
    """A column's name says that it tells persons apart: name, e-mail, phone, birth, patient_id, address, …"""
    spaced = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", column)
    words = re.findall(r"[^\W\d_]+", spaced.casefold())
    if role != "measurements" and column in {"id", "item", "people"}:
        return False
    found = [word for word in words if word in _PERSONAL]
    if not found:
        return False
    return any(word in _ALWAYS for word in found) or not any(word in _NO_PERSON for word in words)


_OF_PEOPLE = frozenset({"{person}", "{score}", "{consultation}"})
_ABOUT_PEOPLE = frozenset({"waiting_time", "employment_rate", "completion_rate"})


def needs_people(quantity: str, kind: str) -> bool:
    """Rows with this quantity must say of how many people they are: all about health, and in a hub for health care
    all about people."""
    from coevo_pipelines.hubs.units import QUANTITIES

    known = QUANTITIES[quantity]
    about = known.unit in _OF_PEOPLE or quantity in _ABOUT_PEOPLE
    return bool(known.health) or (kind == "health_care" and about)
