"""Témoin's own InfluxDB token, made with the administrator's: it reads and writes one bucket, nothing else.

    python -m service.deploy.influx_token ADMIN_TOKEN_FILE TOKEN_FILE

Address, organisation and bucket are the settings TEMOIN_INFLUX_*. A token file that still opens the bucket is
left alone; otherwise the token of before is withdrawn and a new one written, for its owner's eyes only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from service.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.settings import Settings

DESCRIPTION = "temoin: read and write its bucket"
PATIENCE = 10.0  # seconds an answer may take


class TokenError(Exception):
    """No token could be made; the sentence says why and what to do."""


def make_token(settings: Settings, admin_token: str, path: Path) -> bool:
    """Whether a token had to be made and written to `path`. Raises TokenError."""
    if path.exists() and _bucket(settings, path.read_text(encoding="ascii").strip()) is not None:
        return False
    bucket = _bucket(settings, admin_token)
    if bucket is None:
        raise TokenError(
            f"InfluxDB at {settings.influx_url} has no bucket {settings.influx_bucket} in the organisation "
            f"{settings.influx_org}, or does not know the administrator's token: see TEMOIN_INFLUX_*."
        )
    _withdraw(settings, admin_token)
    made = _ask(settings, admin_token, "POST", "authorizations", body=_rights(bucket))
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(f"{made['token']}\n", encoding="ascii")
    draft.replace(path)
    return True


def _rights(bucket: Mapping[str, Any]) -> dict[str, Any]:
    resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
    permissions = [{"action": action, "resource": resource} for action in ("read", "write")]
    return {"orgID": bucket["orgID"], "description": DESCRIPTION, "permissions": permissions}


def _bucket(settings: Settings, token: str) -> dict[str, Any] | None:
    """The bucket as this token sees it; None where it is refused or sees none."""
    try:
        found = _ask(settings, token, "GET", "buckets", org=settings.influx_org, name=settings.influx_bucket)
    except HTTPError as error:
        if error.code in (401, 403, 404):
            return None
        raise TokenError(f"InfluxDB at {settings.influx_url} answers {error.code}: see its log.") from error
    buckets: list[dict[str, Any]] = found["buckets"]
    return buckets[0] if buckets else None


def _withdraw(settings: Settings, admin_token: str) -> None:
    """Tokens made here before: their file is gone, so nobody should hold them."""
    found = _ask(settings, admin_token, "GET", "authorizations", org=settings.influx_org)
    for each in found["authorizations"]:
        if each["description"] == DESCRIPTION:
            _ask(settings, admin_token, "DELETE", f"authorizations/{each['id']}")


def _ask(
    settings: Settings, token: str, method: str, path: str, body: object = None, **query: str
) -> dict[str, Any]:
    url = f"{settings.influx_url.rstrip('/')}/api/v2/{path}?{urlencode(query)}"
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, headers, method=method)  # noqa: S310 - the operator's own address
    try:
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - likewise
            text = answer.read()
    except HTTPError:
        raise
    except (URLError, TimeoutError) as error:
        raise TokenError(
            f"InfluxDB at {settings.influx_url} does not answer ({error}): see TEMOIN_INFLUX_URL."
        ) from error
    answered: dict[str, Any] = json.loads(text) if text else {}
    return answered


def main() -> int:
    """The command; 0 when the token file serves."""
    admin, path = map(Path, sys.argv[1:3])
    try:
        # said to be embedded: with influxdb the settings would ask for the token that is to be made
        settings = load_settings(store="embedded")
        made = make_token(settings, admin.read_text(encoding="ascii").strip(), path)
    except (TokenError, SettingsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}: {'made' if made else 'serves'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
