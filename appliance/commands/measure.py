"""How good the answers are: eval answers, dialogues, retrieval, grounding, safety, injection, and the self-test, nightly."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from appliance.commands import outcome, printed
from appliance.commands.clinic import learnt, writing
from appliance.commands.given import FILE, FOLDER, Given, as_json_option
from appliance.commands.outcome import Wishes, html_option, wished
from appliance.errors import BadInput

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.evaluation.measured import Measured


@click.group("eval")
def measure() -> None:
    """How good the answers are, measured in a throw-away directory unless --data-dir is given."""


@measure.command("answers")
@click.option("--documents", "folder", type=FOLDER, required=True, help="The documents to learn first.")
@click.option("--questions", "file", type=FILE, required=True, help="JSON lines: id, lang, question, answerable, …")
@click.option("--generate", is_flag=True, help="What the local model writes, whatever it has passed.")
@click.pass_obj
@wished
def eval_answers(given: Given, folder: Path, file: Path, generate: bool, wishes: Wishes) -> None:
    """Right answers and honest refusals, through the path that a patient meets."""
    import uvloop

    from appliance.evaluation.answers import answers, questions
    from appliance.evaluation.rehearsal import overheard

    async def measured() -> dict[str, Any]:
        async with trial(given) as clinic:
            await learnt(clinic, [folder])
            sources = {document.id: document.source for document in await clinic.library.documents()}
            tried, sure = overheard(clinic)
            assistant = writing(tried)[0] if generate else tried.assistant
            with printed.bar("Asking") as told:
                return await answers(assistant, clinic.conversations, asked, sources=sources, sure=sure, progress=told)

    asked = questions(file)
    report = uvloop.run(measured())
    outcome.told(given, wishes, (_typed("answers", generate=generate), report, file))


@measure.command("dialogues")
@click.option("--documents", "folder", type=FOLDER, required=True, help="The documents to learn first.")
@click.option("--dialogues", "file", type=FILE, required=True, help="JSON lines: id, lang, turns of user and expected.")
@click.pass_obj
@wished
def eval_dialogues(given: Given, folder: Path, file: Path, wishes: Wishes) -> None:
    """Conversations of several turns: follow-ups, a change of language, each turn judged."""
    import uvloop

    from appliance.evaluation.dialogues import dialogues, held

    async def measured() -> dict[str, Any]:
        async with trial(given) as clinic:
            await learnt(clinic, [folder])
            sources = {document.id: document.source for document in await clinic.library.documents()}
            with printed.bar("Talking") as told:
                return await held(clinic.assistant, clinic.conversations, asked, sources=sources, progress=told)

    asked = dialogues(file)
    report = uvloop.run(measured())
    outcome.told(given, wishes, ("dialogues", report, file))


@measure.command("retrieval")
@click.option("--xquad", type=FOLDER, help="Paragraphs and questions in four languages.")
@click.option("--mixed", is_flag=True, help="Each XQuAD paragraph in one language only.")
@click.option("--liveqa", type=FOLDER, help="Consumers' messages and judged answers.")
@click.option("--medquad", type=FOLDER, help="Medical questions and their answers.")
@click.pass_obj
@wished
def eval_retrieval(
    given: Given, xquad: Path | None, mixed: bool, liveqa: Path | None, medquad: Path | None, wishes: Wishes
) -> None:
    """Whether the product's own search finds the right text, on public sets."""
    import uvloop

    from appliance.app import installed
    from appliance.evaluation.retrieval import Retrieval

    if not (xquad or liveqa or medquad):
        raise BadInput("Name a set to measure on: --xquad DIR, --liveqa DIR or --medquad DIR.")

    async def measured(folder: Path) -> dict[str, Any]:
        embedder = installed(given.config()).embedder
        found: dict[str, Any] = {}
        with printed.bar("Reading") as told:
            retrieval = Retrieval(embedder, folder, progress=told)
            if xquad:
                found["xquad"] = await retrieval.xquad(xquad, mixed=mixed)
            if liveqa:
                found["liveqa"] = await retrieval.liveqa(liveqa)
            if medquad:
                found["medquad"] = await retrieval.medquad(medquad)
        await embedder.close()
        return found

    with tempfile.TemporaryDirectory(prefix="medinovai-eval-") as folder:
        report = uvloop.run(measured(Path(folder)))
    outcome.told(
        given, wishes, *_pools(report, {"xquad": xquad, "liveqa": liveqa, "medquad": medquad}, mixed), whole=report
    )


def _pools(
    report: Mapping[str, Any], sets: Mapping[str, Path | None], mixed: bool
) -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    """Each set by itself; questions in other languages to English text are a set of their own."""
    for name, folder in sets.items():
        if folder:
            typed = _typed(f"retrieval --{name}", mixed=mixed and name == "xquad")
            yield typed, report[name], folder
            if "to_en" in report[name]:
                yield f"{typed} to English", report[name]["to_en"], folder


@measure.command("grounding")
@click.option("--pairs", "file", type=FILE, required=True, help="JSON lines: id, source, text, supported.")
@click.option("--words-only", is_flag=True, help="Without the embedder: facts, names, negations and words.")
@click.pass_obj
@wished
def eval_grounding(given: Given, file: Path, words_only: bool, wishes: Wishes) -> None:
    """Whether the check of written sentences tells supported from unsupported ones."""
    import uvloop

    from appliance.app import installed
    from appliance.assistant.grounding import Grounding
    from appliance.evaluation.grounding import judged_pairs, pairs

    async def measured() -> dict[str, Any]:
        embedder = installed(given.config()).embedder
        with printed.bar("Checking") as told:
            report = await judged_pairs(Grounding.load(embedder=None if words_only else embedder), read, progress=told)
        await embedder.close()
        return report

    read = pairs(file)
    report = uvloop.run(measured())
    outcome.told(given, wishes, (_typed("grounding", words_only=words_only), report, file))


@measure.command("safety")
@click.option(
    "--texts", "file", type=FILE, required=True, help="CSV: id, lang, text, label (emergency, non), kind, note."
)
@click.option("--show-wrong", is_flag=True, help="Every miss and every false alarm, in full.")
@click.option(
    "--misheard",
    "errors",
    type=click.FloatRange(0, 0.5),
    default=0.0,
    help="Share of words to make wrong first, as speech recognition would: 0.1.",
)
@click.pass_obj
@wished
def eval_safety(given: Given, file: Path, show_wrong: bool, errors: float, wishes: Wishes) -> None:
    """Emergencies caught and false alarms, through the path that a patient meets."""
    import uvloop

    from appliance.evaluation.misheard import misheard
    from appliance.evaluation.safety import WRONG, safety, texts

    async def measured() -> dict[str, Any]:
        async with trial(given) as clinic:
            with printed.bar("Asking") as told:
                return await safety(clinic.assistant, clinic.conversations, asked, progress=told)

    asked = texts(file)
    if errors:
        asked = misheard(asked, errors=errors)
    report = uvloop.run(measured())
    if show_wrong and not wishes.as_json:
        wrong = [row for row in report["rows"] if row.verdict in WRONG]
        printed.table(("id", "verdict", "kind", "text"), ((row.id, row.verdict, row.kind, row.text) for row in wrong))
    outcome.told(given, wishes, (f"safety --misheard {errors:g}" if errors else "safety", report, file))


@measure.command("injection")
@click.option("--prompts", "file", type=FILE, required=True, help="JSON lines: id, lang, kind, text, expected, …")
@click.option("--documents", "folder", type=FOLDER, help="The documents to learn first.")
@click.option("--generate", is_flag=True, help="What the local model writes, whatever it has passed.")
@click.pass_obj
@wished
def eval_injection(given: Given, file: Path, folder: Path | None, generate: bool, wishes: Wishes) -> None:
    """Attacks that act, by messages and poisoned documents, and harmless messages that are turned away."""
    import uvloop

    from appliance.evaluation.injection import attacked, prompts

    async def measured() -> dict[str, Any]:
        async with trial(given) as clinic:
            await learnt(clinic, [folder] if folder else [])
            assistant = writing(clinic)[0] if generate else clinic.assistant
            with printed.bar("Attacking") as told:
                return await attacked(assistant, clinic.conversations, clinic.library, asked, progress=told)

    asked = prompts(file)
    report = uvloop.run(measured())
    outcome.told(given, wishes, (_typed("injection", generate=generate), report, file))


@measure.command("speech")
@click.option("--recordings", "folder", type=FOLDER, help="Recordings, with manifest.jsonl: file, lang, text, kind.")
@click.option(
    "--noise", "minutes", type=click.FloatRange(0, 600), default=0.0, help="Minutes of noise and music to hear."
)
@click.option("--ears", help="Another model than phone.ears.")
@click.pass_obj
@wished
def eval_speech(given: Given, folder: Path | None, minutes: float, ears: str | None, wishes: Wishes) -> None:
    """Words understood over the telephone, and words invented where nobody speaks."""
    import uvloop

    from appliance.app import model_store
    from appliance.evaluation import noises, speech
    from voice.whisper import Ears

    if not (folder or minutes):
        raise BadInput("Say what to hear: --recordings DIR, --noise MINUTES, or both.")

    async def measured() -> dict[str, Any]:
        listening = Ears.load(store.path(name).parent, config.phone.threads)
        found: dict[str, Any] = {}
        if folder:
            with printed.bar("Hearing") as told:
                found["recordings"] = await speech.heard(listening, folder, rows, progress=told)
        if minutes:
            with printed.bar("Hearing noise") as told:
                found["noise"] = await speech.invented(listening, minutes, progress=told)
        listening.close()
        return found

    config = given.config()
    name, store = ears or config.phone.ears, model_store(config)
    rows = speech.recordings(folder) if folder else []
    store.assemble(name)
    report = uvloop.run(measured())
    sets = {"recordings": folder and folder / speech.MANIFEST, "noise": Path(noises.__file__)}
    runs = [(_typed(f"speech --{one}"), report[one], asked) for one, asked in sets.items() if asked and one in report]
    outcome.told(given, wishes, *runs, whole=report)


@measure.command("nightly")
@as_json_option
@html_option
@click.pass_obj
def eval_nightly(given: Given, as_json: bool, html: Path | None) -> None:
    """The self-test by hand: questions.jsonl and safety.csv of the data directory, compared with the last good run."""
    import uvloop

    from appliance.app import open_clinic
    from appliance.evaluation.nightly import QUESTIONS, SAFETY, nightly

    async def measured() -> list[Measured]:
        async with open_clinic(config) as clinic:
            with printed.bar("Asking") as told:
                return await nightly(clinic, progress=told)

    config = given.config()
    found = uvloop.run(measured())
    if not found:
        raise BadInput(f"There is nothing to ask: put {QUESTIONS} or {SAFETY} into {config.data.directory}")
    if as_json:
        printed.as_json(found)
    else:
        outcome.show(found)
    if html:
        outcome.drawn(html, found)
    outcome.judged([str(fall) for one in found for fall in one.run.fell])


def _typed(command: str, **flags: bool) -> str:
    """The command with the options that change what is measured: such runs are compared with their like."""
    return " ".join((command, *(f"--{name.replace('_', '-')}" for name, given in flags.items() if given)))


@asynccontextmanager
async def trial(given: Given, **flags: Any) -> AsyncIterator[Clinic]:
    """A clinic in a throw-away directory, or in the one that was named; with the models of this box."""
    from appliance.app import installed, open_clinic
    from appliance.config import Data
    from appliance.evaluation.rehearsal import rehearsing
    from appliance.records.keys import KEY_FILE, create_master_key

    config = given.config(**flags)
    with tempfile.TemporaryDirectory(prefix="medinovai-eval-") as folder:
        place = Path(config.data.directory if given.data_dir else folder)
        if not (place / KEY_FILE).exists():
            create_master_key(place)
        tried = msgspec.structs.replace(config, data=Data(directory=str(place)))
        async with open_clinic(tried, models=installed(config)) as clinic:
            yield rehearsing(clinic)
