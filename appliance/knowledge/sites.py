"""Which of the clinic's sites a heading names. Knows the sites' names and nothing else; rather says none than a wrong one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from appliance.knowledge.words import fold


def site_spelt(site: str | None, sites: Sequence[str]) -> str | None:
    """A site as the clinic spells it ('main-street' is 'Main Street'); one it does not list stays as it is."""
    if site is None:
        return None
    return next((known for known in sites if _plain(known) == _plain(site)), site)


def site_of_path(path: Sequence[str], sites: Sequence[str]) -> str | None:
    """The site that the innermost heading with a site names."""
    return next((site for heading in reversed(path) if (site := site_of_heading(heading, sites))), None)


def site_of_heading(heading: str | None, sites: Sequence[str]) -> str | None:
    """'Opening hours – North Clinic', 'Hours at Main Street', 'North', 'North院区': exactly one site, as a name of its own."""
    if not heading or len(heading) > _LONGEST:
        return None
    named = [site for site in sites if re.search(_NAMED.format(re.escape(fold(site))), fold(heading))]
    longest = [site for site in named if not any(site != other and fold(site) in fold(other) for other in named)]
    return longest[0] if len(longest) == 1 else None


_LONGEST: Final = 80
_WHAT: Final = r"(?:\s?(?:clinic|site|office|院区|诊所|分院|क्लिनिक))?"
# At the beginning or after a word that points to a place, and with nothing after it but a mark or a place's word.
_NAMED: Final = (
    r"(?:^|[-–—:|,(（：，]\s?|\b(?:at|in|for|en|de|clinic|clinica|sede)\s(?:the\s|la\s|sede\s|clinica\s)*){}"
    + _WHAT
    + r"(?:$|\s?[-–—:|,)）：，]|\s(?:में|पर|के)(?:\s|$))"
)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", fold(name)).strip()
