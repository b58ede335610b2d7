"""A second factor: six digits of a telephone after the password, or a recovery code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.registry import audit, people, second_factor, users

KEY = "k" * 40
# RFC 6238, appendix B, SHA-1, the last six of its eight digits
OF_THE_RFC = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.fixture
def secret():
    return second_factor.new_secret()


def enrolled(session, secret, now):
    user = users.add(session, "nora@ville.example", "Nora", "administrator", "correct horse", now)
    return user, second_factor.enrol(session, user, second_factor.seal(secret, KEY), 0, now)


@pytest.mark.parametrize(("seconds", "digits"), OF_THE_RFC)
def test_codes_are_those_of_the_rfc(seconds, digits):
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC’s « 12345678901234567890 »
    assert second_factor.code(secret, seconds // 30) == digits


def test_a_clock_may_be_half_a_minute_off_and_no_more(secret, now):
    here = int(now.timestamp()) // 30
    taken = [
        second_factor.step_of(secret, second_factor.code(secret, here + off), now) for off in range(-2, 3)
    ]
    assert taken == [None, here - 1, here, here + 1, None]


def test_a_code_serves_once_and_so_does_a_recovery_code(either_registry, secret, now):
    with either_registry.session() as session:
        user, recovery = enrolled(session, secret, now)
        right = second_factor.code(secret, int(now.timestamp()) // 30)
        typed = f"{right[:3]} {right[3:]}"
        wrong = f"{(int(right) + 1) % 10**6:06}"

        def takes(given, later=0):
            return second_factor.accepts(session, user, given, KEY, now + timedelta(seconds=later))

        assert [takes(wrong), takes(typed), takes(typed)] == [False, True, False]
        assert [takes(right, 20), takes(second_factor.code(secret, int(now.timestamp()) // 30 + 1), 30)] == [
            False,
            True,
        ]
        assert [takes(recovery[3].lower()), takes(recovery[3]), takes(recovery[4])] == [True, False, True]
        assert (len(recovery), len(set(recovery))) == (10, 10)


def test_neither_secret_nor_codes_can_be_read_from_the_registry(registry, settings, secret, now):
    with registry.session() as session:
        user, recovery = enrolled(session, secret, now)
        with pytest.raises(second_factor.SealError):
            second_factor.accepts(session, user, "123456", "another key", now)
    everything = b"".join(file.read_bytes() for file in settings.data_dir.glob("registry.db*"))
    assert not [each for each in (secret, *recovery) if each.encode() in everything]


def test_the_audit_says_that_it_was_made_and_a_recovery_code_used_and_no_secret(registry, secret, now):
    with registry.session() as session:
        user, recovery = enrolled(session, secret, now)
    with registry.session() as session:
        user = users.known(session, "nora@ville.example")
        second_factor.accepts(session, user, second_factor.code(secret, int(now.timestamp()) // 30), KEY, now)
    with registry.session() as session:
        second_factor.accepts(session, users.known(session, "nora@ville.example"), recovery[0], KEY, now)
    with registry.session() as session:
        of_it = [each for each in audit.everything(session) if each.kind == "second_factors"]
    assert [each.action for each in of_it] == ["created", "changed"]
    assert (of_it[0].called, of_it[1].after) == ("Nora", {"recovery_sha256": "•"})
    assert of_it[0].after["sealed_secret"] == "•"


def test_it_goes_with_the_person(either_registry, secret, now):
    with either_registry.session() as session:
        user, _ = enrolled(session, secret, now)
        users.add(session, "ana@ville.example", "Ana", "administrator", None, now)
        number = user.id
    with either_registry.session() as session:
        people.remove(session, number)
    with either_registry.session() as session:
        users.add(session, "ben@ville.example", "Ben", "reader", None, datetime.now(UTC)).id = number
        session.flush()
        assert second_factor.of(session, users.known(session, "ben@ville.example")) is None
