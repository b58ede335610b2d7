"""Structured logs on stderr: JSON lines for machines, colours for a terminal; secrets have no way in.

They are kept out by the names of fields and by their look in texts: sentences of libraries may quote an
address with its password, a header, or a token of ours.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = ("password", "token", "secret", "cookie", "authorization", "csrf")
LOOKS = re.compile(
    r"(?P<address>\w://[^\s/:@]*:)[^\s/@]+(?=@)"  # scheme://user:password@host
    r"|(?P<header>\b(?:Bearer|Token|Basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<group>\$share/)[^/\s]+(?=/)"  # who knows its name takes messages away
    r"|(?P<ours>\btemoin-(?:gw|api)-|/(?:s|sign-in|new-password)/)[\w-]{8,}"
    r"|(?P<named>\b(?:password|token|secret)['\"]?\s*[=:]\s*['\"]?)[^\s'\",;)]{4,}",
    re.IGNORECASE,
)


def configure_logs(level: str) -> None:
    """Send our events and those of the libraries to stderr at this level."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide_secrets,
    ]
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=_to_stderr,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_unwrapped, renderer])
    )
    logging.basicConfig(handlers=[handler], level=max(numeric, logging.WARNING), force=True)


def _to_stderr(*_names: str) -> structlog.PrintLogger:
    """Whatever stderr is by now: a test or a supervisor may have put another in its place."""
    return structlog.PrintLogger(sys.stderr)


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if any(word in key.lower() for word in HIDDEN):
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = LOOKS.sub(_shortened, value)
    return event


def _shortened(found: re.Match[str]) -> str:
    """What says that there was a secret, without it."""
    return f"{next(filter(None, found.groups()))}…"


def _unwrapped(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_logger, _method, event)
