"""docs/security.md: every line of it has its test, its reason or its debt; and what no other test shows."""

from __future__ import annotations

import ast
import base64
import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import quote

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.registry import users
from service.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/security.md"
PACKAGES = ("service", "sensors", "experiments", "dashboards")
LINE = re.compile(r"^\| ([\d., –]+) \| (.+?) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
STATES = ("`", "n/a: ", "not done: ", "no test: ")
# OWASP ASVS 4.0.3: the numbers of what level 2 asks for, section by section
LEVEL_2 = {
    "1.1": "1-7", "1.2": "1-4", "1.4": "1 4 5", "1.5": "1-4", "1.6": "1-4", "1.7": "1 2", "1.8": "1 2",
    "1.9": "1 2", "1.10": "1", "1.11": "1 2", "1.12": "2", "1.14": "1-6",
    "2.1": "1-12", "2.2": "1-3", "2.3": "1-3", "2.4": "1-5", "2.5": "1-7", "2.6": "1-3", "2.7": "1-6",
    "2.8": "1-7", "2.9": "1-3", "2.10": "1-4",
    "3.1": "1", "3.2": "1-4", "3.3": "1-4", "3.4": "1-5", "3.5": "1-3", "3.7": "1",
    "4.1": "1-3 5", "4.2": "1 2", "4.3": "1-3",
    "5.1": "1-5", "5.2": "1-8", "5.3": "1-10", "5.4": "1-3", "5.5": "1-4",
    "6.1": "1-3", "6.2": "1-6", "6.3": "1 2", "6.4": "1 2",
    "7.1": "1-4", "7.2": "1 2", "7.3": "1 3 4", "7.4": "1-3",
    "8.1": "1-4", "8.2": "1-3", "8.3": "1-8",
    "9.1": "1-3", "9.2": "1-4",
    "10.2": "1 2", "10.3": "1-3",
    "11.1": "1-8",
    "12.1": "1-3", "12.2": "1", "12.3": "1-6", "12.4": "1 2", "12.5": "1 2", "12.6": "1",
    "13.1": "1 3 4 5", "13.2": "1 2 3 5 6", "13.3": "1 2", "13.4": "1 2",
    "14.1": "1-4", "14.2": "1-6", "14.3": "2 3", "14.4": "1-7", "14.5": "1-4",
}  # fmt: skip


def numbers(section, ranges):
    """`1-3 5` as the requirements of a section."""
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from (f"{section}.{n}" for n in range(int(first), int(last or first) + 1))


def covered(told):
    """The requirements that a line of the document names: `2.8.1–7, 2.9.1`."""
    for part in told.split(", "):
        section, _, ranges = part.strip().rpartition(".")
        yield from numbers(section, ranges.replace("–", "-"))


def lines():
    return LINE.findall(DOCUMENT.read_text(encoding="utf-8"))


def test_every_requirement_of_level_2_has_one_line():
    asked = [each for section, ranges in LEVEL_2.items() for each in numbers(section, ranges)]
    assert len(asked) == 259
    told = [each for requirement, _, _ in lines() for each in covered(requirement)]
    assert sorted(told) == sorted(asked)


def test_every_line_has_its_test_its_reason_or_its_debt():
    for requirement, _, shown in lines():
        assert shown.startswith(STATES), requirement
        assert not shown.startswith("`") or NAMED.match(shown), requirement


def test_every_test_that_is_named_exists():
    named = set(NAMED.findall(DOCUMENT.read_text(encoding="utf-8")))
    assert len(named) > 60
    for file, test in named:
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {test}\(", text, re.MULTILINE), f"{file}::{test}"


def test_the_totals_are_those_of_the_table():
    told = [(list(covered(requirement)), shown) for requirement, _, shown in lines()]
    counts = [sum(len(each) for each, shown in told if shown.startswith(state)) for state in STATES]
    sentence = "{} are shown by a test, {} do not apply, {} are not done, {} are shown by no test.".format(
        *counts
    )
    assert sentence in DOCUMENT.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------ what no other test shows


@pytest.fixture(scope="module")
def sources():
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_bytes()) for file in files}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def called(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), [each.arg for each in node.keywords]


def test_no_data_becomes_code_an_object_or_a_command(sources):
    """Nothing is evaluated or unpickled, no XML or YAML is read, no shell is asked."""
    for file, tree in sources.items():
        modules = {name.partition(".")[0] for name in imported(tree)}
        assert not modules & {"pickle", "marshal", "shelve", "dill", "xml", "lxml", "yaml", "ctypes"}, file
        for name, keywords in called(tree):
            assert name not in ("eval", "exec", "compile", "os.system", "os.popen", "__import__"), file
            assert "shell" not in keywords, file


def test_other_machines_are_spoken_to_from_few_places_and_never_at_a_typed_address(sources):
    """The OpenID provider, the mail server, InfluxDB, the broker: all of them from the settings."""
    outside = {"httpx2", "urllib.request", "http.client", "requests", "aiohttp", "smtplib", "ftplib"}
    speaking = {file for file, tree in sources.items() if set(imported(tree)) & outside}
    assert speaking == {"service/oidc.py", "service/mail.py", "service/deploy/influx_token.py"}


def test_secrets_are_made_by_the_systems_own_chance_and_no_weak_hash_is_used(sources):
    random = {file for file, tree in sources.items() if "random" in imported(tree)}
    assert random == {"sensors/receive.py"}  # how long to wait for the broker
    for file, tree in sources.items():
        names = {name for name, _ in called(tree)}
        assert not names & {"hashlib.md5", "hashlib.sha1", "hashlib.new", "uuid.uuid1"}, file


def test_two_forms_take_a_file(sources):
    """A photo, encoded anew; a table, read and never given out: another form is thought about here first."""
    taking = [file for file, tree in sources.items() if "UploadFile" in {
        each.id for each in ast.walk(tree) if isinstance(each, ast.Name)
    }]  # fmt: skip
    assert sorted(Path(file).name for file in taking) == ["devices.py", "imports.py"]
    templates = (ROOT / "dashboards/templates").glob("*.html")
    assert sorted(each.name for each in templates if 'type="file"' in each.read_text(encoding="utf-8")) == [
        "device.html",
        "imports.html",
    ]


def test_a_password_may_be_of_any_characters_and_is_not_cut(registry, now):
    password = "  trois  mots 🦆 et ﷺ " * 5
    assert 64 < len(password) < users.MAX_PASSWORD
    with registry.session() as session:
        users.add(session, "a@ville.example", "A", "reader", password, now)
    with registry.session() as session:
        assert users.checked(session, "a@ville.example", password) is not None
        for other in (password[:-1], password.strip(), re.sub(" +", " ", password)):
            assert users.checked(session, "a@ville.example", other) is None


def test_passwords_are_hashed_by_argon2id_with_a_salt_each():
    first, second = (users.hash_password("trois mots sans lien") for _ in range(2))
    assert first != second
    found = re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$([\w+/]{22,})\$", first)
    assert (int(found[1]), int(found[2])) >= (19 * 1024, 2)  # OWASP's least


def test_a_new_installation_has_no_account(registry):
    with registry.session() as session:
        assert users.everyone(session) == []


def test_a_session_is_of_256_bits(registry, now):
    with registry.session() as session:
        user = users.add(session, "a@ville.example", "A", "reader", None, now)
        tokens = {users.open_session(session, user, now, timedelta(hours=1)) for _ in range(20)}
    assert len(tokens) == 20
    assert {len(base64.urlsafe_b64decode(each + "=")) for each in tokens} == {32}


@pytest.mark.parametrize(
    "evil", ["' OR '1'='1", "'; DROP TABLE users; --", '" OR ""="', "1) OR (1=1", "%", "_"]
)
def test_what_is_typed_is_never_a_query(reader, registry, evil):
    for path in (f"/rooms/{quote(evil)}", f"/experiments/{quote(evil)}", f"/device?key={quote(evil)}"):
        assert reader.get(path).status_code == 404, path
    for asked in (
        f"/devices?q={quote(evil)}",
        f"/quarantine?code={quote(evil)}",
        f"/sign-in?next={quote(evil)}",
    ):
        assert reader.get(asked).status_code < 500, asked
    with registry.session() as session:
        assert users.find(session, evil) is None
        assert len(users.everyone(session)) == 1


def test_a_number_larger_than_any_of_ours_is_of_nothing(browser_of):
    """Rather than of a database that cannot hold it."""
    browser = browser_of("administrator")
    for number in (0, -1, 2**31, 2**63, 10**30):
        for path in ("quarantine", "mappings", "import", "people"):
            assert browser.get(f"/{path}/{number}").status_code == 404, (path, number)


def test_only_our_own_files_are_served_and_no_folder_is_listed(stranger):
    outside = (
        "",
        "..%2frender.py",
        "%2e%2e/render.py",
        "....//render.py",
        "/etc/passwd",
        "look.css",
        "look.css~",
    )
    for path in ("/static/" + name for name in outside):
        assert stranger.get(path).status_code in (303, 404), path
    for path in ("/.git/config", "/.env", "/registry.db", "/data/registry.db", "/pyproject.toml"):
        assert stranger.get(path).status_code == 404, path


def test_dependencies_are_locked_by_hash():
    for lock in ("service/deploy/requirements.lock", "tests/requirements.lock", "service/deploy/build.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        pinned = re.findall(r"^([\w.\[\]-]+)==.*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert pinned
        assert len(pinned) == len(re.findall(r"^[\w.-]+(?:\[.*\])?\s*(?:==|@|>|<|~)", text, re.MULTILINE)), (
            lock
        )


def test_what_is_asked_for_with_extras_is_pinned_with_them():
    """Of a package that another asks for with an extra, and the lock pins without, pip takes the newest."""
    text = (ROOT / "tests/requirements.lock").read_text(encoding="utf-8")
    pins = (
        Requirement(line.rstrip(" \\")) for line in text.splitlines() if re.match(r"[\w.\[\],-]+==", line)
    )
    extras = {canonicalize_name(pin.name): pin.extras for pin in pins}
    asked = [Requirement(asked) for name in extras for asked in _requires(name)]
    asked = [each for each in asked if each.extras and each.marker is None]
    assert {"coverage"} <= {each.name for each in asked}
    assert [str(each) for each in asked if not each.extras <= extras[canonicalize_name(each.name)]] == []


def _requires(name):
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []  # locked for another system or Python


# -------------------------------------------------------------------------------------------- small promises


def test_where_a_weakness_is_told_is_said_to_everybody(stranger, app):
    """RFC 9116: a contact, and a day after which it is not to be believed."""
    assert stranger.get("/.well-known/security.txt").status_code == 404
    for given, told in [("rssi@ville.example", "mailto:rssi@ville.example"), ("https://v.example/s", None)]:
        app.state.settings = app.state.settings.model_copy(
            update={"security_contact": given, "public_url": "https://t.example"}
        )
        answer = stranger.get("/.well-known/security.txt")
        assert answer.headers["content-type"].startswith("text/plain")
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert fields["Contact"] == (told or given)
        left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
        assert timedelta(days=30) < left < timedelta(days=365)
        assert fields["Canonical"] == "https://t.example/.well-known/security.txt"


@pytest.mark.parametrize("bad", ["nobody", "http://v.example", "https://v.example/\nContact: x", "a@b c"])
def test_a_contact_that_cannot_be_is_refused(bad):
    with pytest.raises(ValueError, match="should be an e-mail address"):
        Settings(security_contact=bad)


def test_signing_out_empties_what_the_browser_kept(reader):
    assert (
        reader.post("/sign-out", data={"csrf": reader.csrf}).headers["clear-site-data"]
        == '"cache", "storage"'
    )


def test_an_invitation_carries_the_address_people_come_by(app, browser_of):
    app.state.settings = app.state.settings.model_copy(update={"public_url": "http://temoin.example"})
    browser = browser_of("administrator")
    number = re.search(r'href="/people/(\d+)"', browser.get("/people").text)[1]
    path, form = f"/people/{number}/link", {"csrf": browser.csrf}
    answer = browser.post(path, data=form, headers={"Host": "evil.example"})
    assert "http://temoin.example/new-password/" in answer.text
    assert "evil.example" not in answer.text
