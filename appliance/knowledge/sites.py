"""The clinic's sites: which they are, what they are called, and which of them a heading or a sentence speaks of.

Knows names only. Rather says none than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from appliance.knowledge.places import Listed, names_of, word_of_place
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import Language

Called = Mapping[str, str]
"""Every name of a site, with the site: its own name, and those that other languages have for it."""
Mentions = Callable[[str], AbstractSet[str]]
"""The documents that name something."""


def sites_of(told: Sequence[str], places: Iterable[tuple[str, Language, Listed]], mentions: Mentions) -> dict[str, str]:
    """The sites that documents tell in so many words (front matter), then those found in lists of places.

    A place counts where two documents or more name it, and another was found beside it: in its list, or on a page like its own.
    Of lists that have nothing in common only that counts of which most documents speak.
    """
    called = {site: site for site in told}
    groups = _same_places(places)
    naming = {name: mentions(name) for group in groups for _, _, one in group for name in one.names}
    pages = [group for group in groups if all(one.alone for _, _, one in group)]
    for group in _of_one_clinic(groups, naming):
        names = dict.fromkeys(name for _, _, one in group for name in one.names)
        if (group in pages and len(pages) + len(told) < _AT_LEAST) or any(_unclear(one, told) for one in names):
            continue
        if len(_documents(group, naming)) >= _AT_LEAST:
            _add(called, sorted(names, key=lambda name: -len(naming[name])))
    return called


def site_spelt(site: str | None, sites: Iterable[str]) -> str | None:
    """A site as the clinic spells it ('main-street' is 'Main Street'); one it does not list stays as it is."""
    if site is None:
        return None
    return next((known for known in sites if _plain(known) == _plain(site)), site)


def site_of_path(path: Sequence[str], called: Called) -> str | None:
    """The site that the innermost heading with a site names."""
    return next((site for heading in reversed(path) if (site := site_of_heading(heading, called))), None)


def site_of_heading(heading: str | None, called: Called) -> str | None:
    """'Opening hours – North Clinic', 'Hours at Main Street', 'North', 'North院区': exactly one site, as a name of its own."""
    if not heading or len(heading) > _LONGEST:
        return None
    return _only(called, fold(heading), _NAMED)


def site_of_sentence(text: str, called: Called) -> str | None:
    """The site with which a row, an item or a sentence begins, if it names no other: 'Pier Street — Saturday', 'At North …'."""
    begun = {site for name, site in called.items() if re.match(_BEGINS.format(re.escape(name)), text)}
    if not begun:
        return None
    folded = fold(text)
    named = {site for name, site in called.items() if pattern([name]).search(folded)}
    return begun.pop() if named == begun and len(begun) == 1 else None


def sites_named(text: str, sites: Iterable[str]) -> frozenset[str]:
    """Those that a text names: in full, or by a first word that is long enough to be a name ('north', 'cedar')."""
    folded = fold(text)
    return frozenset(site for site in sites if pattern(spoken(site)).search(folded))


def spoken(site: str, *, long_enough: int = 5) -> tuple[str, ...]:
    """How people say it: in full or by the first word, but never 'Clínica' for 'Clínica Norte'."""
    whole = fold(site)
    first = whole.split()[0]
    return (whole, first) if len(first) >= long_enough and first != whole and not word_of_place(first) else (whole,)


def in_one_name(text: str, called: Called) -> str:
    """The text with the clinic's own name for a site that it calls otherwise: 北门诊所 as Northgate."""
    for other in sorted((name for name, site in called.items() if name != site), key=len, reverse=True):
        if not sites_named(text, {called[other]}):
            text = re.sub(_bounded(other), called[other], text, flags=re.IGNORECASE)
    return text


# ---- which places are sites ------------------------------------------------------------------------------------------

_Group = list[tuple[str, Language, Listed]]
_AT_LEAST: Final = 2
_A_PAGE: Final = ""
"""Stands for the list that pages of single sites make up together."""


def _of_one_clinic(groups: Sequence[_Group], naming: Mapping[str, AbstractSet[str]]) -> list[_Group]:
    """The places most spoken of, with those listed beside them: who else has an address here (shelters, partners) is no site."""
    if not groups:
        return []
    own = [max(groups, key=lambda group: len(_documents(group, naming)))]
    lists = _lists(own[0])
    while more := [group for group in groups if group not in own and _lists(group) & lists]:
        own += more
        lists = lists.union(*map(_lists, more))
    return [group for group in groups if group in own]


def _lists(group: _Group) -> set[str]:
    return {_A_PAGE if one.alone else document for document, _, one in group}


def _documents(group: _Group, naming: Mapping[str, AbstractSet[str]]) -> set[str]:
    """All that list or name the place."""
    listing = {document for document, _, _ in group}
    return listing.union(*(naming[name] for _, _, one in group for name in one.names))


def _same_places(places: Iterable[tuple[str, Language, Listed]]) -> list[_Group]:
    """Listed under the same name, or in two languages at the same address."""
    groups: list[_Group] = []
    for place in places:
        same = [group for group in groups if any(_same(place, other) for other in group)]
        groups = [group for group in groups if group not in same] + [[*(one for group in same for one in group), place]]
    return groups


def _same(one: tuple[str, Language, Listed], other: tuple[str, Language, Listed]) -> bool:
    if {_plain(name) for name in one[2].names} & {_plain(name) for name in other[2].names}:
        return True
    return one[1] != other[1] and one[2].address == other[2].address


def _add(called: dict[str, str], names: Sequence[str]) -> None:
    """A site with its names; one that is known keeps the name by which it is known, and what might be two is left out."""
    known = {called[name] for name in called for new in names if _same_name(name, new)}
    if len(known) > 1:
        return
    site = next(iter(known), names[0])
    for name in (site, *names):
        if all(_plain(name) != _plain(other) for other in called):
            called[name] = site


def _same_name(one: str, other: str) -> bool:
    """'North' and 'North Clinic' are one."""
    mine, theirs = ({_plain(name) for name in (text, *names_of(text))} for text in (one, other))
    return bool(mine & theirs)


def _unclear(name: str, told: Sequence[str]) -> bool:
    """Whether 'Cedar Children' is the 'Cedar' that a document tells, or another, nobody knows."""
    pairs = [(f"{_plain(name)} ", f"{_plain(site)} ") for site in told if not _same_name(name, site)]
    return any(one.startswith(other) or other.startswith(one) for one, other in pairs)


# ---- where a site is named -------------------------------------------------------------------------------------------


def _only(called: Called, folded: str, where: str) -> str | None:
    """The one site that stands at such a place of the text; of 'North' and 'North Hill' the longer."""
    named = [name for name in called if re.search(where.format(re.escape(fold(name))), folded)]
    longest = [name for name in named if not any(name != other and fold(name) in fold(other) for other in named)]
    sites = {called[name] for name in longest}
    return sites.pop() if len(sites) == 1 else None


def _bounded(name: str) -> str:
    return re.escape(name) if _HAN.search(name) else rf"(?<!\w){re.escape(name)}(?!\w)"


_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LONGEST: Final = 80
_WHAT: Final = (
    r"(?:\s?(?:clinic|site|office|院区|诊所|分院|क्लिनिक))?"
    r"(?:\s(?:opening\s|office\s)?hours|的?(?:营业|开放|门诊)?时间|地址)?"
)
_PLACED: Final = r"\b(?:at|in|for|en|de|clinic|clinica|sede)\s(?:the\s|la\s|sede\s|clinica\s|de\s)*"
# At the beginning or after a word that points to a place, and with nothing after it but a mark or a place's word.
_NAMED: Final = (
    rf"(?:^|[-–—:|,(（：，]\s?|{_PLACED}){{}}" + _WHAT + r"(?:$|\s?[-–—:|,(（)）：，/]|\s(?:में|पर|के|का|की)(?:\s|$))"
)
# "North Street" is no North, so no capital may follow.
_BEGINS: Final = (
    r"(?i:(?:(?:at|in|en|the|la|el|在|我们的)\s?)*(?:(?:sede|clínica|clinic|de|del)\s)*{})(?![a-z0-9]|\s?[A-Z])"
)


def _plain(name: str) -> str:
    return re.sub(r"[^\w\u0900-\u097f]+|_", " ", fold(name)).strip()
