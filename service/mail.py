"""Mail to people: one short text, over TLS, when an SMTP server is set."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import structlog

if TYPE_CHECKING:
    from service.registry.tables import User
    from service.settings import Settings

TIMEOUT = 15  # seconds
OK = 250  # SMTP's
PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
log = structlog.get_logger("temoin.mail")


class MailError(Exception):
    """A message did not leave; the sentence says why, without user or password."""


def send(settings: Settings, to: str, subject: str, text: str) -> None:
    """Send a text to one address; raises MailError. SMTP_URL must be set."""
    if settings.smtp_url is None:
        raise MailError("TEMOIN_SMTP_URL is not set")
    message = EmailMessage()
    sender = settings.mail_from
    try:
        message["From"], message["To"], message["Subject"] = sender, to, subject
    except ValueError as error:  # a line break in an address
        raise MailError("an address cannot be written to") from error
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        with _connected(settings.smtp_url.get_secret_value()) as server:
            server.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise MailError(_why(error)) from error


def post(settings: Settings, user: User, letter: tuple[str, str]) -> None:
    """Send somebody a subject and a text where mail is set; a failure is in the log, and stops nothing."""
    if settings.smtp_url is None:
        return
    try:
        send(settings, user.email, *letter)
    except MailError as error:
        log.error("mail_not_sent", why=str(error))  # noqa: TRY400 - the sentence says it; a trace would hold the message
    else:
        log.info("mail_sent", user=user.id)


def look(settings: Settings, patience: float) -> None:
    """Sign in at the server and say whom from, sending nothing; raises MailError. `patience` in seconds."""
    if settings.smtp_url is None:
        raise MailError("TEMOIN_SMTP_URL is not set")
    try:
        with _connected(settings.smtp_url.get_secret_value(), patience) as server:
            server.ehlo_or_helo_if_needed()
            code, _ = server.mail(settings.mail_from)
            if code != OK:
                raise MailError(f"it refuses mail from {settings.mail_from} ({code})")
            server.rset()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise MailError(_why(error)) from error


def _connected(url: str, patience: float = TIMEOUT) -> smtplib.SMTP:
    """`smtps`: TLS from the first byte; `smtp`: STARTTLS, insisted on; `smtp+plain`: a relay next door."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or PORTS[parts.scheme]
    trusted = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=patience, context=trusted)
    else:
        server = smtplib.SMTP(host, port, timeout=patience)
    try:
        if parts.scheme == "smtp":
            server.starttls(context=trusted)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _why(error: Exception) -> str:
    """What the server said by its number: its words may repeat the user's name."""
    code = getattr(error, "smtp_code", None)
    if code is not None:
        return f"the server answered {code} ({type(error).__name__})"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with the server: {error.reason or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, smtplib.SMTPNotSupportedError) else type(error).__name__
