"""A conversation in a terminal: writes an answer as it comes, then its numbered sources. Knows no model and no store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from rich.console import Console
from rich.text import Text as Styled

from appliance.message import AnswerKind, Call, Citation, Notice, Opening, Part, Signature, Text

KINDS: dict[AnswerKind, str] = {
    "quoted": "From the clinic's documents",
    "signed": "Signed by the clinic",
    "generated": "Written from the clinic's documents",
    "unknown": "I don't know",
    "declined": "Not something an assistant may answer",
    "greeting": "Hello",
    "emergency": "EMERGENCY",
    "contact": "How to reach a person",
    "person": "With a person of the clinic",
    "trouble": "Something went wrong",
}


async def write(parts: AsyncIterator[Part], console: Console) -> None:
    """Write each part the moment it is there."""
    sources: list[Citation] = []
    before: Part | None = None
    async for part in parts:
        if isinstance(before, Notice | Call) and isinstance(part, Text) and not part.text.startswith("\n"):
            console.print()
        before = part
        for words in _written(part):
            console.print(words, end="", soft_wrap=True)
        if isinstance(part, Citation):
            sources.append(part)
    console.print()
    for source in sources:
        console.print(_source(source), soft_wrap=True)


def _written(part: Part) -> Iterator[Styled]:
    match part:
        case Opening():
            yield Styled(f"{KINDS[part.kind]}\n", style="bold red" if part.kind == "emergency" else "bold cyan")
        case Text():
            yield Styled(part.text, style={"quote": "italic", "told": "bold"}.get(part.voice, ""))
            if part.cites:
                yield Styled(f" [{part.cites}]", style="cyan")
        case Citation():
            yield Styled(f" [{part.number}]", style="cyan")
        case Signature():
            signed = f"Signed by {part.signed_by}, {part.role}, on {part.signed_on}; valid until {part.valid_until}"
            yield Styled(f"\n{signed}", style="dim")
        case Notice():
            yield Styled(f"\n({part.text})", style="bold red" if part.code == "emergency" else "dim")
        case Call():
            yield Styled(f"\n{part.label}: {part.number}", style="bold red" if part.urgent else "bold")


def _source(source: Citation) -> Styled:
    place = " › ".join((source.title, *source.heading))
    page = f", page {source.page}" if source.page else ""
    since = f", in force since {source.valid_from}" if source.valid_from else ""
    return Styled(f"[{source.number}] {place}{page}{since}", style="dim")
