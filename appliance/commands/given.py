"""What was typed before the command's name, and how a command gets at an opened clinic. Knows no command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.config import Config, Loaded
    from models.store import Store

Typed = ParamSpec("Typed")

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
as_json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


class Given:
    """The global options. The settings are read when a command needs them, so that `--help` always works."""

    def __init__(self, file: Path | None, data_dir: Path | None, *, debug: bool) -> None:
        self.file = file
        self.data_dir = data_dir
        self.debug = debug

    def loaded(self, **flags: Any) -> Loaded:
        """The settings; ``server__port=1`` is the flag of server.port, None was not typed."""
        from appliance import config

        typed = {name.replace("__", "."): value for name, value in flags.items() if value is not None}
        if self.data_dir is not None:
            typed["data.directory"] = str(self.data_dir)
        return config.load(self.file, flags=typed)

    def config(self, *, quiet: bool = True, **flags: Any) -> Config:
        """The settings, with logging set up: ``quiet`` for commands that answer in the terminal themselves."""
        from appliance import log

        config = self.loaded(**flags).config
        log.set_up("debug" if self.debug else "warning" if quiet else config.log.level)
        return config

    def store(self) -> Store:
        """The models of this box; needs no key and no database."""
        from appliance.app import model_store

        return model_store(self.config())


def in_clinic(act: Callable[Concatenate[Clinic, Typed], Awaitable[None]]) -> Callable[Typed, None]:
    """A command that works in an opened clinic: ``async def act(clinic, /, …what was typed)``."""

    def command(given: Given, /, *args: Typed.args, **typed: Typed.kwargs) -> None:
        import uvloop

        from appliance.app import open_clinic

        async def opened() -> None:
            async with open_clinic(given.config()) as clinic:
                await act(clinic, *args, **typed)

        uvloop.run(opened())

    command.__name__, command.__doc__ = act.__name__, act.__doc__
    return click.pass_obj(command)
