"""One turn, then compare, then write: how a row that people change is changed (docs/decisions/0008)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CHANGING = 0x7E403  # any constant: the PostgreSQL lock that people who change something take turns on


def take(session: Session) -> None:
    """Wait until nobody else changes what people made; from then to the commit nobody but this session does.

    The first thing in a session, before anything is changed: what was read is read again. Twice is fine.
    """
    connection = session.connection()
    if session.info.get("turn") is session.get_transaction():
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CHANGING})")
    elif not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]  # it is open
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    session.info["turn"] = session.get_transaction()
    session.expire_all()
