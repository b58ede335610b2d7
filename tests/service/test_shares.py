"""Share links: what somebody without an account is shown, and until when."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from service.registry import audit, experiments, shares
from service.registry.tables import Answer, Arm, Deviation, Experiment, Measure, Room, Share, Site
from service.web.sign_in import OF_ADDRESS

TODAY = datetime.now(UTC).date()
SECRET = re.compile(r"http://testserver/s/([\w-]{43})")


def trial(registry, starts: date, *, answers: int = 0) -> None:
    """An experiment of two rooms over eight weeks, and what people answered in the treated one."""
    switch, ends = starts + timedelta(days=28), starts + timedelta(days=55)
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie", weekdays="12345")
        loire, erdre = (
            Room(slug=slug, name=slug.title(), site=site, capacity=8) for slug in ("loire", "erdre")
        )
        session.add(
            Experiment(
                slug="tables", title="Tables « hautes »", declared_at=datetime(2020, 1, 1, tzinfo=UTC),
                starts=starts, ends=ends, washout=0, sheet={"idea": "Debout, on conclut plus vite."},
                arms=[Arm(room=loire, switch=switch), Arm(room=erdre)],
                measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
            )
        )  # fmt: skip
        session.flush()
        for n in range(answers):
            said = {
                "day": switch + timedelta(days=1),
                "hour": 9,
                "satisfaction": 6,
                "remark": f"remarque {n}",
            }
            session.add(Answer(room_id=loire.id, **said))


@pytest.fixture
def facilities(browser_of):
    return browser_of("facilities")


@pytest.fixture
def sharer(registry, facilities):
    """Somebody of facilities, and an experiment that has ended."""
    trial(registry, TODAY - timedelta(days=90))
    return facilities


def make(browser, days="30") -> str:
    """The address of a new link."""
    answer = browser.post("/experiments/tables/shares", data={"csrf": browser.csrf, "days": days})
    assert answer.status_code == 200, answer.text
    return f"/s/{SECRET.search(answer.text)[1]}"


def revoke(browser, number=1):
    return browser.post(f"/experiments/tables/shares/{number}/revoke", data={"csrf": browser.csrf})


def test_the_form_is_on_the_page_of_who_may_share(sharer, reader):
    assert 'action="/experiments/tables/shares"' in sharer.get("/experiments/tables").text
    assert "/shares" not in reader.get("/experiments/tables").text


def test_every_duration_that_is_offered_is_taken(sharer):
    offered = re.findall(r'<option value="(\d+)"', sharer.get("/experiments/tables").text)
    assert tuple(map(int, offered)) == shares.LASTING
    for days in offered:
        make(sharer, days)


def test_another_duration_gets_a_sentence(sharer, registry):
    for days in ("", "365", "-7", "trente", "9" * 10_000, "７", "30\0"):
        answer = sharer.post("/experiments/tables/shares", data={"csrf": sharer.csrf, "days": days})
        assert answer.status_code == 422, days[:10]
        assert "Choisissez une des durées" in answer.text
        assert 'aria-invalid="true"' in answer.text
    with registry.session() as session:
        assert session.scalars(select(Share)).all() == []


def test_who_has_no_account_reads_the_page(sharer, stranger):
    answer = stranger.get(make(sharer))
    assert answer.status_code == 200
    assert "Tables « hautes »" in answer.text
    assert "Debout, on conclut plus vite." in answer.text
    assert "L’essai en bref" in answer.text
    assert "The trial in short" in stranger.get(make(sharer) + "?lang=en").text or 'lang="en"' in answer.text


def test_the_page_leads_nowhere_that_needs_an_account(sharer, stranger):
    """Nor for who is signed in: they see what they share."""
    path = make(sharer)
    for browser in (stranger, sharer):
        page = browser.get(path).text
        inside = set(re.findall(r'(?:href|action|src)="(/[^"]*)"', page))
        public = {path + "?lang=en", "/accessibilite"}
        assert {each for each in inside if not each.startswith("/static/")} == public
        assert "<nav" not in page
        assert "<form" not in page


def test_its_headers_keep_the_address_to_itself(sharer, stranger):
    for path, status in ((make(sharer), 200), ("/s/unknown", 404)):
        answer = stranger.get(path)
        assert answer.status_code == status
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert "set-cookie" not in answer.headers


def test_what_is_shown_is_frozen(sharer, registry, stranger):
    path = make(sharer)
    before = stranger.get(path).text
    with registry.session() as session:
        found = experiments.find(session, "tables")
        found.title, found.sheet = "Autre titre", {"idea": "Une autre idée"}
        at = datetime.now(UTC)
        found.deviations.append(Deviation(day=TODAY, what="Travaux", entered_by="A", entered_at=at))
    assert "Autre titre" in sharer.get("/experiments/tables").text
    assert stranger.get(path).text == before
    assert "Autre titre" in stranger.get(make(sharer)).text


def test_a_running_experiment_shares_its_seals(registry, facilities, stranger):
    trial(registry, TODAY - timedelta(days=35), answers=9)
    path = make(facilities)
    page = stranger.get(path).text
    assert "En cours, sous scellés" in page
    assert "remarque" not in page


@pytest.mark.parametrize(("answers", "shown"), [(4, False), (5, True)])
def test_what_fewer_than_five_said_is_not_shared(registry, facilities, stranger, answers, shown):
    trial(registry, TODAY - timedelta(days=90), answers=answers)
    page = stranger.get(make(facilities)).text
    assert ("remarque 1" in page) == shown
    assert ("Moins de 5 réponses" in page) != shown


@pytest.mark.parametrize(("since", "shown"), [(4, False), (5, True)])
def test_remarks_are_not_those_of_fewer_than_five_though_more_spoke_before_the_switch(
    registry, facilities, since, shown
):
    trial(registry, TODAY - timedelta(days=90), answers=since)
    with registry.session() as session:
        loire = session.scalars(select(Room).where(Room.slug == "loire")).one()
        before = experiments.find(session, "tables").starts
        session.add_all(Answer(room_id=loire.id, day=before, hour=9, satisfaction=6) for _ in range(9))
    assert ("remarque 1" in facilities.get("/experiments/tables").text) == shown


@pytest.mark.parametrize(("goes_on", "told"), [(True, (9, 0)), (False, (9, 9))])
def test_of_a_trial_that_is_only_observed_remarks_wait_for_its_end(registry, facilities, goes_on, told):
    """Whoever looked every day would know whose the new one is."""
    trial(registry, TODAY - timedelta(days=20 if goes_on else 90), answers=0)
    with registry.session() as session:
        tables = experiments.find(session, "tables")
        for arm in tables.arms:
            arm.switch = None
        said = {"day": tables.starts, "hour": 9, "satisfaction": 6}
        room = tables.arms[0].room_id
        session.add_all(Answer(room_id=room, **said, remark=f"remarque {n}") for n in range(9))
    voices = facilities.get("/api/v1/experiments/tables/voices").json()
    assert (voices["answers"], voices["remarks_total"]) == told
    assert ("remarque 8" in facilities.get("/experiments/tables").text) != goes_on


def test_expired_revoked_and_unknown_answer_the_same(sharer, registry, stranger):
    expired, revoked, unknown = make(sharer, "7"), make(sharer, "90"), "/s/" + "A" * 43
    assert revoke(sharer, 2).status_code == 303
    with registry.session() as session:
        session.get(Share, 1).expires = datetime.now(UTC)
    told = {}
    for path in (expired, revoked, unknown, "/s/%C3%A9%00%FF"):
        answer = stranger.get(path)
        told[path] = (answer.status_code, re.sub(r'href="/s/[^"]*"', "", answer.text))
    assert len(set(told.values())) == 1
    status, page = told[expired]
    assert status == 404
    assert "Ce lien n’ouvre rien" in page
    assert "Tables" not in page


def test_a_link_lasts_to_its_day_and_no_longer(sharer, registry):
    token, now = make(sharer, "7").removeprefix("/s/"), datetime.now(UTC)
    with registry.session() as session:
        assert shares.follow(session, token, now + timedelta(days=6, hours=23)) is not None
        assert shares.follow(session, token, now + timedelta(days=7, seconds=1)) is None


def test_the_token_is_kept_nowhere(sharer, registry, settings):
    token = make(sharer).removeprefix("/s/")
    with registry.session() as session:
        assert token not in "".join(
            audit.canonical(audit.document(each)) for each in audit.everything(session)
        )
    registry.close()
    assert token.encode() not in b"".join(
        each.read_bytes() for each in settings.data_dir.glob("registry.db*")
    )


def test_the_list_says_who_made_it_and_when_it_was_used(sharer, stranger):
    path = make(sharer)
    assert "jamais ouvert" in sharer.get("/experiments/tables/shares").text
    stranger.get(path)
    page = sharer.get("/experiments/tables/shares").text
    assert "ouvert la dernière fois le" in page
    assert "Créé par Facilities" in page
    assert path not in page


def test_revoked_is_for_good_and_twice_does_no_harm(sharer, registry, stranger):
    path = make(sharer)
    assert [revoke(sharer).status_code for _ in range(2)] == [303, 303]
    assert stranger.get(path).status_code == 404
    with registry.session() as session:
        assert session.get(Share, 1).frozen == {}
    page = sharer.get("/experiments/tables/shares?done=revoked").text
    assert "C’est révoqué" in page
    assert "/revoke" not in page


def test_a_link_is_revoked_where_it_was_made(sharer, registry):
    make(sharer)
    with registry.session() as session:
        session.add(
            Experiment(slug="other", title="O", declared_at=datetime(2020, 1, 1, tzinfo=UTC), sheet={})
        )
    for path in ("/experiments/other/shares/1/revoke", "/experiments/tables/shares/2/revoke"):
        assert sharer.post(path, data={"csrf": sharer.csrf}).status_code == 404


def test_links_that_open_something_are_no_more_than_twenty(sharer):
    for _ in range(shares.MOST):
        make(sharer)
    answer = sharer.post("/experiments/tables/shares", data={"csrf": sharer.csrf, "days": "7"})
    assert answer.status_code == 409
    assert "révoquez-en un d’abord" in answer.text
    revoke(sharer)
    make(sharer)


def test_guessing_is_slowed_and_a_link_that_opens_counts_for_nothing(sharer, stranger):
    path = make(sharer)
    for _ in range(OF_ADDRESS + 1):
        assert stranger.get(path).status_code == 200
    for _ in range(OF_ADDRESS):
        assert stranger.get("/s/guess").status_code == 404
    answer = stranger.get("/s/guess")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Réessayez dans 15 minutes" in answer.text


def test_the_audit_has_who_shared_and_who_revoked(sharer, registry):
    make(sharer)
    revoke(sharer)
    with registry.session() as session:
        made, gone = [each for each in audit.everything(session) if each.kind == "shares"]
        assert audit.verify(session).broken is None
    assert (made.action, made.called) == ("created", "Tables « hautes »")
    assert made.who == gone.who == "Facilities <facilities@ville.example>"
    assert made.after["token_sha256"] == audit.HIDDEN
    assert list(gone.after) == ["revoked_at"]
    assert "frozen" not in "".join(made.after)


def test_no_text_of_the_house_becomes_markup(sharer, registry, stranger):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    with registry.session() as session:
        found = experiments.find(session, "tables")
        found.title, found.sheet = evil, {"idea": evil}
    page = stranger.get(make(sharer)).text
    assert page.count("&lt;script&gt;alert(1)") >= 3  # in the title, the heading, the sheet
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page


def test_links_are_forgotten_a_month_after_they_opened_something(sharer, registry):
    make(sharer, "7")
    for days, left in ((36, 1), (38, 0)):
        with registry.session() as session:
            shares.forget(session, datetime.now(UTC) + timedelta(days=days))
        with registry.session() as session:
            assert len(session.scalars(select(Share)).all()) == left


def test_both_databases_keep_a_share(either_registry, now):
    trial(either_registry, TODAY - timedelta(days=90))
    with either_registry.session() as session:
        tables = experiments.find(session, "tables")
        token = shares.make(session, tables, {"title": "T", "fr": "<p>é</p>", "en": ""}, "Marie", now, 7)
    with either_registry.session() as session:
        assert shares.follow(session, token, now).frozen["fr"] == "<p>é</p>"
        assert shares.revoke(session, experiments.find(session, "tables"), 1, now)
    with either_registry.session() as session:
        assert shares.follow(session, token, now) is None
