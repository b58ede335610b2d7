"""Share links: for somebody without an account, an experiment's page as it was; kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, or_, select

from service.registry.tables import Share
from service.registry.users import SEEN_TO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from service.registry.tables import Experiment

State = Literal["open", "expired", "revoked"]
LASTING = (7, 30, 90)  # days one may choose from
MOST = 20  # links of one experiment that open something at once
KEPT = timedelta(days=30)  # how long one that opens nothing any more stays in the list


class TooManyShares(Exception):  # noqa: N818 - not an error: the page says it
    """So many links of this experiment are open that one has to be revoked first."""


def make(
    session: Session, experiment: Experiment, frozen: Mapping[str, Any], by: str, now: datetime, days: int
) -> str:
    """The token of a new link to `/s/{token}`, for one of LASTING days; raises TooManyShares."""
    opening = select(func.count()).where(
        Share.experiment_id == experiment.id, Share.revoked_at.is_(None), Share.expires > now
    )
    if (session.scalar(opening) or 0) >= MOST:
        raise TooManyShares
    token = secrets.token_urlsafe(32)
    share = Share(token_sha256=_sha256(token), experiment_id=experiment.id, frozen=dict(frozen))
    share.made_at, share.made_by, share.expires = now, by, now + timedelta(days=days)
    session.add(share)
    return token


def follow(session: Session, token: str, now: datetime) -> Share | None:
    """The share that this token opens, which is noted; None for one unknown, expired or revoked."""
    share = session.scalar(select(Share).where(Share.token_sha256 == _sha256(token)))
    if share is None or share.revoked_at is not None or share.expires <= now:
        return None
    if share.last_used is None or now - share.last_used >= SEEN_TO:
        share.last_used = now
    return share


def of_experiment(session: Session, experiment: Experiment) -> Sequence[Share]:
    """Its links, the newest first, those that open nothing any more with them."""
    query = select(Share).where(Share.experiment_id == experiment.id)
    return session.scalars(query.order_by(Share.made_at.desc(), Share.id.desc())).all()


def revoke(session: Session, experiment: Experiment, number: int, now: datetime) -> bool:
    """Have a link of this experiment open nothing, for good; False where there is no such link."""
    share = session.get(Share, number)
    if share is None or share.experiment_id != experiment.id:
        return False
    if share.revoked_at is None:
        share.revoked_at, share.frozen = now, {}
    return True


def forget(session: Session, now: datetime) -> None:
    """Delete the links that have opened nothing for KEPT; the audit still says that they were."""
    before = now - KEPT
    spent = select(Share).where(or_(Share.expires < before, Share.revoked_at < before))
    for share in session.scalars(spent):
        session.delete(share)


def state(share: Share, now: datetime) -> State:
    """Whether a link opens something now, and why it does not."""
    if share.revoked_at is not None:
        return "revoked"
    return "expired" if share.expires <= now else "open"


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
