"""How a command ends when it cannot do what was asked, and what most commands start from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.registry import Registry
    from service.settings import Settings

FAILED, WRONG_USE, REJECTED_INPUT = 1, 2, 3


class Ended(Exception):  # noqa: N818 - an ending with a sentence, not a fault
    """One sentence for who sits at the terminal, and the exit code: 1 failed, 2 wrong use, 3 rejected."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def settings_or_end(**overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """The settings, or the end with the names of the bad ones; an option left at None overrides nothing.

    Variables that mean nothing are told on stderr.
    """
    from service.settings import (  # noqa: PLC0415 - pydantic is not for --help
        SettingsError,
        load_settings,
        unknown_settings,
    )

    for name in unknown_settings():
        sys.stderr.write(f"{name} is no setting and does nothing; see docs/configure.md.\n")
    try:
        settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except SettingsError as error:
        raise Ended(str(error)) from error
    except OSError as error:
        raise Ended(
            f"{error.filename}: {error.strerror}; choose another folder with TEMOIN_DATA_DIR."
        ) from error
    return settings


def caller() -> str:
    """Who the audit names for what a command changes: who is at this machine, and the command."""
    from getpass import getuser  # noqa: PLC0415 - likewise

    command = " ".join(["temoin", *sys.argv[1:2]])
    try:
        return f"{getuser()} ({command})"
    except (KeyError, OSError):  # a container's user without a name
        return command


def registry_or_end(settings: Settings) -> Registry:
    """The registry with this version's schema, or the end with the sentence that says what to do."""
    from service.registry import Registry, RegistryError  # noqa: PLC0415 - SQLAlchemy is not for --help

    try:
        registry = Registry(settings.registry_url, who=caller())
        registry.check()
    except RegistryError as error:
        raise Ended(str(error)) from error
    return registry
