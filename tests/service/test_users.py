"""People, their passwords and their sessions."""

from datetime import timedelta

import pytest

from service.registry import users
from service.registry.tables import Session as SignedIn
from service.registry.users import UserError

HOUR = timedelta(hours=1)


@pytest.fixture
def camille(registry, now):
    with registry.session() as session:
        return users.add(
            session, "Camille@Ville.example", "Camille", "facilities", "correct horse battery", now
        )


def test_a_password_opens_whatever_the_case_of_the_address(registry, camille):
    with registry.session() as session:
        assert users.checked(session, "camille@VILLE.example", "correct horse battery").id == camille.id


@pytest.mark.parametrize(
    ("email", "password"),
    [("camille@ville.example", "wrong horse!"), ("nobody@ville.example", "correct horse battery"), ("", ""),
     ("camille@ville.example", "x" * 100_000)],
)  # fmt: skip
@pytest.mark.usefixtures("camille")
def test_anything_else_opens_nothing(registry, email, password):
    with registry.session() as session:
        assert users.checked(session, email, password) is None


def test_text_that_postgresql_does_not_take_is_nobody(either_registry, now):
    with either_registry.session() as session:
        users.add(session, "camille@ville.example", "Camille", "reader", "correct horse battery", now)
        for email in ("camille@ville.example\0", "\0", "🙂" * 10_000, "\u202e@ville.example"):
            assert users.checked(session, email, "correct horse battery") is None


def test_the_password_itself_is_nowhere(camille):
    assert camille.password_hash.startswith("$argon2id$")
    assert "correct horse battery" not in camille.password_hash


def test_somebody_disabled_is_let_in_no_more(registry, camille, now):
    with registry.session() as session:
        token = users.open_session(session, camille, now, HOUR)
        users.known(session, camille.email).active = False
        session.flush()
        assert users.session_user(session, token, now) is None
        assert users.checked(session, camille.email, "correct horse battery") is None


def test_somebody_without_a_password_signs_in_by_link_only(registry, now):
    with registry.session() as session:
        users.add(session, "guest@ville.example", "", "reader", None, now)
        assert users.checked(session, "guest@ville.example", "") is None


@pytest.mark.parametrize(
    ("email", "role", "password", "says"),
    [
        ("camille@ville.example", "reader", "long enough pw", "there already"),
        ("camille", "reader", "long enough pw", "not an e-mail"),
        ("a@b.example", "king", "long enough pw", "no role « king »"),
        ("a@b.example", "reader", "short", "12 to 128"),
    ],
)
@pytest.mark.usefixtures("camille")
def test_a_person_that_cannot_be_added_is_a_sentence(registry, now, email, role, password, says):
    with pytest.raises(UserError, match=says), registry.session() as session:
        users.add(session, email, "", role, password, now)


def test_only_the_digest_of_a_session_is_kept(registry, camille, now):
    with registry.session() as session:
        token = users.open_session(session, camille, now, HOUR)
        session.flush()
        kept = session.get_one(SignedIn, users._sha256(token))  # noqa: SLF001 - the point of the test
        assert token not in vars(kept).values()


def test_a_session_ends_by_itself(registry, camille, now):
    with registry.session() as session:
        token = users.open_session(session, camille, now, HOUR)
        session.flush()
        assert users.session_user(session, token, now + HOUR - timedelta(seconds=1)).id == camille.id
        assert users.session_user(session, token, now + HOUR) is None


@pytest.mark.parametrize("idle", [10, 15, 120])
def test_who_is_there_every_minute_stays_signed_in_however_short_the_rest(registry, camille, now, idle):
    rest = timedelta(minutes=idle)
    with registry.session() as session:
        token = users.open_session(session, camille, now, 8 * HOUR)
    for minutes in range(1, 3 * idle):
        with registry.session() as session:
            assert users.session_user(session, token, now + timedelta(minutes=minutes), idle=rest), minutes
    with registry.session() as session:
        later = now + timedelta(minutes=minutes) + rest
        assert users.session_user(session, token, later, idle=rest) is None


def test_a_link_serves_once_and_is_no_session(either_registry, now):
    with either_registry.session() as session:
        camille = users.add(session, "camille@ville.example", "", "reader", None, now)
        token = users.open_session(session, camille, now, HOUR, kind="link")
    with either_registry.session() as session:
        assert users.session_user(session, token, now) is None
        assert users.use_link(session, token, now).id == camille.id
        assert users.use_link(session, token, now) is None


def test_an_old_link_opens_nothing(registry, camille, now):
    with registry.session() as session:
        token = users.open_session(session, camille, now, HOUR, kind="link")
        session.flush()
        assert users.use_link(session, token, now + HOUR) is None


def test_what_has_ended_is_forgotten(registry, camille, now):
    with registry.session() as session:
        users.open_session(session, camille, now, HOUR)
        keep = users.open_session(session, camille, now, 2 * HOUR)
        session.flush()
        users.forget_expired(session, now + HOUR)
        assert [row.token_sha256 for row in session.query(SignedIn)] == [users._sha256(keep)]  # noqa: SLF001 - as above
