"""The form of a room, whatever else is away or busy: an answer is kept, and nobody waits for it."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import select

from sensors.reading import StoreError
from service.registry.tables import Answer, Device, Placement, Room, Site
from service.room_form import room_key
from service.web import form


@pytest.fixture
def loire(app, registry, monkeypatch):
    """The address behind the code of a room that has a sensor; nobody waits three seconds here."""
    monkeypatch.setattr(form, "FASTEST", 0.0)
    seen = datetime.now(UTC)
    device = Device(key="hall/a", gateway="hall", first_seen=seen - timedelta(days=3), last_seen=seen)
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", capacity=8, site=Site(slug="mairie", name="Mairie"))
        session.add(Placement(device=device, room=room, start=seen - timedelta(days=3)))
    return f"/r/loire?k={room_key(app.state.settings, 'loire')}"


def answered(stranger, address):
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', stranger.get(address).text)
    return stranger.post("/r/loire", data=dict(hidden) | {"satisfaction": "6", "remark": "La prise est loin"})


def kept(registry):
    with registry.session() as session:
        return [(each.remark, each.flagged) for each in session.scalars(select(Answer))]


def asking(app, monkeypatch, read):
    """Have the reading store answer by `read`."""
    monkeypatch.setattr(app.state.store, "read", lambda *_: read())


def test_an_answer_is_kept_while_the_store_is_away(app, registry, stranger, loire, monkeypatch):
    def away():
        raise StoreError("away")

    asking(app, monkeypatch, away)
    assert answered(stranger, loire).headers["location"] == "/r/loire/thanks"
    assert kept(registry) == [("La prise est loin", False)]


def test_others_write_while_the_store_is_asked(app, registry, stranger, loire, monkeypatch):
    asked = []

    def slow():
        with sqlite3.connect(registry.url.database, timeout=0) as other:
            asked.append(other.execute("UPDATE rooms SET floor = '2'").rowcount)
        return pd.DataFrame({"value": [0.0]})

    asking(app, monkeypatch, slow)
    assert answered(stranger, loire).status_code == 303
    assert asked == [1]
    assert kept(registry) == [("La prise est loin", True)]
