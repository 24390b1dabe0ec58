"""Local models: list, verify, pull, import, qualify."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.commands import printed
from appliance.commands.given import FOLDER, Given, as_json_option
from appliance.errors import NotQualified

if TYPE_CHECKING:
    from models.catalog import CatalogModel
    from models.store import Store, Verdict


@click.group()
def models() -> None:
    """Local models: which are here, whether they are whole, and what they have passed."""


@models.command("list")
@as_json_option
@click.pass_obj
def models_list(given: Given, as_json: bool) -> None:
    """Every model of the catalogue, and what has passed on this box."""
    store = given.store()
    known = [_standing(store, model) for model in store.models()]
    if as_json:
        printed.as_json(known)
    else:
        heads = ("model", "kind", "size", "here", "may speak to patients", "what it is")
        printed.table(heads, (tuple(row.values()) for row in known))


@models.command("verify")
@click.pass_obj
def models_verify(given: Given) -> None:
    """Read every model file and compare its SHA-256."""
    from models import ModelDamaged

    store, damaged = given.store(), []
    for name in (model.name for model in store.models() if store.installed(model.name)):
        try:
            store.verify(name)
            click.echo(f"{name}: whole")
        except ModelDamaged as error:
            damaged.append(name)
            click.echo(f"{name}: DAMAGED. {error}")
    if damaged:
        raise ModelDamaged(f"Damaged and therefore not loaded: {', '.join(damaged)}.")


@models.command("pull")
@click.argument("name", default="standard")
@click.pass_obj
def models_pull(given: Given, name: str) -> None:
    """Fetch a set (starter, standard) or one model, at its pinned revision."""
    told_by_the_store("Fetching", given.store().pull, name)


@models.command("import")
@click.argument("folder", type=FOLDER)
@click.pass_obj
def models_import(given: Given, folder: Path) -> None:
    """Bring models from a folder, such as one copied from a box that has internet."""
    told_by_the_store("Importing", given.store().import_dir, folder)


@models.command("qualify")
@click.argument("name")
@as_json_option
@click.pass_obj
def models_qualify(given: Given, name: str, as_json: bool) -> None:
    """Examine a model on this box. Only one that passes may write to patients, and only in the languages it passed."""
    import uvloop

    verdict = uvloop.run(_examined(given, name))
    given.store().save_verdict(verdict)
    if as_json:
        printed.as_json(verdict)
    else:
        printed.table(("figure", "reached"), ((each, f"{value:g}") for each, value in verdict.figures.items()))
        click.echo(f"The bar: {verdict.bar}")
    if not verdict.passed:
        raise NotQualified(f"{name} did not pass. Answers stay quoted; it may not write to patients.")
    click.echo(f"{name} passed and may write in: {', '.join(verdict.languages)}", err=as_json)


async def _examined(given: Given, name: str) -> Verdict:
    from appliance.commands.box import DEMO
    from appliance.commands.clinic import learnt, writing
    from appliance.commands.measure import trial
    from appliance.evaluation.qualify import Candidate, Examination, qualify

    async with trial(given, models__chat=name) as clinic:
        assistant, model = writing(clinic)
        await learnt(clinic, [DEMO])
        candidate = Candidate(
            model=model,
            assistant=assistant,
            conversations=clinic.conversations,
            library=clinic.library,
        )
        with printed.bar("Examining") as told:
            return await qualify(candidate, Examination.ours(), progress=told)


def told_by_the_store(words: str, work: Callable[..., list[str]], *given: Any) -> None:
    """What the model store does, with a bar."""
    with printed.bar(words) as told:
        names = work(*given, progress=lambda model, act, done, total: told(done, total, f"{model}: {act}"))
    click.echo(f"Ready: {', '.join(names)}")


def _standing(store: Store, model: CatalogModel) -> dict[str, str]:
    """A model as a row: what it is, whether it is here, what it may do."""
    here = store.installed(model.name)
    return {
        "name": model.name,
        "kind": model.kind,
        "size": f"{model.bytes / 1e6:.0f} MB" if model.bytes else "",
        "here": "yes" if here else "no",
        "speaks": _speaks(store, model) if here and model.kind == "chat" else "",
        "title": model.title,
    }


def _speaks(store: Store, model: CatalogModel) -> str:
    verdict = store.verdict(store.sha256(model.name))
    if verdict is None:
        return "not examined"
    return ", ".join(verdict.languages) if verdict.passed else f"no: did not pass on {verdict.at:%F}"
