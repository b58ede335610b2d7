"""How a room's form is opened: its address, and the key in it that its poster carries."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from fastapi import Request

    from service.settings import Settings

KEY_ID = "1"  # a room's code is `{KEY_ID}.{HMAC}`: another id revokes every poster
KEY_LENGTH = 22  # characters of the HMAC kept: 128 bits


def room_key(settings: Settings, slug: str) -> str:
    """What the room's QR code carries, so that an address cannot be guessed from a room's name."""
    secret = str(settings.signing_key()).encode()
    signed = hmac.new(secret, f"room:{KEY_ID}:{slug}".encode(), hashlib.sha256).hexdigest()
    return f"{KEY_ID}.{signed[:KEY_LENGTH]}"


def opens(settings: Settings, slug: str, key: str) -> bool:
    """Whether this is the room's key, compared in constant time."""
    return hmac.compare_digest(key.encode(), room_key(settings, slug).encode())


def form_url(request: Request, slug: str) -> str:
    """The address of a room's form, as its poster gives it."""
    settings = request.app.state.settings
    base = settings.public_url or str(request.base_url)
    return f"{base.rstrip('/')}/r/{quote(slug)}?k={room_key(settings, slug)}"
