"""Hold every text of the page, each in English, German and French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "de", "fr"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de", "fr")
NAMES: Final[Mapping[Language, str]] = {"en": "English", "de": "Deutsch", "fr": "Français"}

TEXTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "title": ("Solar", "Solar", "Solaire"),
    "invented": ("Invented data", "Erfundene Daten", "Données inventées"),
    "now": ("Now", "Jetzt", "Maintenant"),
    "today": ("Today", "Heute", "Aujourd’hui"),
    "sun": ("Sun", "Sonne", "Soleil"),
    "house": ("House", "Haus", "Maison"),
    "grid": ("Grid", "Netz", "Réseau"),
    "battery": ("Battery", "Batterie", "Batterie"),
    "import": ("from the grid", "Bezug", "soutirage"),
    "export": ("to the grid", "Einspeisung", "injection"),
    "charging": ("charging", "lädt", "charge"),
    "discharging": ("discharging", "entlädt", "décharge"),
    "idle": ("idle", "ruht", "au repos"),
    "off-grid": ("off the grid", "ohne Netz", "hors réseau"),
    "made": ("Produced", "Erzeugt", "Produit"),
    "used": ("Used", "Verbraucht", "Consommé"),
    "bought": ("Bought", "Bezogen", "Acheté"),
    "sold": ("Sold", "Eingespeist", "Vendu"),
    "charged": ("Charged", "Geladen", "Chargé"),
    "discharged": ("Discharged", "Entladen", "Déchargé"),
    "own_use": ("Own use", "Eigenverbrauch", "Autoconsommation"),
    "self_sufficient": ("Self-sufficient", "Autark", "Autonomie"),
    "own_used": ("Used or stored", "Selbst genutzt", "Utilisé sur place"),
    "own_made": ("From sun and battery", "Von Sonne und Batterie", "Du soleil et de la batterie"),
    "since": ("since {time}", "seit {time}", "depuis {time}"),
    "cost": ("Cost of the grid", "Netzkosten", "Coût du réseau"),
    "cost_part": (
        "{cost} paid, {income} earned",
        "{cost} bezahlt, {income} verdient",
        "{cost} payés, {income} gagnés",
    ),
    "saved": ("Saved", "Gespart", "Économisé"),
    "curve": ("Power today", "Leistung heute", "Puissance aujourd’hui"),
    "curve_begins": (
        "The curve grows with each minute; it begins with the second reading.",
        "Die Kurve wächst mit jeder Minute; sie beginnt mit dem zweiten Messwert.",
        "La courbe grandit chaque minute ; elle commence à la deuxième mesure.",
    ),
    "whole": ("The whole site", "Die ganze Anlage", "Toute l’installation"),
    "whole_days": (
        "The whole site, last fourteen days",
        "Die ganze Anlage, letzte vierzehn Tage",
        "Toute l’installation, les quatorze derniers jours",
    ),
    "gateways_heard": (
        "{heard} of {all} gateways heard",
        "{heard} von {all} Gateways gehört",
        "{heard} passerelles sur {all} répondent",
    ),
    "lacking": ("No sum without: {what}", "Keine Summe ohne: {what}", "Pas de somme sans : {what}"),
    "days": ("Last fourteen days", "Letzte vierzehn Tage", "Les quatorze derniers jours"),
    "months": ("Last twelve months", "Letzte zwölf Monate", "Les douze derniers mois"),
    "day": ("Day", "Tag", "Jour"),
    "roof": ("The roof", "Das Dach", "Le toit"),
    "roof_note": (
        "Energy of the day, compared with the median of the panel’s group",
        "Energie des Tages, verglichen mit dem Median der Gruppe",
        "Énergie du jour, comparée à la médiane du groupe",
    ),
    "roof_plain": (
        "Energy of the day, compared with the median of all panels",
        "Energie des Tages, verglichen mit dem Median aller Module",
        "Énergie du jour, comparée à la médiane de tous les panneaux",
    ),
    "dark": (
        "No inverter has reported within the last hour. Inverters report only in daylight.",
        "In der letzten Stunde hat kein Wechselrichter gemeldet. Sie melden nur bei Tageslicht.",
        "Aucun onduleur n’a répondu depuis une heure. Ils ne répondent que de jour.",
    ),
    "last_report": ("Last report: {time}.", "Letzte Meldung: {time}.", "Dernière réponse : {time}."),
    "producing": (
        "{producing} of {all} producing",
        "{producing} von {all} erzeugen",
        "{producing} sur {all} produisent",
    ),
    "silent": ("silent", "stumm", "muet"),
    "panel": ("Panel", "Modul", "Panneau"),
    "group": ("Group", "Gruppe", "Groupe"),
    "power": ("Power", "Leistung", "Puissance"),
    "energy": ("Energy", "Energie", "Énergie"),
    "ratio": ("Of its group", "Von der Gruppe", "Du groupe"),
    "week": ("7 days", "7 Tage", "7 jours"),
    "table": ("As a table", "Als Tabelle", "En tableau"),
    "charge": ("Charge", "Ladung", "Charge"),
    "stored": ("{energy} of {capacity}", "{energy} von {capacity}", "{energy} sur {capacity}"),
    "reserve": ("Reserve {percent}", "Reserve {percent}", "Réserve {percent}"),
    "health": ("Health {percent}", "Zustand {percent}", "Santé {percent}"),
    "wrong": ("What is wrong now", "Was gerade nicht stimmt", "Ce qui ne va pas"),
    "well": ("Everything is well.", "Alles ist in Ordnung.", "Tout va bien."),
    "try": ("Try", "Abhilfe", "Solution"),
    "missing": ("{values}: absent since {time}", "{values}: fehlt seit {time}", "{values} : absent depuis {time}"),
    "silent_panel": (
        "{panel} has been silent for {days} days",
        "{panel} ist seit {days} Tagen stumm",
        "{panel} est muet depuis {days} jours",
    ),
    "silent_panel_day": (
        "{panel} has been silent for a day",
        "{panel} ist seit einem Tag stumm",
        "{panel} est muet depuis un jour",
    ),
    "silent_cure": (
        "look for snow on it; without snow have its fuse, its connector and its inverter checked.",
        "nach Schnee darauf sehen; ohne Schnee Sicherung, Stecker und Wechselrichter prüfen lassen.",
        "voir s’il est couvert de neige ; sinon faire vérifier le fusible, le connecteur et l’onduleur.",
    ),
    "weak_panel": (
        "{panel} has been weak on {days} sunny days in a row",
        "{panel} war an {days} sonnigen Tagen nacheinander schwach",
        "{panel} a été faible pendant {days} jours de soleil de suite",
    ),
    "weak_cure": (
        "look for dirt, leaves and new shade on it.",
        "nach Schmutz, Laub und neuem Schatten sehen.",
        "chercher la saleté, les feuilles et une ombre nouvelle.",
    ),
    "live": ("live", "live", "en direct"),
    "stale": ("no reading for {age}", "seit {age} kein Messwert", "aucune mesure depuis {age}"),
    "age_days": ("{count} days", "{count} Tagen", "{count} jours"),
    "first": ("waiting for the first reading", "wartet auf den ersten Messwert", "en attente de la première mesure"),
    "cut_off": ("connection lost", "Verbindung verloren", "connexion perdue"),
    "unmetered": (
        "House and grid are not metered here.",
        "Haus und Netz werden hier nicht gemessen.",
        "La maison et le réseau ne sont pas mesurés ici.",
    ),
    "nothing": ("Nothing is recorded yet.", "Noch ist nichts aufgezeichnet.", "Rien n’est encore enregistré."),
    "skip": ("To the readings", "Zu den Messwerten", "Aux mesures"),
    "sites": ("Sites", "Anlagen", "Sites"),
    "site": ("Site {number}", "Anlage {number}", "Site {number}"),
    "language": ("Language", "Sprache", "Langue"),
    "recorded_by": ("Recorded by", "Aufgezeichnet von", "Enregistré par"),
    "api": ("JSON API", "JSON-API", "API JSON"),
}
"""Name → the texts in the order of LANGUAGES."""

WEEKDAYS: Final[Mapping[Language, str]] = {
    "en": "Mon Tue Wed Thu Fri Sat Sun",
    "de": "Mo Di Mi Do Fr Sa So",
    "fr": "lun. mar. mer. jeu. ven. sam. dim.",
}
MONTHS: Final[Mapping[Language, str]] = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}
"""Language → the short names of the months, in order, separated by spaces."""


def choose_language(accepted: str) -> Language:
    """Return the page's language that an Accept-Language header prefers; English without a known language."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accepted.lower().split(",")[:20]:
        name, _, weight = part.strip().partition(";")
        language = next((each for each in LANGUAGES if name.partition("-")[0].strip() == each), None)
        if language is not None and (weighed := _read_weight(weight)) > best[0]:
            best = weighed, language
    return best[1]


def _read_weight(text: str) -> float:
    name, _, number = text.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(number) if name == "q" else 0.0
    except ValueError:
        return 0.0
