"""A forgotten password: the mail, the link, and what neither tells a stranger."""

import re
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from fastapi.testclient import TestClient
from pydantic import SecretStr
from structlog.testing import capture_logs

from service import mail
from service.app import create_app
from service.registry import password_links, second_factor, users
from service.registry.tables import Identity
from service.settings import Settings, SettingsError, load_settings

HERE = "http://testserver"
OLD, NEW = "correct horse battery", "a new phrase of my own"
EMAIL = "camille@ville.example"


class Inbox:
    """What a mail server took."""

    def __init__(self):
        self.messages = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name for it
        """Take it."""
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@pytest.fixture
def served():
    """A way to start mail servers; each is `(inbox, port)`."""
    running = []

    def serve(**about):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Controller(Inbox(), "127.0.0.1", port, ready_timeout=10, **about)
        server.start()
        running.append(server)
        return server.handler, port

    yield serve
    for server in running:
        server.stop()


@pytest.fixture
def camille(registry):
    with registry.session() as session:
        return users.add(session, EMAIL, "Camille", "facilities", OLD, datetime.now(UTC))


def an_app(settings, registry, port):
    given = {"smtp_url": f"smtp+plain://127.0.0.1:{port}", "public_url": HERE}
    return create_app(Settings(data_dir=settings.data_dir, **given), registry)


@pytest.fixture
def mailing(served, settings, registry):
    """An inbox, and a browser of an installation that mails."""
    inbox, port = served()
    app = an_app(settings, registry, port)
    yield inbox, TestClient(app, follow_redirects=False)
    app.state.store.close()


def send(browser, path, **fields):
    found = re.search(r'type="hidden" name="csrf" value="([^"]*)"', browser.get(path).text)
    return browser.post(path, data={"csrf": found[1] if found else "", **fields})


def ask(browser, email=EMAIL):
    return send(browser, "/forgotten-password", email=email)


def link_in(message):
    return re.search(rf"{HERE}(/new-password/[\w-]+)", message.get_content())[1]


def choose(browser, path, password=NEW, again=None):
    return send(browser, path, password=password, again=password if again is None else again)


def opens(registry, password):
    with registry.session() as session:
        return users.checked(session, EMAIL, password) is not None


# ----------------------------------------------------------------------------------------------------- asking


@pytest.mark.usefixtures("camille")
def test_a_link_comes_by_mail_in_the_readers_language(mailing):
    inbox, browser = mailing
    browser.headers["accept-language"] = "en"
    assert "a message has just left" in ask(browser, "  Camille@Ville.example ").text
    [message] = inbox.messages
    assert (message["To"], message["From"]) == (EMAIL, "temoin@testserver")
    assert message["Subject"] == "Témoin: choose a password"
    assert link_in(message)


@pytest.mark.usefixtures("camille")
def test_the_answer_is_the_same_whether_there_is_such_an_account(mailing):
    inbox, browser = mailing
    pages = {
        re.sub(r'value="[^"]*"', "", ask(browser, email).text) for email in (EMAIL, "x@y.example", "", "\0")
    }
    assert len(pages) == 1
    assert len(inbox.messages) == 1


def test_whoever_signs_in_at_the_organisation_or_no_more_gets_no_link(mailing, registry):
    inbox, browser = mailing
    now = datetime.now(UTC)
    with registry.session() as session:
        user = users.add(session, EMAIL, "Camille", "reader", None, now)
        session.add(Identity(issuer="https://id.example", subject="4711", user_id=user.id, linked_at=now))
        users.add(session, "gone@ville.example", "G", "reader", OLD, now).active = False
    for email in (EMAIL, "gone@ville.example"):
        assert ask(browser, email).status_code == 200
    assert inbox.messages == []


@pytest.mark.usefixtures("camille")
def test_one_account_gets_three_links_and_one_address_asks_eight_times_in_a_quarter_of_an_hour(mailing):
    inbox, browser = mailing
    answers = [ask(browser) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert len(inbox.messages) == 3
    assert "attendez 15 minutes" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 800


def test_a_form_from_elsewhere_sends_nothing(mailing, camille):
    inbox, browser = mailing
    assert browser.post("/forgotten-password", data={"email": camille.email}).status_code == 403
    assert inbox.messages == []


def test_without_mail_one_is_told_whom_to_ask(stranger):
    assert "temoin user link" in stranger.get("/forgotten-password").text
    assert stranger.get("/sign-in").text.count("/forgotten-password") == 1


@pytest.mark.usefixtures("camille")
def test_a_mail_server_that_is_away_is_in_the_log_and_changes_no_word(settings, registry):
    app = an_app(settings, registry, 1)
    with capture_logs() as logs:
        answer = ask(TestClient(app, follow_redirects=False))
    app.state.store.close()
    assert "vient de partir" in answer.text
    [line] = [line for line in logs if line["event"] == "mail_not_sent"]
    assert line["why"] == "Connection refused"


# --------------------------------------------------------------------------------------------------- choosing


@pytest.fixture
def link(registry, camille):
    with registry.session() as session:
        return f"/new-password/{password_links.make(session, camille, datetime.now(UTC))}"


def test_a_link_serves_once_and_signs_out_everywhere(stranger, registry, camille, link):
    with registry.session() as session:
        token = users.open_session(session, camille, datetime.now(UTC), timedelta(hours=1))
    for _ in range(2):  # a mail scanner looks first
        page = stranger.get(link)
        assert page.headers["referrer-policy"] == "no-referrer"
        assert EMAIL in page.text
    assert choose(stranger, link).headers["location"] == "/sign-in?chosen=1"
    assert "nouveau mot de passe est enregistré" in stranger.get("/sign-in?chosen=1").text
    assert (opens(registry, NEW), opens(registry, OLD)) == (True, False)
    with registry.session() as session:
        assert users.session_user(session, token, datetime.now(UTC)) is None
    assert stranger.get(link).status_code == 410
    assert choose(stranger, link, "another phrase of mine").status_code in (403, 410)
    assert opens(registry, NEW)


def test_whoever_has_another_password_is_told_by_mail(mailing, registry, camille):
    """By a link and under « Mon compte »; where it was not them, they read what to do."""
    inbox, browser = mailing
    with registry.session() as session:
        path = f"/new-password/{password_links.make(session, camille, datetime.now(UTC))}"
    assert choose(browser, path).status_code == 303
    with registry.session() as session:
        token = users.open_session(session, camille, datetime.now(UTC), timedelta(hours=1))
    browser.cookies.set("temoin", token)
    csrf = re.search(r'name="csrf" value="([^"]*)"', browser.get("/account").text)[1]
    typed = {"csrf": csrf, "current": NEW, "new": OLD, "again": OLD}
    assert browser.post("/account/password", data=typed | {"current": "guess"}).status_code == 422
    assert browser.post("/account/password", data=typed).status_code == 303
    assert [each["To"] for each in inbox.messages] == [EMAIL, EMAIL]
    assert all(each["Subject"].endswith("votre mot de passe a changé") for each in inbox.messages)
    text = inbox.messages[0].get_content()
    assert "/forgotten-password" in text
    assert NEW not in text


def test_whoever_has_another_second_factor_is_told_by_mail(mailing, registry, camille):
    inbox, browser = mailing
    with registry.session() as session:
        token = users.open_session(session, camille, datetime.now(UTC), timedelta(hours=1))
    browser.cookies.set("temoin", token)

    def sent(path, **fields):
        csrf = re.search(r'name="csrf" value="([^"]*)"', browser.get("/account").text)[1]
        return browser.post(path, data={"csrf": csrf} | fields).text

    page = sent("/account/second-factor", current=OLD)
    step = int(datetime.now(UTC).timestamp()) // second_factor.STEP
    code = second_factor.code(re.search(r"secret=(\w+)", page)[1], step)
    draft = re.search(r'name="draft" value="([^"]*)"', page)[1]
    page = sent("/account/second-factor/code", draft=draft, code=code)
    recovery = re.search(r"^((?:[A-Z2-7]{4} ){5}[A-Z2-7]{4})$", page, re.MULTILINE)[1]
    sent("/account/second-factor/end", current=OLD, code=recovery)
    subjects = [each["Subject"].partition(":")[2].strip() for each in inbox.messages]
    assert subjects == ["votre second facteur est en place", "votre second facteur est retiré"]


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("short", None, "12 caractères au moins"),
        ("x" * 129, None, "128 caractères au plus"),
        ("Motdepasse2026!", None, "parmi les premiers"),
        ("Camille.Ville", None, "parmi les premiers"),
        (NEW, OLD, "diffèrent"),
    ],
)
def test_a_password_that_will_not_do_is_told_and_the_link_stays(
    stranger, registry, link, password, again, sentence
):
    answer = choose(stranger, link, password, again)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert password not in answer.text
    assert opens(registry, OLD)
    assert choose(stranger, link).status_code == 303


def test_a_link_lasts_an_hour_and_only_the_last_one_opens(registry, camille):
    now = datetime.now(UTC)
    with registry.session() as session:
        first, second = (password_links.make(session, camille, now) for _ in range(2))
    with registry.session() as session:
        assert password_links.owner(session, first, now) is None
        assert password_links.owner(session, second, now + timedelta(minutes=59)) is not None
        assert password_links.owner(session, second, now + timedelta(hours=1)) is None
        assert password_links.use(session, second, NEW, now + timedelta(hours=1)) is None
        assert users.use_link(session, second, now) is None  # it opens no session


def test_a_link_that_is_none_is_told(stranger):
    for token in ("x", "é" * 50, "x" * 5000, "%00"):
        assert stranger.get(f"/new-password/{token}").status_code == 410


# --------------------------------------------------------------------------------------------------- the mail


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    file = tmp_path_factory.mktemp("tls") / "mail.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file.with_suffix(".key"), "-out", file],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not here: apt-get install openssl; mail over TLS was not tried")
    return file


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def a_letter(scheme, port, who="camille:a%40b"):
    url = f"{scheme}://{who}{'@' if who else ''}127.0.0.1:{port}"
    settings = Settings(smtp_url=SecretStr(url), smtp_from="temoin@ville.example", public_url=HERE)
    mail.send(settings, EMAIL, "Bonjour « à tous »", "Été")


def signs_in(_server, _session, _envelope, _mechanism, data):
    right = (data.login, data.password) == (b"camille", b"a@b")
    return AuthResult(success=right, handled=False)


def test_mail_goes_over_tls_with_the_password(served, tls, certificate, monkeypatch):
    inbox, port = served(tls_context=tls, require_starttls=True, authenticator=signs_in, auth_required=True)
    with pytest.raises(mail.MailError, match="no TLS"):
        a_letter("smtp", port)  # nobody we trust signed its certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    a_letter("smtp", port)
    assert inbox.messages[0]["Subject"] == "Bonjour « à tous »"
    with pytest.raises(mail.MailError, match=r"535 \(SMTPAuthenticationError\)") as refused:
        a_letter("smtp", port, "camille:wrong")
    assert "camille" not in str(refused.value)


def test_mail_is_not_sent_in_clear_to_a_server_without_tls(served):
    inbox, port = served()
    with pytest.raises(mail.MailError, match="STARTTLS"):
        a_letter("smtp", port)
    assert inbox.messages == []
    a_letter("smtp+plain", port, "")
    assert len(inbox.messages) == 1


def test_an_address_with_a_line_break_is_not_written_to(served):
    _, port = served()
    settings = Settings(smtp_url=SecretStr(f"smtp+plain://127.0.0.1:{port}"), public_url=HERE)
    with pytest.raises(mail.MailError):
        mail.send(settings, "a@b.fr\nBcc: c@d.fr", "x", "y")


@pytest.mark.parametrize("url", ["http://x", "smtp://", "smtps://h:x", "smtp+plain://u:s3cret@h", "s3cret"])
def test_a_bad_address_of_the_mail_server_stops_the_start_without_repeating_it(monkeypatch, url):
    monkeypatch.setenv("TEMOIN_PUBLIC_URL", HERE)
    monkeypatch.setenv("TEMOIN_SMTP_URL", url)
    with pytest.raises(SettingsError, match=r"^TEMOIN_SMTP_URL: should be smtps") as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)
