"""Writes out in words what a voice would read wrongly: numbers, times, dates, money, phones, doses, codes, addresses.

What is short for what stands in ``spoken/*.toml``. Each rule takes a text and gives it back; they stand below in the order
in which they are tried, the most particular first. Knows nothing of voices.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from voice.counting import before_noun, cardinal, decimal, digits, feminine, ordinal, table, year
from voice.markup import addresses, plain
from voice.moments import dates, times

NUMBER = r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?"
_SPAN = rf"(?<![\w.,$€£₹¥-])(?P<from>{NUMBER})(?:\s*[-–—~～]\s*(?P<to>{NUMBER}))?"
_HAN = "[㐀-鿿]"
_LETTER = r"[^\W\d_]|[\u0900-\u0963]"
_WORD = rf"(?:{_LETTER})+"
"""Devanagari writes vowels as marks, which are no letters to `re`."""
_SENTENCE_END = re.compile(r"\s+([,.;:!?।])")


def spoken(text: str, language: str) -> str:
    """``text`` as it is said; Chinese, English, Hindi or Spanish. What needs no change comes back as it is."""
    text = re.sub(r"(?<![0-9A-Za-zÀ-ÿ.,])\.(?=\d)", "0.", plain(text))  # ".5 mg" is not five
    if language == "zh":  # a character counts as part of a word: numbers are set apart from what they stand beside
        text = re.sub(rf"(?<={_HAN})(?=[A-Za-z\d$€£¥￥+-])|(?<=[A-Za-z\d%℃℉°])(?={_HAN})", " ", text)
    for rule in _RULES:
        text = rule(text, language)
    return re.sub(rf"(?<={_HAN}) +(?={_HAN})", "", text) if language == "zh" else text


# ---- the rules ----------------------------------------------------------------------------------------------------


def compared(text: str, language: str) -> str:
    """``<2 years``, ``≥ 38 °C``, ``± 0.5``: a sign that is lost turns the limit of a dose around."""
    signs = table(language).compared
    text = re.sub(r"[<＜]\s?=|⩽|≦", "≤", re.sub(r"[>＞]\s?=|⩾|≧", "≥", text))
    text = text.replace("＜", "<").replace("＞", ">").replace("+/-", "±")
    text = re.sub(r"(?<![^\s(])[~～](?=\d)", "≈", text)
    counted = _either({*table(language).units, *table(language).per["counted"], *table(language).per["each"]})
    amount = rf"(?:{NUMBER})(?:/\d+)?(?:\s?[½¼¾⅓⅔⅛])?|[½¼¾⅓⅔⅛]"
    what = rf"(?P<what>(?:[$€£₹¥]\s?)?-?(?:{amount})(?:\s?{counted}(?!{_LETTER}))?)"
    return re.sub(
        rf"(?<![-=<>])(?P<before>\s*)(?P<sign>{_either(signs)})\s?{what}",
        lambda found: f"{found['before'] or (' ' * bool(found.start()))}{signs[found['sign']].format(found['what'])}",
        text,
    )


def per(text: str, language: str) -> str:
    """``10 miligramos/5 mililitros``, ``2片/天``, ``mg/kg/day``: a slash after what is measured, or before a time, is no "or"."""
    known = table(language)
    written = {word for pair in known.units.values() for word in pair if word[0].isalpha()}
    end = "" if language == "zh" else rf"(?!{_LETTER})"
    sizes = _either(unit for unit in known.units if unit[0].isalpha() and unit[:1] != "º")
    text = re.sub(  # "mg/dL" without a number
        rf"(?<![\w/])(?<!\d )(?P<of>{sizes})/(?P<each>{sizes})(?![\w²])",
        lambda found: f"{known.units[found['of']][1]} {known.words['per']} {known.units[found['each']][0]}",
        text,
    )
    start = "" if language == "zh" else r"(?<![^\W\d_\u0900-\u0963])"
    text = re.sub(rf"(?<=\d)(\s?{sizes})\s?/\s?(?=\d)", rf"\1 {known.words['per']} ", text)
    text = re.sub(rf"(?<![\w./,-])(\d+)/(?={_either(known.per['each'])}{end})", rf"\1 {known.words['per']} ", text)
    each = rf"(?:{_either(written | set(known.per['each']))}|{sizes}(?![A-Za-z])){end}"
    of = rf"{start}{_either(written | set(known.per['counted']))}|/\s?{_units(language)}|\d\s?[x×]"
    text = re.sub(rf"(?P<of>{of})\s?/\s?(?=\d|{each})", rf"\g<of> {known.words['per']} ", text)
    return re.sub(  # "units per mL"
        rf"(?<=[^\W\d_]|[\u0900-\u0963])( {known.words['per']} )({sizes})(?![\w²])",
        lambda found: f"{found[1]}{known.units[found[2]][0]}",
        text,
    )


def identifiers(text: str, language: str) -> str:
    """``MRN 00123-45``: what follows such a name is spelled; so is what has letters and three digits, wherever it stands."""
    names = _either(table(language).identifiers["names"])
    code = r"(?P<code>(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*)"
    named = (
        rf"(?<![^\W\d_])(?P<name>(?i:{names}))(?P<sign>\s*(?:[:：#是]|is|es|है|n[.º°]*)?\s*#?\s*){code}(?![\w%]|[.,:]\d)"
    )
    text = re.sub(named, lambda found: f"{found['name']}{_tidy(found['sign'])}{spelled(found['code'], language)}", text)
    mixed = r"(?<![\w@./-])(?=[A-Z-]*\d)(?=[\d-]*[A-Z])(?:[A-Z]{1,4}-?\d{3,}[A-Z]?|\d{3,}-?[A-Z]{1,3})(?![\w-])"
    return re.sub(mixed, lambda found: spelled(found[0], language), text)


def spelled(code: str, language: str) -> str:
    """Letters one by one, digits by threes at most, with time to write them down."""
    letters = table(language).spelled["letters"]
    parts = re.findall(r"[A-Za-z]|\d{1,4}(?!\d)|\d{3}", code)
    return _comma(language).join(
        digits(part, language) if part[0].isdigit() else letters.get(part.upper(), part.upper()) for part in parts
    )


def telephones(text: str, language: str) -> str:
    """Seven to fifteen digits in groups, or eleven in one; then the extension."""
    grouped = r"(?<![\w.,$€£₹¥/:-])\+?\(?\d{1,4}\)?(?:[\s.-]{1,2}\(?\d{2,8}\)?){1,5}(?![\w%/:]|[.,-]\d)"
    text = re.sub(grouped, lambda found: _telephone(found, language), text)
    text = re.sub(r"(?<![\w.,$€£₹¥/:+-])\+?\d{10,13}(?![\w%/:]|[.,-]\d)", lambda found: _run(found[0], language), text)
    extension = "|".join(table(language).telephone["extension"])
    said = table(language).words["extension"]
    return re.sub(
        rf"(?<![A-Za-zÀ-ÿ])(?:{extension})\s*[:.]?\s*(\d{{2,6}})(?!\w)",
        lambda found: f"{said}{_space(language)}{digits(found[1], language, telephone=True)}",
        text,
        flags=re.IGNORECASE,
    )


def short_numbers(text: str, language: str) -> str:
    """911 wherever it counts nothing; 112 and others that may be counts where somebody is told to call them."""
    names = table(language).telephone
    always, dialled = "|".join(names["always"]), "|".join(names["dialled"])
    before, after = "|".join(names["before"]), "|".join(names["after"])
    ends = rf"(?!\w|[.,:/-]\d|\s*(?:{_units(language)})(?![^\W\d_]))"
    one_by_one = lambda found: found[0].replace(found["no"], digits(found["no"], language, telephone=True))  # noqa: E731  # used three times below
    text = re.sub(rf"(?<![\w.,:/$€£₹¥+-])(?P<no>{always}){ends}", one_by_one, text)
    text = re.sub(rf"(?:{before})\s*(?P<no>{dialled}){ends}", one_by_one, text, flags=re.IGNORECASE)
    return re.sub(rf"(?<![\w.,:/$€£₹¥+-])(?P<no>{dialled}){ends}(?=\s*(?:{after}))", one_by_one, text)


def money(text: str, language: str) -> str:
    signs = _either(table(language).currencies)
    amount = r"(?P<amount>\d[\d,.]*\d|\d)"
    span = rf"(?:\s*[-–—]\s*(?:{signs})?\s?(?P<last>\d[\d,.]*\d|\d))?"
    text = re.sub(rf"(?<!\w)(?P<sign>{signs})\s?{amount}{span}(?!\d)", lambda found: _money(found, language), text)
    return re.sub(rf"(?<![\w.,]){amount}{span}\s?(?P<sign>{signs})(?!\w)", lambda found: _money(found, language), text)


def fractions(text: str, language: str) -> str:
    """``120/80``, ``1/2``, ``1 ½``."""
    words = table(language)
    small = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/3": "⅓", "2/3": "⅔", "1/8": "⅛"}
    text = re.sub(r"(?<![\w.,/])[1-3]/[2348](?![\w/])", lambda found: small.get(found[0], found[0]), text)
    to = f" {words.words['to']} "
    text = re.sub(r"(?<![\d.,/])(\d{1,2})-([½¼¾⅓⅔⅛])", r"\1 \2", text)  # "1-1/2 tablets": one and a half
    text = re.sub(r"(?<=[½¼¾⅓⅔⅛])\s?[-–—]\s?(?=[\d½¼¾⅓⅔⅛])|(?<=\d)\s?[–—]\s?(?=[½¼¾⅓⅔⅛])", to, text)
    text = re.sub(
        rf"(\d\s?)?([½¼¾⅓⅔⅛])\s?({_units(language)})(?!{_LETTER})",
        lambda found: f"{found[1] or ''}{found[2]} {words.units[found[3]][bool(found[1])]}",
        text,
    )
    text = _halves(text, language)
    mixed = words.words.get("mixed", words.words["and"])
    for sign, said in words.fractions.items():
        text = re.sub(rf"(\d+)\s?{sign}", rf"\1 {mixed} {said}", text).replace(sign, said)
    pair = rf"(?<![\w.,/$€£₹¥-])(?!24/7)(\d{{1,3}})/(\d{{1,3}})(?![\d/]|[.,]\d|(?!{_units(language)}){_LETTER})"
    return re.sub(pair, lambda found: _pair(found[1], found[2], language), text)


def measures(text: str, language: str) -> str:
    """``2.5 mg/kg``, ``5-10 mL``, ``38.5 °C``."""
    words, unit = table(language).words, _units(language)
    per = words["per"]
    text = re.sub(r"(?<![\w.,)])-(?=\d)", words["minus"] + _space(language), text)
    many = rf"(?=\d+(?:\s?[-–]\s?\d+)?\s?(?:h|hr|hrs|hours|hora|horas|小时|घंटे)(?!{_LETTER}))"
    text = re.sub(rf"(?<![^\W\d_])(?:q|c/)\s?{many}", f"{words['every']} ", text)  # q6h, c/8 h
    text = re.sub(rf"(\d\s?{unit})\s?[-–—~～]\s?(?=(?:{NUMBER})\s?{unit})", rf"\1 {words['to']} ", text)
    pattern = (
        rf"{_SPAN}\s?(?P<unit>{unit})(?:\s?/\s?(?P<each>\d+\s?)?(?P<per>{unit}|[^\W\d_]+))?(?![^\W\d_](?<![㐀-鿿]))"
    )
    if language == "zh":
        percent = rf"{_SPAN}\s?%"
        text = re.sub(percent, lambda found: "百分之" + _said_span(found, "zh"), text)
    return re.sub(pattern, lambda found: _measure(found, language, per), text)


def houses(text: str, language: str) -> str:
    """``1420 Oak Street``: fourteen twenty."""
    if language != "en":
        return text
    street = (
        r"(?:St|Street|Ave|Avenue|Rd|Road|Blvd|Boulevard|Dr|Drive|Ln|Lane|Way|Ct|Court|Pl|Place|Plaza|Parkway|Pkwy|Hwy)"
    )
    number = rf"(?<![\w.,-])\d{{3,5}}(?=\s+(?:[NSEW]\.?\s+)?(?:(?:[A-Z][a-z]+|\d+(?:st|nd|rd|th))\s+){{1,3}}{street}\b)"
    return re.sub(number, lambda found: _house(found[0]), text)


def counts(text: str, language: str) -> str:
    """``1st``, ``#3``, ``2x``, ``24/7``."""
    words = table(language).words
    text = re.sub(r"(?<!\w)#\s?(?=\d)", f"{words['number']} ", text)
    text = re.sub(r"(?<![\w.,])(\d+)\s?[x×](?=\s(?!\d)|[,.;]|$)", rf"\1 {words['times']}", text)
    days = rf"(?=\d+(?:\s?[-–]\s?\d+)?\s?{_either(table(language).measures['spans'])})"
    text = re.sub(rf"(?<=[^\W_])\s?[x×]\s?{days}", words["during"], text)
    text = re.sub(r"(?<=\d)\s?[x×]\s?(?=\d)", f" {words['by']} ", text)
    text = re.sub(r"(?<=[^\W\d_])(?:\s[x×]\s?|×\s?)(?=\d)", f" {words.get('multiplied', words['by'])} ", text)
    text = re.sub(r"(?<=\d):(?=\d)", f" {words['ratio']} ", text)
    if language == "en":  # five feet four
        text = re.sub(r"(?<!\w)(\d)['’′]\s?(\d{1,2})(?:[\"”″]|'')", r"\1 feet \2 inches", text)
    return _ORDINALS[language](text)


def codes(text: str, language: str) -> str:
    """Digits that are no count: with a zero in front, or many without a sign between; a ZIP code after its state."""
    if language == "zh":
        text = re.sub(
            r"\d{3,4}(?=\s?(?:室|号房|房间|诊室))", lambda found: digits(found[0], "zh", telephone=True), text
        )
    text = re.sub(
        r"(?<=\b[A-Z]{2} )\d{5}(?!\w|-)|(?<![\w.,-])\d{5}-\d{4}(?![\w-])",
        lambda found: digits(found[0], language),
        text,
    )
    return re.sub(
        r"(?<![\w.,])(?:0\d+|\d{7,})(?![\w]|[.,]\d)", lambda found: digits(found[0], language), text, flags=re.ASCII
    )


def plain_numbers(text: str, language: str) -> str:
    """All that are left, with what is counted by them where a language bends the number for it."""
    text = re.sub(r"(?<=\d)(?=[A-Za-z])", " ", text)
    text = re.sub(r"([A-Za-z])-?(\d{1,3})(?![\w.,]*\d)", lambda found: _joined_to_letter(found, language), text)
    if language == "zh":
        two = "|".join(table("zh").measures["after_two"])
        text = re.sub(rf"(?<![\d.,第])(?<!第 )2(?=\s?(?:{two}))", "两", text)
    noun = r"(?P<noun>\s+[^\W\d_]+)?" if language == "es" else "(?P<noun>)"
    return re.sub(rf"{_SPAN.replace('-]', ']')}(?!\d){noun}", lambda found: _count(found, language), text)


def what_is_left(text: str, language: str) -> str:
    """Digits in a place that no rule knows: a voice would guess."""
    return re.sub(r"[0-9]+", lambda found: f" {_number(found[0], language)} ", text)


def abbreviations(text: str, language: str) -> str:
    short = table(language).abbreviations
    if language == "en":
        text = re.sub(r"(?<=[a-z] )St\b(\.(?=\s+[A-Z]))?\.?", r"Street\1", text)
        text = re.sub(r"\bSt\.(?= [A-Z])", "Saint", text)
        text = re.sub(r"(?<=[a-z] )Dr\.(?=$|[,\n]|\s+[a-z(])", "Drive", text)
    return re.sub(
        rf"(?<![\w]){_either(short)}(?![^\W\d_](?<![㐀-鿿]))",
        lambda found: _unabbreviated(found, short, language),
        text,
    )


def letters(text: str, language: str) -> str:
    """Capitals that are no word are spelled, in languages whose voice would not do it by itself."""
    names = table(language).spelled["letters"]
    if not names:
        return text
    as_words = table(language).spelled["as_words"]
    if language == "hi":
        text = re.sub(r"(?<![\w-])[A-Za-z](?![\w'’-])", lambda found: names[found[0].upper()], text)
    return re.sub(
        r"(?<![\w-])[A-ZÑ]{2,5}(?![\w])",
        lambda found: found[0] if found[0] in as_words else " ".join(names[letter] for letter in found[0]),
        text,
    )


def signs(text: str, language: str) -> str:
    """What is left of signs: said or left out."""
    words, space = table(language).words, _space(language)
    for sign, word in (("&", "and"), ("+", "plus"), ("@", "at")):
        text = re.sub(rf"\s*{re.escape(sign)}\s*", f"{space}{words[word]}{space}", text) if sign in text else text
    text = re.sub(r"(?<=[\w%.)])\s*=\s*(?=\w)", f"{space}{words['equals']}{space}", text)
    text = re.sub(r"\s*(?:[→⇒➔]|-{1,2}>)\s*", _comma(language), text)
    text = re.sub(r"(?<=[^\W\d_])/(?=[^\W\d_])", f"{space}{words['or']}{space}", text)
    text = re.sub(r"\s+[-–—]+\s+|—|–(?=\D)", ", ", text)
    comma = _comma(language)
    text = re.sub(r"[(（\[]([^()（）\[\]]*)[)）\]]", lambda found: f"{comma}{found[1].strip()}{comma.rstrip()}", text)
    text = re.sub(r"[*_`#<>|~^={}\\\[\]()（）【】]|[\"“”«»「」『』]", " ", text)
    text = re.sub(r"(\s*[,，]\s*)+(?=[,.;:!?，。！？；：।\n]|$)", "", text)
    text = re.sub(r"^\s*,\s*|(?<!\.m\.)(?<=[.!?。！？।\n])\s*,\s*", " ", text)
    return _SENTENCE_END.sub(r"\1", re.sub(r"[ \t]+", " ", text)).strip()


# ---- below --------------------------------------------------------------------------------------------------------


def _pair(first: str, last: str, language: str) -> str:
    """A pressure if both have two digits, a share if the second is the larger; a zero in front is read as it stands."""
    words = table(language).words
    if "0" in (first[0], last[0]):
        return f"{first} {words['slash']} {last}"
    if min(len(first), len(last)) == 1 and int(first) <= int(last):
        return words["out_of"].format(first, last)
    return f"{first} {words['over']} {last}"


def _halves(text: str, language: str) -> str:
    """``1 ½``: una tableta y media, डेढ़ गोली."""
    if language == "hi":
        return re.sub(r"(?<![\d.,/])(\d+)\s?½", r"\1.5", text)
    return re.sub(r"(?<![\d.,/])(\d+)\s?½\s+([^\W\d_]+)", _and_a_half, text) if language == "es" else text


def _and_a_half(found: re.Match[str]) -> str:
    noun = found[2].removesuffix("s") if found[1] == "1" else found[2]
    return f"{found[1]} {noun} y {'media' if _is_feminine(noun.lower()) else 'medio'}"


def _telephone(found: re.Match[str], language: str) -> str:
    """In its groups; what has too few digits or counts something is left as it is."""
    groups = re.findall(r"\d+", found[0])
    many = sum(map(len, groups))
    rest = found.string[found.end() :]
    too_small = many < 7 or (" " in found[0].strip() and not re.search(r"[+()-]", found[0]) and many < 9)
    if too_small or many > 15 or re.match(rf"\s?(?:{_units(language)})(?![^\W\d_])", rest) or not _plausible(found[0]):
        return found[0]
    return _comma(language).join(_group(group, language) for group in groups)


def _plausible(written: str) -> bool:
    """``500-1000`` is a span of counts; a telephone number of two groups has three and four digits."""
    groups = re.findall(r"\d+", written)
    return (
        len(groups) > 2
        or "+" in written
        or "(" in written
        or [len(group) for group in groups] == [3, 4]
        or (len(groups) == 2 and len(groups[0]) in (3, 4) and groups[0][0] == "0" and len(groups[1]) in (7, 8))
        or (len(groups) == 2 and len(groups[0]) == len(groups[1]) == 5)
    )


def _run(written: str, language: str) -> str:
    number = written.lstrip("+")
    cuts: tuple[int, ...] = {10: (3, 6), 11: (1, 4, 7), 12: (2, 5, 8), 13: (2, 5, 9)}[len(number)]
    cuts = {("zh", 11): (3, 7), ("hi", 10): (5,)}.get((language, len(number)), cuts)
    pieces = [number[first:last] for first, last in zip((0, *cuts), (*cuts, None), strict=True)]
    return _comma(language).join(_group(piece, language) for piece in pieces)


def _group(group: str, language: str) -> str:
    if language == "en" and group in ("800", "900"):
        return cardinal(int(group), "en")
    return digits(group, language, telephone=True)


def _money(found: re.Match[str], language: str) -> str:
    one, many, hundredth, hundredths = table(language).currencies[found["sign"]]
    said = _amount(found["amount"], language, one, many, hundredth, hundredths, unit=not found["last"])
    if not found["last"]:
        return said + _stop(found["amount"])
    to, space = table(language).words["to"], _space(language)
    return f"{said}{space}{to}{space}{_amount(found['last'], language, one, many, hundredth, hundredths, unit=True)}"


def _amount(written: str, language: str, one: str, many: str, hundredth: str, hundredths: str, *, unit: bool) -> str:
    whole, part = _parts(written, language)
    space, number = _space(language), int(whole)
    said = _before(cardinal(number, language), one, language) if unit else cardinal(number, language)
    if language == "zh" and number == 2:
        said = "两"
    if not unit:
        return said
    if language == "es" and number >= 10**6 and number % 10**6 == 0:
        many = f"de {many}"
    said += space + (one if number == 1 else many)
    if not part or int(part) == 0:
        return said
    if len(part) != 2:
        return space.join((decimal(whole, part, language), many))
    cents = (
        _before(cardinal(int(part), language), hundredth, language)
        + space
        + (hundredth if int(part) == 1 else hundredths)
    )
    if number == 0:
        return cents
    joint = {"en": " and ", "es": " con ", "zh": "", "hi": " "}[language]
    if language == "zh" and one == "元":
        return f"{cardinal(number, 'zh')}点{digits(part.rstrip('0'), 'zh')}元"
    return said + joint + cents


def _measure(found: re.Match[str], language: str, per: str) -> str:
    one, many = table(language).units[found["unit"]]
    space = _space(language)
    single = found["from"] == "1" and not found["to"]
    said = _said_span(found, language)
    if language == "zh":
        said = re.sub(r"^二(?=$)", "两", said)
    said = f"{_before(said, one, language)}{space}{one if single else many}"
    if not found["per"]:
        return said
    each = table(language).units.get(found["per"], (found["per"], found["per"]))
    if language == "zh" and not found["each"]:
        return f"{per}{each[0]}{said}"
    count = f"{cardinal(int(found['each']), language)}{space}" if found["each"] else ""
    return f"{said}{space}{per}{space}{count}{each[1] if found['each'] else each[0]}"


def _house(number: str) -> str:
    if len(number) == 5:
        return digits(number, "en")
    first, last = number[:-2], int(number[-2:])
    if last == 0:
        return (
            cardinal(int(number), "en")
            if first.endswith("0") or len(number) == 3
            else f"{cardinal(int(first), 'en')} hundred"
        )
    return f"{cardinal(int(first), 'en')} {'oh ' if last < 10 else ''}{cardinal(last, 'en')}"


def _said_span(found: re.Match[str], language: str) -> str:
    first = _number(found["from"], language)
    if not found["to"]:
        return first
    space = _space(language)
    return f"{first}{space}{table(language).words['to']}{space}{_number(found['to'], language)}"


def _count(found: re.Match[str], language: str) -> str:
    noun = found["noun"] or ""
    written = found["from"]
    if language == "en" and not found["to"] and re.fullmatch(r"(?:19|20)\d\d", written) and _looks_like_year(found):
        return year(int(written), "en")
    return _before(_said_span(found, language), noun.strip(), language) + noun


def _looks_like_year(found: re.Match[str]) -> bool:
    return bool(
        re.search(r"\b(?:in|since|by|of|from|until|before|after|year|for|during|to)\s+$", found.string[: found.start()])
    )


def _number(written: str, language: str) -> str:
    whole, part = _parts(written, language)
    if not part:
        return cardinal(int(whole), language) if len(whole) == 1 or whole[0] != "0" else digits(whole, language)
    half = {"1": "डेढ़", "2": "ढाई"}.get(whole, f"साढ़े {cardinal(int(whole), 'hi')}")
    if language == "hi" and part == "5" and whole != "0":
        return half
    comma = language == "es" and re.search(r",\d+$", written)
    return decimal(whole, part, language, point="comma" if comma else "point")


def _parts(written: str, language: str) -> tuple[str, str]:
    """Before and behind the point. In Spanish a full stop before three digits, or a comma before one or two, is the other sign."""
    written = written.strip(".,")
    if language == "es" and re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", written):
        written = written.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d+,\d{1,2}|0,\d+", written):
        written = written.replace(",", ".")
    whole, _, part = written.replace(",", "").partition(".")
    return whole or "0", part.replace(".", "")


def _before(number: str, noun: str, language: str) -> str:
    """Spanish bends the number before its noun: ``una hora``, ``un día``, ``doscientas pastillas``."""
    if language != "es" or not noun:
        return number
    if _is_feminine(noun.split()[0].lower()):
        return feminine(number)
    return before_noun(number) if re.match(r"[^\W\d_]", noun) and noun.split()[0].lower() not in _NO_NOUNS else number


def _is_feminine(noun: str) -> bool:
    known = table("es").gender
    if noun in known["masculine"] or noun in _NO_NOUNS:
        return False
    return noun in known["feminine"] or noun.endswith(("a", "as", "ción", "ciones", "sión", "siones", "dad", "dades"))


_NO_NOUNS = frozenset(
    re.findall(r"\w+", "a al y e o u de del la las lo los el en con para por que es si no se su sus hasta")
)


def _joined_to_letter(found: re.Match[str], language: str) -> str:
    """``B12``, ``COVID-19``."""
    return f"{found[1]}{' ' if language != 'zh' else ''}{_number(found[2], language)}"


def _unabbreviated(found: re.Match[str], short: dict[str, str], language: str) -> str:
    if language == "en" and found[0] in ("a.m.", "p.m."):
        return found[0]  # the voice knows them, and says "A" as a letter only there
    said = short[found[0]]
    rest = found.string[found.end() :]
    ends = found[0].endswith(".") and (not rest.strip() or rest[:1] == "\n" or re.match(r"\s+[A-ZÁÉÍÓÚÑ¿¡]", rest))
    may_end = found[0][0].islower() or found[0] in table(language).spelled.get("ends", ())
    return said + ("." if ends and may_end else "")


def _english_ordinals(text: str) -> str:
    return re.sub(r"(?<![\w.,])(\d{1,4})(?:st|nd|rd|th)\b", lambda found: ordinal(int(found[1]), "en"), text)


def _spanish_ordinals(text: str) -> str:
    return re.sub(r"(?<![\w.,])(\d{1,2})\.?(?P<end>er|[ºo°ªa])(?!\w)(?P<noun>\s+[^\W\d_]+)?", _spanish_ordinal, text)


def _spanish_ordinal(found: re.Match[str]) -> str:
    said = ordinal(int(found[1]), "es")
    noun = found["noun"] or ""
    if found["end"] in "ªa":
        return (said.removesuffix("o") + "a" if said.endswith("o") else said) + noun
    short = found["end"] == "er" or (said in ("primero", "tercero") and noun.strip().lower() not in {"", *_NO_NOUNS})
    return (said.removesuffix("o") if short else said) + noun


def _hindi_ordinals(text: str) -> str:
    return re.sub(r"(?<![\w.,])(\d{1,3})(वाँ|वां|वीं|वें|ला|ली|रा|री|था|थी|ठा|ठी)(?!\w)", _hindi_ordinal, text)


def _hindi_ordinal(found: re.Match[str]) -> str:
    number, end = int(found[1]), found[2]
    said = ordinal(number, "hi")
    if end[-1] in "ी" or end == "वीं":
        return said.removesuffix("ा").removesuffix("ाँ") + ("ी" if said.endswith("ा") else "ीं")
    return said.removesuffix("ाँ") + "ें" if end == "वें" and said.endswith("ाँ") else said


_ORDINALS: dict[str, Callable[[str], str]] = {
    "en": _english_ordinals,
    "es": _spanish_ordinals,
    "zh": lambda text: text,
    "hi": _hindi_ordinals,
}


@functools.cache
def _units(language: str) -> str:
    return _either(table(language).units)


def _either(words: Iterable[str]) -> str:
    """Longest first, so that "mg" is not read as "m"."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def _space(language: str) -> str:
    return "" if language == "zh" else " "


def _comma(language: str) -> str:
    return "，" if language == "zh" else ", "


def _tidy(sign: str) -> str:
    return re.sub(r"\s*#\s*", " ", sign) if sign.strip() else " "


def _stop(written: str) -> str:
    return written[len(written.rstrip(".,")) :]


_RULES: tuple[Callable[[str, str], str], ...] = (
    addresses,
    compared,
    per,
    identifiers,
    dates,
    times,
    telephones,
    short_numbers,
    money,
    fractions,
    measures,
    houses,
    counts,
    codes,
    abbreviations,
    plain_numbers,
    what_is_left,
    letters,
    signs,
)
