"""What the elements of a text say to those who do not see them, by primary language; others hear
English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """The names of a table and of the notes below a text, and of the way from a note back."""

    table: str
    notes: str
    back: str


ENGLISH = Said("Table", "Footnotes", "Back to the text")
LANGUAGES: Mapping[str, Said] = {
    "en": ENGLISH,
    "tr": Said("Tablo", "Dipnotlar", "Metne dön"),
    "de": Said("Tabelle", "Fußnoten", "Zurück zum Text"),
    "fr": Said("Tableau", "Notes de bas de page", "Retour au texte"),
    "es": Said("Tabla", "Notas al pie", "Volver al texto"),
    "ar": Said("جدول", "الحواشي", "العودة إلى النص"),
}


def said_in(language: str) -> Said:
    """Those of a BCP 47 tag."""
    return LANGUAGES.get(language.partition("-")[0].lower(), ENGLISH)
