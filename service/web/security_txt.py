"""Where a weakness of this installation is told: RFC 9116."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse

public = APIRouter(include_in_schema=False)
LASTING = timedelta(days=90)  # less than a year, as section 2.5.5 wants; said anew at each reading


@public.get("/.well-known/security.txt")
def security_txt(request: Request) -> PlainTextResponse:
    """The contact of the settings; 404 where there is none."""
    settings = request.app.state.settings
    if not settings.security_contact:
        raise HTTPException(404, "TEMOIN_SECURITY_CONTACT is not set.")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    contact = settings.security_contact
    lines = [
        f"Contact: {contact if contact.startswith('https://') else f'mailto:{contact}'}",
        f"Expires: {midnight + LASTING:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: fr, en",
    ]
    if settings.secure:
        lines.append(f"Canonical: {settings.public_url}/.well-known/security.txt")
    return PlainTextResponse("\n".join([*lines, ""]))
