"""The command line's front door: global options, the commands by name, what an error looks like. Does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from appliance import __version__
from appliance.commands import (
    alerts,
    answers,
    box,
    calls,
    cases,
    clinic,
    mattermost,
    measure,
    models,
    phone,
    sms,
    staff,
)
from appliance.commands.given import Given
from appliance.errors import ApplianceError, BadInput


class _Commands(click.Group):
    """Our errors are one clear line; a traceback is for ``--debug``."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params["debug"] or not _ours(error):
                raise
            click.echo(f"medinovai: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadInput) else 1)


def _ours(error: Exception) -> bool:
    # imported here: it brings numpy, which --help does not need
    from models import ModelError

    return isinstance(error, ApplianceError | ModelError)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file. [default: ./config.toml]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory, instead of data.directory.")
@click.option("--debug", is_flag=True, help="Log everything; show tracebacks.")
@click.version_option(__version__, prog_name="medinovai")
@click.pass_context
def main(ctx: click.Context, file: Path | None, data_dir: Path | None, debug: bool) -> None:
    """The clinic's assistant: answers patients from the clinic's own documents, on this machine."""
    ctx.obj = Given(file, data_dir, debug=debug)


for command in (
    *(box.init, box.serve, box.doctor, box.config),
    *(
        clinic.ask,
        clinic.learn,
        clinic.documents,
        answers.answers,
        alerts.alerts,
        cases.cases,
        clinic.user,
        staff.staff,
    ),
    *(mattermost.mattermost, sms.sms, phone.phone, calls.calls, models.models, measure.measure),
):
    main.add_command(command)


if __name__ == "__main__":
    main()
