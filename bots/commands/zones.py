"""Time zones by name or city, and times as people read them. Pure."""

import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from bots.rules.tokens import tokens

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NO_CITIES = frozenset({"Etc", "US", "Canada", "Brazil", "Chile", "Mexico", "SystemV", "Arctic"})
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "Africa/Cairo": "egypt",
        "Africa/Johannesburg": "south africa, cape town, durban, pretoria",
        "Africa/Lagos": "nigeria, abuja",
        "Africa/Nairobi": "kenya",
        "America/Argentina/Buenos_Aires": "argentina",
        "America/Chicago": "dallas, houston, austin, texas, new orleans, minneapolis, st louis, san antonio",
        "America/Denver": "salt lake city, albuquerque, colorado",
        "America/Los_Angeles": "san francisco, seattle, san diego, california, las vegas, portland, silicon valley",
        "America/Mexico_City": "mexico",
        "America/New_York": "boston, washington, washington dc, miami, philadelphia, atlanta, nyc, orlando",
        "America/Sao_Paulo": "rio, rio de janeiro, brasilia",
        "America/Toronto": "ottawa, quebec",
        "America/Vancouver": "victoria",
        "America/Edmonton": "calgary",
        "Asia/Dubai": "abu dhabi",
        "Asia/Jerusalem": "israel, haifa",
        "Asia/Karachi": "pakistan, islamabad, lahore",
        "Asia/Kolkata": "india, delhi, new delhi, mumbai, bombay, bangalore, bengaluru, chennai, hyderabad, pune",
        "Asia/Manila": "philippines",
        "Asia/Riyadh": "mecca, jeddah",
        "Asia/Seoul": "korea, south korea, busan",
        "Asia/Shanghai": "china, beijing, peking, shenzhen, guangzhou, 北京, 上海",
        "Asia/Taipei": "台北",
        "Asia/Tokyo": "osaka, kyoto, 东京, 東京",
        "Asia/Ho_Chi_Minh": "hanoi, vietnam",
        "Asia/Bangkok": "thailand",
        "Asia/Jakarta": "indonesia",
        "Australia/Sydney": "canberra",
        "Europe/Amsterdam": "netherlands, rotterdam, the hague",
        "Europe/Athens": "greece, athen",
        "Europe/Berlin": "germany, deutschland, munich, münchen, hamburg, frankfurt, cologne, köln, stuttgart",
        "Europe/Brussels": "belgium, brüssel",
        "Europe/Kyiv": "ukraine, odesa, lviv",
        "Europe/London": "england, uk, manchester, edinburgh, glasgow, cambridge, oxford, wales, scotland",
        "Europe/Lisbon": "porto, lisboa",
        "Europe/Madrid": "spain, españa, barcelona, valencia, sevilla",
        "Europe/Moscow": "st petersburg, saint petersburg, moskau",
        "Europe/Paris": "france, lyon, marseille, toulouse, bordeaux",
        "Europe/Prague": "prag, brno, czech republic",
        "Europe/Rome": "italy, milan, milano, roma, rom, naples, turin, florence, venice",
        "Europe/Vienna": "austria, wien, graz, salzburg",
        "Europe/Warsaw": "krakow, gdansk, warschau",
        "Europe/Zurich": "switzerland, geneva, genf, bern, basel, zürich",
        "Pacific/Honolulu": "hawaii",
    }
)
"""Whereabouts that no zone is named after."""


@cache
def _places() -> Mapping[str, str]:
    """Each known place in its compared form, with its zone."""
    places: dict[str, str] = {}
    zones = sorted(zoneinfo.available_timezones() - _NO_ZONES, key=lambda zone: (zone.count("/"), zone))
    for zone in zones:
        places.setdefault(_compared(zone), zone)
        area, _, city = zone.rpartition("/")
        if area and area.partition("/")[0] not in _NO_CITIES:
            places.setdefault(_compared(city), zone)
    for zone, others in _OTHERS.items():
        places |= {_compared(each): zone for each in others.split(", ") if zone in zones}
    return MappingProxyType(places)


def _compared(place: str) -> str:
    return " ".join(each.word for each in tokens(place.replace("_", " ")).words)


def find(place: str) -> ZoneInfo | None:
    """The zone called `place`, or of the city or country called so; None: there is none that I know."""
    zone = _places().get(_compared(place)) if len(place) <= 60 else None
    return None if zone is None else ZoneInfo(zone)


def known(zone: str) -> str:
    """`zone`, if it is one. Raises ValueError."""
    found = find(zone)
    if found is None:
        raise ValueError(f"{zone[:40]!r} is no time zone, such as Europe/Berlin")
    return found.key


def local(seconds: float, zone: ZoneInfo) -> datetime:
    """The time `seconds` since the epoch, as clocks show it in `zone`."""
    return datetime.fromtimestamp(seconds, zone)


def in_full(seconds: float, zone: ZoneInfo) -> str:
    """ "Friday, 27 November 2026, 21:30 (CET, UTC+1)"."""
    at = local(seconds, zone)
    name = at.tzname() or ""
    shown = f"{name}, " if name.isalpha() and name != "UTC" else ""
    return f"{DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} ({shown}{_offset(at)})"


def soon(seconds: float, now: float, zone: ZoneInfo) -> str:
    """`seconds`, as short as it is clear at `now`: "today 18:00", "Monday 09:00", "24 December 2026 18:00"."""
    at, today = local(seconds, zone), local(now, zone).date()
    days = (at.date() - today).days
    if days in (-1, 0, 1):
        return f"{('yesterday', 'today', 'tomorrow')[days + 1]} {at:%H:%M}"
    day = DAYS[at.weekday()] if 1 < days < 7 else f"{at.day} {_MONTHS[at.month - 1]} {at.year}"
    return f"{day} {at:%H:%M}"


def _offset(at: datetime) -> str:
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
