"""A second factor: a code of six digits from a telephone (TOTP, RFC 6238), or a recovery code.

1. The secret is kept sealed (JWE, A256GCM) by a key made of SECRET_KEY for this purpose alone: the database,
   or a copy of it, gives no code.
2. A code serves once: the step of the last one is kept, and only later ones are taken.
3. Recovery codes have 120 bits of chance, so SHA-256 is enough to keep them by; each serves once too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from service.registry.tables import SecondFactor

if TYPE_CHECKING:
    from datetime import datetime

    from joserfc.jwk import OctKey
    from sqlalchemy.orm import Session

    from service.registry.tables import User

STEP = 30  # seconds
DIGITS = 6
DRIFT = 1  # steps before and after: a telephone's clock, a slow hand
SECRET_BYTES = 20  # RFC 4226, section 4: 160 bits
RECOVERY = 10  # codes
RECOVERY_BYTES = 15
HEADER = {"alg": "dir", "enc": "A256GCM"}


class SealError(Exception):
    """The secret was sealed by another SECRET_KEY."""


def new_secret() -> str:
    """A secret as applications take it: base32, 32 characters."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def address(secret: str, email: str, issuer: str = "Témoin") -> str:
    """The otpauth: address that applications read (Google's Key URI Format)."""
    return f"otpauth://totp/{quote(f'{issuer}:{email}')}?secret={secret}&issuer={quote(issuer)}"


def grouped(text: str) -> str:
    """By fours, to be read and typed."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def code(secret: str, step: int) -> str:
    """The six digits of this step: RFC 4226, section 5.3, on the counter of RFC 6238, section 4.2."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8), "sha1")  # what applications count by
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, typed: str, now: datetime) -> int | None:
    """Which step around `now` these digits are of; None for none."""
    here, digits = int(now.timestamp()) // STEP, _bare(typed).encode()
    steps = range(here - DRIFT, here + DRIFT + 1)
    return next((each for each in steps if hmac.compare_digest(code(secret, each).encode(), digits)), None)


def seal(secret: str, signing_key: str) -> str:
    """The secret, for whoever has the key only."""
    from joserfc import jwe  # noqa: PLC0415 - only where a second factor is at hand

    return jwe.encrypt_compact(HEADER, secret.encode(), _key(signing_key))


def unseal(sealed: str, signing_key: str) -> str:
    """The secret. Raises SealError."""
    from joserfc import jwe  # noqa: PLC0415 - likewise
    from joserfc.errors import JoseError  # noqa: PLC0415 - likewise

    try:
        opened = jwe.decrypt_compact(sealed, _key(signing_key), algorithms=list(HEADER.values())).plaintext
    except (JoseError, ValueError) as error:
        raise SealError from error
    return (opened or b"").decode()


def enrol(session: Session, user: User, sealed: str, step: int, now: datetime) -> list[str]:
    """From now on this person is asked for codes later than `step`; the recovery codes, to be shown once."""
    codes = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode() for _ in range(RECOVERY)]
    factor = SecondFactor(user_id=user.id, sealed_secret=sealed, last_step=step, enrolled_at=now)
    factor.recovery_sha256 = [_sha256(each) for each in codes]
    take_away(session, user)
    session.flush()
    session.add(factor)
    return codes


def of(session: Session, user: User) -> SecondFactor | None:
    """What this person has, if anything."""
    return session.get(SecondFactor, user.id)


def take_away(session: Session, user: User) -> bool:
    """The password alone serves again; whether there was a second factor."""
    factor = of(session, user)
    if factor is not None:
        session.delete(factor)
    return factor is not None


def accepts(session: Session, user: User, typed: str, signing_key: str, now: datetime) -> bool:
    """Whether this is a code of theirs that was not used yet; now it is. Raises SealError."""
    with session.begin_nested():  # two at once take turns: SQLite's own, PostgreSQL's row
        factor = session.get(SecondFactor, user.id, with_for_update=True, populate_existing=True)
        if factor is None:
            return False
        hashed = _sha256(_bare(typed).upper())
        if hashed in factor.recovery_sha256:
            factor.recovery_sha256 = [each for each in factor.recovery_sha256 if each != hashed]
            return True
        step = step_of(unseal(factor.sealed_secret, signing_key), typed, now)
        if step is None or step <= factor.last_step:
            return False
        factor.last_step = step
        return True


def _bare(typed: str) -> str:
    return "".join(typed[:100].split())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _key(signing_key: str) -> OctKey:
    from joserfc.jwk import OctKey  # noqa: PLC0415 - likewise

    return OctKey.import_key(hmac.digest(signing_key.encode(), b"second-factor", "sha256"))
