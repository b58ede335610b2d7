"""In whose hands an experiment is: who may act on it, and what they see first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from dashboards.language import plain
from service.registry import audit, people, users
from service.registry.tables import Arm, Experiment, Measure, Room, Share, Site, User

TODAY = datetime.now(UTC).date()
OWNER = "/experiments/tables/owner"


def trial(slug, ends, room):
    return Experiment(
        slug=slug, title=slug.title(), declared_at=datetime(2020, 1, 1, tzinfo=UTC),
        starts=ends - timedelta(days=60), ends=ends, washout=0, sheet={},
        arms=[Arm(room=room, switch=ends - timedelta(days=30))],
        measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
    )  # fmt: skip


@pytest.fixture
def camille(registry, browser_of):
    """Somebody of facilities, and two experiments that ended."""
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="m", name="M"))
        session.add(trial("chaises", TODAY - timedelta(days=9), room))
        session.add(trial("tables", TODAY - timedelta(days=2), room))
    return browser_of("facilities")


@pytest.fixture
def number(registry):
    """Of the person with this role."""

    def of(role, *, name=None):
        with registry.session() as session:
            email = f"{name or role}@ville.example"
            user = users.find(session, email) or users.add(
                session, email, (name or role).title(), role, None, datetime.now(UTC)
            )
            session.flush()
            return str(user.id)

    return of


def give(browser, to, seen=""):
    return browser.post(OWNER, data={"csrf": browser.csrf, "owner": to, "seen": seen})


def owner(registry):
    with registry.session() as session:
        found = session.scalars(select(Experiment).where(Experiment.slug == "tables")).one().owner
        return None if found is None else found.email


def test_one_takes_it_and_sees_it_first(camille, registry, number):
    page = plain(camille.get("/").text)
    assert page.index("/experiments/chaises") < page.index("/experiments/tables")
    assert f'value="{number("facilities")}" selected' in camille.get(OWNER).text  # proposed to oneself
    assert give(camille, number("facilities")).headers["location"] == "/experiments/tables"
    assert owner(registry) == "facilities@ville.example"
    page = plain(camille.get("/").text)
    assert page.index("/experiments/tables") < page.index("/experiments/chaises")
    assert "vous en êtes responsable" in page
    with registry.session() as session:
        change = list(audit.everything(session))[-1]
    assert change.after == {"owner": "facilities@ville.example"}
    assert change.who == "Facilities <facilities@ville.example>"


def test_only_its_owner_and_administrators_act_on_it(camille, registry, browser_of, number):
    give(camille, number("facilities"))
    analyst = browser_of("analyst")  # may do more than facilities, but not this
    shares = "/experiments/tables/shares"
    assert give(analyst, number("analyst"), number("facilities")).status_code == 403
    refused = analyst.post(shares, data={"csrf": analyst.csrf, "days": "30"})
    assert refused.status_code == 403
    assert "C’est à Facilities, responsable de l’expérience" in plain(refused.text)
    assert f'action="{shares}"' not in analyst.get("/experiments/tables").text
    assert camille.post(shares, data={"csrf": camille.csrf, "days": "30"}).status_code == 200
    assert analyst.post(f"{shares}/1/revoke", data={"csrf": analyst.csrf}).status_code == 403
    with registry.session() as session:
        assert [each.revoked_at for each in session.scalars(select(Share))] == [None]
    administrator = browser_of("administrator")
    assert administrator.post(f"{shares}/1/revoke", data={"csrf": administrator.csrf}).status_code == 303
    assert give(administrator, number("analyst"), number("facilities")).status_code == 303
    assert owner(registry) == "analyst@ville.example"
    assert give(camille, number("facilities"), number("analyst")).status_code == 403


def test_the_second_of_two_sees_who_has_it_now(camille, registry, browser_of, number):
    give(camille, number("facilities"))
    administrator = browser_of("administrator")
    late = give(administrator, number("administrator"), seen="")
    assert late.status_code == 409
    assert "c’est maintenant Facilities" in plain(late.text)
    assert f'value="{number("administrator")}" selected' in late.text  # what was wanted stays
    assert owner(registry) == "facilities@ville.example"
    assert give(administrator, number("administrator"), number("facilities")).status_code == 303
    assert give(administrator, number("administrator"), number("facilities")).status_code == 303  # sent twice


@pytest.mark.parametrize("wanted", ["0", "999999", "-1", "9" * 10_000, "camille", "\0", "<b>", "😀"])
def test_it_goes_to_nobody_who_is_not_listed(camille, registry, wanted):
    answer = give(camille, wanted)
    assert answer.status_code == 422
    assert "Choisissez une des personnes de la liste." in answer.text
    assert owner(registry) is None


def test_readers_and_closed_accounts_are_not_listed(camille, registry, number):
    reader, gone = number("reader"), number("facilities", name="gone")
    with registry.session() as session:
        session.get(User, int(gone)).active = False
    page = camille.get(OWNER).text
    assert f'value="{reader}"' not in page
    assert f'value="{gone}"' not in page


def test_it_is_in_nobodys_hands_when_its_owner_is_deleted(camille, registry, number, browser_of):
    give(camille, number("facilities"))
    with registry.session() as session:
        people.remove(session, int(number("facilities")))
    assert owner(registry) is None
    assert give(browser_of("analyst"), number("analyst")).status_code == 303


def test_two_of_one_name_are_told_apart(camille, number, registry):
    number("facilities")
    with registry.session() as session:
        users.add(session, "other@ville.example", "Facilities", "facilities", None, datetime.now(UTC))
    page = camille.get(OWNER).text
    assert "Facilities, facilities@ville.example" in page
    assert "Facilities, other@ville.example" in page


def test_it_may_be_laid_down(camille, registry, number):
    give(camille, number("facilities"))
    assert give(camille, "", number("facilities")).status_code == 303
    assert owner(registry) is None
    assert "Dire qui en est responsable" in camille.get("/experiments/tables").text


def test_an_experiment_nobody_knows(camille):
    assert camille.get("/experiments/none/owner").status_code == 404
    answer = camille.post("/experiments/none/owner", data={"csrf": camille.csrf})
    assert answer.status_code == 404
