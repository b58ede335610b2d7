"""Is the work of this container being done? What docker-compose.yml asks every minute; exit 0 is yes.

python -m service.deploy.alive ingest | jobs; a sentence on stderr says what is not.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

STATUS_AGE = timedelta(minutes=1)  # receiver and mover each write theirs every few seconds


def ingest() -> str | None:
    """What is wrong with receiver or mover; None when both spoke within the minute."""
    folder = Path(os.environ.get("TEMOIN_DATA_DIR", "data")) / "landing"
    name = os.environ.get("TEMOIN_LANDING", "mqtt")
    for part in ("receiver", "mover"):
        try:
            status = json.loads((folder / f"{name}.{part}.json").read_text(encoding="utf-8"))
            at = datetime.fromisoformat(status["at"])
        except (OSError, ValueError, KeyError):
            return f"the {part} has said nothing yet"
        if datetime.now(UTC) - at > STATUS_AGE:
            return f"the {part} has said nothing since {at:%H:%M:%S} UTC"
    return None


def jobs() -> str | None:
    """What is wrong with the jobs; None when somebody holds their lease."""
    from service.registry import Registry, RegistryError  # noqa: PLC0415 - not for ingest, which asks often
    from service.registry.tables import Lease  # noqa: PLC0415 - likewise
    from service.settings import load_settings  # noqa: PLC0415 - likewise

    registry = Registry(load_settings().registry_url)
    try:
        registry.check()
        with registry.session() as session:
            lease = session.get(Lease, "jobs")
    except RegistryError as error:
        return str(error)
    finally:
        registry.close()
    return None if lease and lease.until > datetime.now(UTC) else "nobody holds the lease of the jobs"


def main() -> int:
    """The command."""
    ask = {"ingest": ingest, "jobs": jobs}
    wrong = ask[sys.argv[1]]()
    if wrong is not None:
        sys.stderr.write(f"{wrong}\n")
    return int(wrong is not None)


if __name__ == "__main__":
    raise SystemExit(main())
