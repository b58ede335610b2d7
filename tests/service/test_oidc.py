"""Signing in at an OpenID provider: one that tells the truth, one that lies, one that is away."""

import re
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `openid` is a sibling

import openid

from service.oidc import AT_ONCE, LARGEST, LEEWAY, RENEWED, Provider, ProviderAway
from service.registry import identities, users
from service.registry.tables import Change, Identity, User
from service.settings import Settings

HERE = "http://testserver"
SAID = {
    "refused": "n’a pas pu être vérifiée",
    "clock": "ne s’accordent pas",
    "away": "ne répond pas",
    "stale": "trop longtemps",
    "denied": "annulée",
    "unknown": "pas encore",
    "disabled": "fermé",
    "no_address": "adresse électronique vérifiée",
    "address_taken": "a déjà votre adresse",
}


@pytest.fixture
def provider():
    provider = openid.Provider()
    yield provider
    provider.close()


@pytest.fixture
def chosen():
    """Settings that a test chooses."""
    return {}


@pytest.fixture
def settings(tmp_path, provider, chosen):
    given = {"oidc_issuer": provider.issuer, "oidc_client_id": openid.CLIENT, "public_url": HERE}
    given |= {"oidc_client_secret": openid.SECRET, "data_dir": tmp_path / "data"}
    return Settings(**given | chosen)


def begin(browser, path="/sign-in/oidc"):
    """What the browser takes to the provider."""
    answer = browser.get(path)
    assert answer.status_code == 303, answer.text
    address = urlsplit(answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def come_back(browser, provider, asked, **claims):
    code = provider.grant(asked, **claims)
    return browser.get("/sign-in/oidc/back", params={"code": code, "state": asked["state"]})


def sign_in(browser, provider, path="/sign-in/oidc", **claims):
    return come_back(browser, provider, begin(browser, path), **claims)


def account(registry, email="camille@ville.example"):
    with registry.session() as session:
        return users.find(session, email)


def add(registry, role="reader", email="camille@ville.example", **about):
    with registry.session() as session:
        user = users.add(session, email, "Camille", role, None, datetime.now(UTC))
        for name, value in about.items():
            setattr(user, name, value)
        return user


def refused(answer, key):
    assert SAID[key] in answer.text
    assert answer.status_code >= 400
    assert "temoin=" not in answer.headers.get("set-cookie", "").replace("temoin-", "")
    return True


# ------------------------------------------------------------------------------------- the way there and back


def test_the_button_is_there_where_a_provider_is_set(stranger, app):
    assert 'href="/sign-in/oidc?next=/rooms"' in stranger.get("/sign-in?next=/rooms").text
    app.state.settings = Settings(data_dir=app.state.settings.data_dir)
    assert "/sign-in/oidc" not in stranger.get("/sign-in").text


def test_without_a_provider_there_is_no_such_page(stranger, app):
    app.state.oidc = None
    assert stranger.get("/sign-in/oidc").status_code == 404
    assert stranger.get("/sign-in/oidc/back?state=x").status_code == 404


def test_the_browser_goes_with_state_nonce_and_challenge_and_the_public_address(stranger):
    asked = begin(stranger)
    assert asked["tenant"] == "ville"  # of the address that the provider published
    assert asked["redirect_uri"] == f"{HERE}/sign-in/oidc/back"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 32
    again = begin(stranger)
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))


def test_what_is_kept_meanwhile_is_out_of_reach_and_short_lived(stranger):
    cookie = stranger.get("/sign-in/oidc").headers["set-cookie"]
    assert re.search(r"temoin-oidc=.*HttpOnly.*Max-Age=600.*SameSite=lax", cookie)


def test_a_first_sign_in_makes_a_reader_and_goes_on_to_the_page_wanted(stranger, provider, registry):
    answer = sign_in(stranger, provider, "/sign-in/oidc?next=/rooms%3Fx%3D1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rooms?x=1")
    assert stranger.get("/rooms").status_code == 200
    user = account(registry)
    assert (user.name, user.role, user.password_hash) == ("Camille Robert", "reader", None)


def test_the_second_time_it_is_the_same_person_even_by_another_address(stranger, provider, registry):
    sign_in(stranger, provider)
    sign_in(stranger, provider, email="camille.robert@ville.example")
    with registry.session() as session:
        assert session.scalars(select(User.email)).all() == ["camille@ville.example"]


def test_nobody_is_sent_elsewhere(stranger, provider):
    answer = sign_in(stranger, provider, "/sign-in/oidc?next=https://evil.example")
    assert answer.headers["location"] == "/"


def test_a_session_of_before_is_closed(stranger, provider):
    sign_in(stranger, provider)
    old = stranger.cookies["temoin"]
    sign_in(stranger, provider)
    assert stranger.cookies["temoin"] != old
    stranger.cookies.clear()
    stranger.cookies.set("temoin", old)
    assert stranger.get("/method").status_code == 303


def test_two_tabs_both_arrive(stranger, provider):
    first, second = begin(stranger), begin(stranger, "/sign-in/oidc?next=/rooms")
    assert come_back(stranger, provider, first).headers["location"] == "/"
    assert come_back(stranger, provider, second).headers["location"] == "/rooms"


def test_the_page_back_again_does_no_harm(stranger, provider):
    asked = begin(stranger)
    come_back(stranger, provider, asked)
    assert stranger.get("/sign-in/oidc/back", params={"state": asked["state"]}).headers["location"] == "/"


def test_more_comes_from_userinfo_where_the_token_is_short(stranger, provider, registry):
    provider.userinfo = {"sub": "4711", "email": "Camille@Ville.example", "name": "C."}
    assert sign_in(stranger, provider, email=None).status_code == 303
    assert account(registry).name == "Camille Robert"  # what was signed goes before


def test_userinfo_may_come_signed_as_proconnect_has_it(stranger, provider, registry):
    told = {"sub": "4711", "email": "camille@ville.example", "name": "Camille Robert"}
    provider.answers["/userinfo"] = (200, openid.signed_by(openid.STRANGERS)(told).encode())
    assert refused(sign_in(stranger, provider, email=None), "refused")
    provider.answers["/userinfo"] = (200, openid.signed_by(openid.TRUSTED)(told).encode())
    assert sign_in(stranger, provider, email=None).status_code == 303
    assert account(registry) is not None


def test_a_client_without_secret_says_who_it_is(settings):
    asking = Provider(settings.model_copy(update={"oidc_client_secret": None}))
    _, attempt = asking.begin("/")
    with pytest.raises(Exception, match="401 'invalid_client'"):
        asking.finish(attempt, "code", datetime.now(UTC))


# -------------------------------------------------------------------------------------------- who may come in


def test_an_account_is_never_linked_by_its_address_alone(stranger, provider, registry):
    add(registry, "administrator")
    assert refused(sign_in(stranger, provider), "address_taken")
    with registry.session() as session:
        assert session.scalar(select(Identity)) is None


@pytest.mark.parametrize("chosen", [{"oidc_link_by_email": True}])
def test_nor_where_that_is_allowed_unless_the_provider_verified_it(stranger, provider, registry):
    add(registry, "administrator")
    for said, key in {
        False: "no_address",
        "yes": "no_address",
        1.5: "no_address",
        None: "address_taken",
    }.items():
        assert refused(sign_in(stranger, provider, email_verified=said), key), said


@pytest.mark.parametrize("chosen", [{"oidc_link_by_email": True}])
def test_a_verified_address_links_where_that_is_allowed_and_the_audit_tells(stranger, provider, registry):
    user = add(registry, "administrator")
    assert sign_in(stranger, provider).status_code == 303
    with registry.session() as session:
        assert session.scalar(select(Identity)).user_id == user.id
        assert session.scalars(select(Change.kind).order_by(Change.id)).all() == ["users", "identities"]
    assert account(registry).role == "administrator"


@pytest.mark.parametrize("chosen", [{"oidc_new": "refuse"}])
def test_whoever_has_no_account_is_refused_where_that_is_chosen(stranger, provider, registry):
    assert refused(sign_in(stranger, provider), "unknown")
    assert account(registry) is None


def test_a_closed_account_stays_closed(stranger, provider, registry):
    sign_in(stranger, provider)
    with registry.session() as session:
        users.find(session, "camille@ville.example").active = False
    stranger.cookies.delete("temoin")
    assert refused(sign_in(stranger, provider), "disabled")


def test_without_an_address_there_is_no_account(stranger, provider):
    for claims in (
        {"email": None},
        {"email_verified": False},
        {"email": "no address"},
        {"email": "a\0@b.fr"},
    ):
        assert refused(sign_in(stranger, provider, **claims), "no_address"), claims


@pytest.mark.parametrize("chosen", [{"oidc_roles": "claim=realm.groups;dsi=analyst;admins=administrator"}])
def test_the_directory_says_the_role_at_every_sign_in(stranger, provider, registry):
    add(registry, "administrator", "boss@ville.example")
    roles = [(["dsi", "admins"], "administrator"), ("dsi", "analyst"), (["ADMINS", 7, None], "reader")]
    for groups, role in [*roles, (["dsi"], "analyst"), ({}, "reader")]:
        sign_in(stranger, provider, realm={"groups": groups})
        assert account(registry).role == role


@pytest.mark.parametrize("chosen", [{"oidc_roles": "claim=groups;admins=administrator"}])
def test_the_last_administrator_stays_one(stranger, provider, registry):
    sign_in(stranger, provider, groups=["admins"])
    sign_in(stranger, provider, groups=[])
    assert account(registry).role == "administrator"


def test_a_name_of_any_kind_is_only_a_name(stranger, provider):
    names = ["<script>x</script>", "x" * 10_000, "\0\u202egro", "", "🙂"]
    for number, name in enumerate(names):
        who = {"sub": str(number), "email": f"{number}@ville.example"}
        assert sign_in(stranger, provider, name=name, **who).status_code == 303
        page = stranger.get("/method")
        assert page.status_code == 200
        assert "<script>x" not in page.text


def test_both_kinds_of_registry_know_a_person_again_and_forget_them_with_their_account(either_registry, now):
    told = identities.Told(
        "https://id.example", "4711", "camille@ville.example", "Camille", email_verified=None
    )
    for _ in range(2):
        with either_registry.session() as session:
            user = identities.person(session, told, now)
    with either_registry.session() as session:
        assert [each.id for each in users.everyone(session)] == [user.id]
        assert identities.known(session, user)
        session.delete(session.get(User, user.id))
    with either_registry.session() as session:
        assert session.scalar(select(Identity)) is None


def test_two_tabs_of_somebody_new_make_one_person(stranger, provider, registry, monkeypatch):
    first, second, person = begin(stranger), begin(stranger), identities.person

    def after_the_other(*_given, **_about):
        monkeypatch.setattr(identities, "person", person)
        come_back(stranger, provider, first)  # meanwhile
        raise IntegrityError("INSERT", {}, Exception("there already"))

    monkeypatch.setattr(identities, "person", after_the_other)
    assert come_back(stranger, provider, second).status_code == 303
    with registry.session() as session:
        assert len(users.everyone(session)) == 1


# ------------------------------------------------------------------------------------------------------- lies


LIES = [
    ({"iss": "https://evil.example"}, "refused"),
    ({"iss": None}, "refused"),
    ({"aud": "another-client"}, "refused"),
    ({"aud": "another-client", "azp": openid.CLIENT}, "refused"),
    ({"aud": [openid.CLIENT, "another-client"], "azp": "another-client"}, "refused"),
    ({"aud": None}, "refused"),
    ({"nonce": "another"}, "refused"),
    ({"nonce": None}, "refused"),
    ({"sub": None}, "refused"),
    ({"sub": "x" * 256}, "refused"),
    ({"sub": 4711}, "refused"),
    ({"sub": "a\0b"}, "refused"),
    ({"exp": None}, "refused"),
    ({"exp": "tomorrow"}, "refused"),
]
CLOCKS = [("exp", -LEEWAY - 5), ("iat", LEEWAY + 60), ("nbf", LEEWAY + 60)]  # seconds from now


def test_a_token_that_says_what_it_should_not_opens_nothing(stranger, provider, registry):
    for claims, key in LIES:
        assert refused(sign_in(stranger, provider, **claims), key), claims
    for claim, seconds in CLOCKS:
        assert refused(sign_in(stranger, provider, **{claim: int(time.time()) + seconds}), "clock"), claim
    assert account(registry) is None


def test_a_clock_less_than_a_minute_away_is_fine(stranger, provider):
    assert (
        sign_in(stranger, provider, iat=int(time.time()) + LEEWAY - 20, exp=int(time.time()) - 30).status_code
        == 303
    )


FORGERIES = {
    "another key": openid.signed_by(openid.STRANGERS),
    "none": openid.unsigned,
    "HS256": openid.by_shared_secret,
    "RS256": openid.signed_by(openid.RSA, "RS256"),
    "unknown key": openid.signed_by(openid.TRUSTED, kid="none we know"),
    "text": lambda _claims: "no token",
    "empty": lambda _claims: "",
    "null": lambda _claims: None,
    "object": lambda _claims: {"a": 1},
}


def forged(browser, provider, forgery):
    """A sign-in by a forged token, and why the log says it was refused."""
    provider.sign = forgery
    with capture_logs() as logs:
        assert refused(sign_in(browser, provider), "refused")
    assert "eyJ" not in str(logs)
    return next(line["why"] for line in logs if line["event"] == "oidc_refused")


def test_a_signature_that_does_not_hold_opens_nothing_and_the_log_has_no_token(stranger, provider, registry):
    for name, forgery in FORGERIES.items():
        assert "signature" in forged(stranger, provider, forgery), name
    assert account(registry) is None


def test_a_public_key_is_no_shared_secret(stranger, provider, registry):
    provider.keys = [openid.RSA]
    assert "signature" in forged(stranger, provider, openid.by_public_key)
    assert account(registry) is None


def test_a_key_that_is_not_known_yet_is_fetched_but_not_again_and_again(stranger, app, settings, provider):
    now = [100.0]
    app.state.oidc = Provider(settings, clock=lambda: now[0])
    sign_in(stranger, provider)
    provider.keys, provider.sign = [openid.NEXT], openid.signed_by(openid.NEXT, "RS256", kid="two")
    for _ in range(3):
        assert refused(sign_in(stranger, provider), "refused")
    assert provider.asked.count("/jwks") == 1
    now[0] += RENEWED
    assert sign_in(stranger, provider).status_code == 303
    assert provider.asked.count("/jwks") == 2


def test_userinfo_of_somebody_else_is_refused(stranger, provider):
    provider.userinfo = {"sub": "another", "email": "camille@ville.example"}
    assert refused(sign_in(stranger, provider, email=None), "refused")


def test_an_answer_of_another_provider_is_refused(stranger, provider):
    asked = begin(stranger)
    code = provider.grant(asked)
    back = {"code": code, "state": asked["state"], "iss": "https://evil.example"}
    assert refused(stranger.get("/sign-in/oidc/back", params=back), "refused")


def test_a_code_of_another_browser_opens_nothing(stranger, reader, provider):
    theirs, ours = begin(reader), begin(stranger)
    stolen = provider.grant(theirs)
    answer = stranger.get("/sign-in/oidc/back", params={"code": stolen, "state": ours["state"]})
    assert refused(answer, "refused")  # its verifier is not ours
    answer = stranger.get("/sign-in/oidc/back", params={"code": stolen, "state": theirs["state"]})
    assert refused(answer, "stale")


def test_a_cookie_that_we_did_not_sign_or_that_is_old_is_no_attempt(stranger, monkeypatch):
    asked = begin(stranger)
    with monkeypatch.context() as later:
        late = time.time() + 601
        later.setattr(time, "time", lambda: late)
        assert refused(stranger.get("/sign-in/oidc/back", params={"state": asked["state"]}), "stale")
    stranger.cookies.set("temoin-oidc", "W1siYSIsImIiLCJjIiwiLyJdXQ.x.y")
    assert refused(stranger.get("/sign-in/oidc/back", params={"state": "a", "code": "b"}), "stale")


def test_made_up_codes_are_not_taken_to_the_provider_for_ever(stranger, app, provider):
    app.state.throttles["address"].limit = 3
    for _ in range(5):
        back = {"state": begin(stranger)["state"], "code": "made up"}
        answer = stranger.get("/sign-in/oidc/back", params=back)
    assert (answer.status_code, provider.asked.count("/token")) == (429, 3)
    assert "attendez 15 minutes" in answer.text


def test_whoever_says_no_at_the_provider_is_told(stranger):
    asked = begin(stranger)
    back = {"error": "access_denied", "error_description": "<b>x</b>", "state": asked["state"]}
    answer = stranger.get("/sign-in/oidc/back", params=back)
    assert refused(answer, "denied")
    assert "<b>x" not in answer.text
    assert "%" not in answer.text.partition("<main")[2]


# ------------------------------------------------------------------------------------------------------- away


def test_while_it_is_away_one_signs_in_by_password(stranger, provider, registry):
    with registry.session() as session:
        users.add(session, "local@ville.example", "L", "reader", "correct horse battery", datetime.now(UTC))
    provider.close()
    answer = stranger.get("/sign-in/oidc?next=/rooms")
    assert refused(answer, "away")
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    given = form | {"email": "local@ville.example", "password": "correct horse battery"}
    assert stranger.post("/sign-in", data=given).headers["location"] == "/rooms"


def test_it_is_not_asked_again_at_once_and_is_after_a_while(settings, provider):
    now = [0.0]
    asking = Provider(settings, clock=lambda: now[0])
    provider.answers["/.well-known/openid-configuration"] = (500, b"{}")
    for _ in range(3):
        with pytest.raises(ProviderAway):
            asking.begin("/")
    assert len(provider.asked) == 1
    now[0] = 21.0
    provider.answers.clear()
    assert asking.begin("/")[0].startswith(provider.issuer)
    now[0] = 1000.0
    asking.begin("/")
    assert len(provider.asked) == 2


def test_a_slow_provider_keeps_a_few_waiting_and_pages_are_served_meanwhile(settings, provider):
    """Forty threads serve every page: whoever comes while it is slow is not to have them all."""
    asking, answers = Provider(settings), []
    provider.awake.clear()

    def come() -> None:
        try:
            answers.append(asking.begin("/"))
        except ProviderAway as away:
            answers.append(away)

    coming = [threading.Thread(target=come) for _ in range(40)]
    for each in coming:
        each.start()
    deadline = time.monotonic() + 3
    while (waiting := sum(each.is_alive() for each in coming)) > AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.01)
    provider.awake.set()
    for each in coming:
        each.join()
    assert waiting <= AT_ONCE
    assert sum(isinstance(each, ProviderAway) for each in answers) >= 40 - AT_ONCE
    assert asking.begin("/")  # whoever left keeps no place


NO_ANSWERS = {
    "html": (200, b"<html>"),
    "list": (200, b"[]"),
    "another issuer": (200, b'{"issuer": "https://evil.example"}'),
    "endless": (200, b"{" + b" " * LARGEST + b"}"),
    "deep": (200, b"[" * 100_000),
    "redirect": (302, b"/jwks"),
    "404": (404, b"{}"),
    "bytes": (200, b"\xff\xfe"),
}


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
def test_an_answer_that_is_none_is_as_if_it_were_away(stranger, app, settings, provider, registry, path):
    for name, answer in NO_ANSWERS.items():
        app.state.oidc = Provider(settings)
        provider.answers[path] = answer
        response = stranger.get("/sign-in/oidc")
        if response.status_code == 303:
            response = sign_in(stranger, provider)
        assert any(words in response.text for words in (SAID["away"], SAID["refused"])), name
    assert account(registry) is None


def test_an_address_in_clear_is_not_gone_to(stranger, provider):
    provider.published["authorization_endpoint"] = "http://evil.example/authorize"
    assert refused(stranger.get("/sign-in/oidc"), "away")


# ------------------------------------------------------------------------------------------ signing out there


def sign_out(browser):
    csrf = re.search(r'name="csrf" value="([^"]*)"', browser.get("/account").text)[1]
    assert browser.post("/sign-out", data={"csrf": csrf}).status_code == 303


@pytest.mark.parametrize(("much", "hinted"), [("", True), ("x" * 5000, False)])
def test_where_the_provider_can_be_told_one_signs_out_there_too(stranger, provider, much, hinted):
    """A token that no cookie can hold is not brought back: the provider then asks who it is."""
    provider.published["end_session_endpoint"] = f"{provider.issuer}/end?tenant=ville"
    sign_in(stranger, provider, much=much)
    assert (
        stranger.get("/sign-in/oidc/out").headers["location"] == "/sign-in"
    )  # signed in: not by a mere link
    sign_out(stranger)
    assert 'href="/sign-in/oidc/out"' in stranger.get("/sign-in").text
    address = urlsplit(stranger.get("/sign-in/oidc/out").headers["location"])
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/end"
    assert (asked["tenant"], asked["client_id"]) == ("ville", openid.CLIENT)
    assert asked["post_logout_redirect_uri"] == f"{HERE}/sign-in"
    assert (asked.get("id_token_hint", "").count(".") == 2) is hinted
    assert "/sign-in/oidc/out" not in stranger.get("/sign-in").text


def test_where_it_cannot_nothing_is_kept_and_nothing_offered(stranger, provider):
    sign_in(stranger, provider)
    sign_out(stranger)
    assert "temoin-oidc-known" not in stranger.cookies
    assert "/sign-in/oidc/out" not in stranger.get("/sign-in").text
    assert stranger.get("/sign-in/oidc/out").headers["location"] == "/sign-in"


def test_an_address_in_clear_ends_nothing(stranger, provider):
    provider.published["end_session_endpoint"] = "http://elsewhere.example/end"
    assert sign_in(stranger, provider).status_code == 303
    assert "temoin-oidc-known" not in stranger.cookies
