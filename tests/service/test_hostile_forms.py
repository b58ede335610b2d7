"""Every form of every page, sent with whatever somebody may send: a sentence, and nothing is lost."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import func, select

from sensors.move import Refusal
from sensors.reading import Message
from service import river
from service.app import create_app
from service.auth import COOKIE
from service.registry import password_links, users
from service.registry.tables import (
    Arm,
    Base,
    Device,
    Experiment,
    Measure,
    Placement,
    Room,
    Site,
)
from service.room_form import room_key
from service.throttle import Throttle
from service.web import form as room_form

NOW = datetime.now(UTC)
VOID = {"input", "br", "img", "meta", "link", "hr", "col", "source", "wbr"}

# -------------------------------------------------------------------------------------------- reading a page


@dataclass
class Field:
    """One control: what a browser sends of it untouched is `values`, what it offers is `options`."""

    name: str
    kind: str
    id: str = ""
    values: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A form: where it is, where it goes, its controls by name."""

    page: str
    action: str
    method: str
    fields: dict[str, Field] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def sent(self) -> dict[str, list[str]]:
        """What a browser sends of it as it stands, by its first button."""
        told = {name: list(each.values) for name, each in self.fields.items() if each.kind != "file"}
        if self.buttons and self.buttons[0][0]:
            told.setdefault(self.buttons[0][0], []).append(self.buttons[0][1])
        return told


class Page(HTMLParser):
    """The forms, links, ids and mistakes of a page."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path, self.forms, self.links, self.ids = path, [], [], set()
        self.invalid: list[tuple[str, str]] = []  # (name or id, aria-describedby)
        self.alerts: list[str] = []
        self.alert_links: list[str] = []
        self._form: Form | None = None
        self._area: Field | None = None
        self._select: Field | None = None
        self._alert = 0  # open elements since role="alert"
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what begins here."""
        told = {key: value or "" for key, value in attrs}
        if "id" in told:
            self.ids.add(told["id"])
        if told.get("aria-invalid") == "true":
            self.invalid.append((told.get("name") or told.get("id", ""), told.get("aria-describedby", "")))
        if self._alert and tag not in VOID:
            self._alert += 1
        if told.get("role") == "alert":
            self._alert, _ = max(self._alert, 1), self.alerts.append("")
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
            if self._alert and told["href"].startswith("#"):
                self.alert_links.append(told["href"][1:])
        if tag == "form":
            action = told.get("action") or self.path
            self._form = Form(self.path, action.partition("#")[0], told.get("method", "get").lower())
            self.forms.append(self._form)
        self._control(tag, told)

    def _control(self, tag: str, told: dict[str, str]) -> None:
        if self._form is None:
            return
        name = told.get("name", "")
        if tag == "button":
            self._form.buttons.append((name, told.get("value", "")))
        elif tag == "option" and self._select is not None:
            self._select.options.append(told.get("value", ""))
            if "selected" in told or len(self._select.options) == 1:
                self._select.values = [told.get("value", "")]
        elif tag in {"input", "select", "textarea"} and name:
            kind = told.get("type", "text") if tag == "input" else tag
            kind = "hidden" if "hidden" in told else kind
            each = self._form.fields.setdefault(name, Field(name, kind, told.get("id", "")))
            if tag == "select":
                self._select = each
            elif tag == "textarea":
                self._area, each.values = each, [""]
            elif kind in {"radio", "checkbox"}:
                each.options.append(told.get("value", "on"))
                each.values += [told.get("value", "on")] if "checked" in told else []
            elif kind != "file":
                each.values.append(told.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        """Note what ends here."""
        self._alert -= bool(self._alert)
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        """Text is kept of a sentence of alarm, and of what was typed on several lines."""
        if self._alert:
            self.alerts[-1] += data
        if self._area is not None:
            self._area.values[0] += data


# ------------------------------------------------------------------------------------------ the installation


PASSWORD = "correct horse battery"
HISTORY = b"horodatage;sonde;Temp_C\n02/03/2026 09:15;loire;21,4\n02/03/2026 09:30;loire;21,6\n"


NAMED = {"label": "Ambiance, mur nord", "model": "ERS 2", "position": "mur nord", "heartbeat_minutes": 10}


def furnish(registry) -> None:
    """A little of everything that has a form."""
    with registry.session() as session:
        mairie, empty = Site(slug="mairie", name="Mairie"), Site(slug="annexe", name="Annexe")
        loire, erdre, unused = (
            Room(slug=slug, name=slug.title(), site=mairie, capacity=8)
            for slug in ("loire", "erdre", "sevre")
        )
        here, other = (
            Device(key=f"g/{n}", gateway="g", first_seen=NOW - timedelta(days=9), last_seen=NOW, **NAMED)
            for n in "ab"
        )
        weeks = [timedelta(days=7 * n) for n in (14, 10, 6)]
        experiment = Experiment(
            slug="tables", title="Tables « hautes »", declared_at=NOW - timedelta(days=120),
            starts=(NOW - weeks[0]).date(), ends=(NOW - weeks[2]).date(), washout=0, sheet={},
            arms=[Arm(room=loire, switch=(NOW - weeks[1]).date()), Arm(room=erdre)],
            measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        )  # fmt: skip
        session.add_all([mairie, empty, unused, other, experiment])
        session.add(Placement(device=here, room=loire, start=NOW - timedelta(days=3)))
        users.add(session, "nora@ville.example", "Nora", "reader", None, NOW)
        known = users.known(session, "administrator@ville.example")
        known.password_hash = users.hash_password(PASSWORD)
        users.open_session(session, known, NOW, timedelta(hours=1))
    messages = [
        Refusal(n, Message(topic, b'{"t1": 21.4, "sn": "A17"}', NOW), "unknown_format: not understood")
        for n, topic in enumerate(("usine/c17/etat", "garage/c1/etat"), 1)
    ]
    river.RegistryQuarantine(registry).put("mqtt-abc", messages)


@pytest.fixture
def administrator(browser_of, registry, monkeypatch):
    """Signed in on an installation that has a form of each kind."""
    browser = browser_of("administrator")
    browser.headers["accept-encoding"] = "identity"
    monkeypatch.setattr(room_form, "FASTEST", 0.0)
    furnish(registry)
    ours(browser, "/import", {"csrf": browser.csrf}, files={"file": ("GTC.csv", HISTORY)})
    meaning = {
        "level": ["garage", "c1", "etat"],
        "varies": ["1"],
        "choice/t1": "temperature|°C",
        "do": "save",
    }
    meaning |= {"scale/t1": "1", "device_from": "topic", "time_from": "reception", "csrf": browser.csrf}
    assert ours(browser, "/quarantine/1/map", meaning).status_code == 303
    return browser


def ours(browser: TestClient, path: str, told, **more):
    """Sent as from a page of ours."""
    return browser.post(path, data=told, headers={"sec-fetch-site": "same-origin"}, **more)


def walked(browser: TestClient) -> dict[str, Page]:
    """Every page that links lead to from the first one."""
    found: dict[str, Page] = {}
    waiting = ["/", "/sites", "/account", "/people", "/import", "/quarantine", "/devices", "/mappings/1"]
    while waiting and len(found) < 120:
        path = waiting.pop(0)
        if path in found:
            continue
        answer = browser.get(path)
        assert answer.status_code < 500, path
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        found[path] = page = Page(path, answer.text)
        for link in page.links:
            target, _, _ = link.partition("#")
            if target.startswith("/") and not re.search(
                r"^/static|^/api|\.\w+$|[?&](lang|span|until|page)=", target
            ):
                waiting.append(target)
    return found


def forms_of(app, pages: dict[str, Page]) -> dict[tuple[str, ...], Form]:
    """One form of each kind: by route and by the fields it has."""
    patterns = [
        (method, each.path, re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", each.path) + "$"))
        for each in iter_route_contexts(app.routes)
        for method in each.methods
    ]
    found: dict[tuple[str, ...], Form] = {}
    for page in pages.values():
        for form in page.forms:
            path = urlsplit(form.action).path
            fit = [
                p for method, p, pattern in patterns if method == form.method.upper() and pattern.match(path)
            ]
            assert fit, f"{page.path}: no route for {form.method} {path}"
            found.setdefault((f"{form.method.upper()} {fit[0]}", *sorted(form.fields)), form)
    return found


# -------------------------------------------------------------------------------------------------- the walk


MARKUP = "<script>alert(1)</script>"
TEXTS = {
    "empty": "",
    "long": "é" * 10_000,
    "emoji": "👩🏽‍🚒🙂",
    "right to left": "\u202eabc\u202c \u05e9\u05dc\u05d5\u05dd",
    "markup": MARKUP,
    "control": "a\0b\x1b\x07",
}
DATES = {"no such day": "2026-02-30", "no such moment": "2026-02-30T12:00", "year 0": "0000-01-01"}
DATES |= {"an hour elsewhere": "08:00+02:00", "an hour that is none": "25:61"}
NUMBERS = {"negative": "-1", "nan": "nan", "infinite": "1e400", "huge": "9" * 30, "other digits": "٣"}
CHOSEN = {"radio", "checkbox", "select"}
TAMPERED = {"empty", "long", "control", "markup", "huge"}
KEPT_NOT = {"hidden", "password", "file"}  # what a page does not send back: ours, a secret, a file
EXCEPT = {
    "/rooms/compare": "a page that shows what was ticked on another one: it leads back to that list",
}
UNMARKED = {
    "/r/loire": "an answer that no browser offers: the sentence says so, and every question is there again",
}
SHOWN = range(
    1, 21
)  # characters of a wrong value that every form gives back; what is emptied may be proposed
OURS = {"level", "column"}  # hidden fields by whose place others are read: changed by no browser


def hostile(each: Field) -> dict[str, list[str]]:
    """What to send instead of a field's value, by name."""
    if each.kind == "hidden":  # a program may; no browser does
        return {name: [text] for name, text in {**TEXTS, **NUMBERS}.items() if name in TAMPERED}
    told = {name: [text] for name, text in TEXTS.items() if each.kind not in CHOSEN or name in TAMPERED}
    if each.kind not in CHOSEN:
        told |= {name: [text] for name, text in NUMBERS.items()}
    if each.kind in {"date", "datetime-local", "time"}:
        told |= {name: [text] for name, text in DATES.items()}
    return told | {"missing": [], "twice": [*(each.values or ["a"]), "b"]}


def different(form: Form) -> list[Field]:
    """The fields of a form, but one of those that are alike: a file has one for each of its columns."""
    return list({re.split(r"[/\d]", each.name)[0]: each for each in form.fields.values()}.values())


def valid(form: Form) -> dict[str, list[str]]:
    """The form as somebody who knows what they do would send it."""
    told = form.sent()
    for each in form.fields.values():
        if (
            each.name in USUAL
            and each.kind != "hidden"
            and (not each.options or USUAL[each.name] in each.options)
        ):
            told[each.name] = [USUAL[each.name]]
    return told


USUAL = {
    "name": "Beaulieu", "email": "nouveau@ville.example", "role": "reader", "token_name": "tableur",
    "list": "Vilaine;8", "reason": "travaux", "day": date(NOW.year, 5, 2).isoformat(), "why": "un essai",
    "when": "now", "at": f"{NOW - timedelta(hours=3):%Y-%m-%dT%H:%M}", "label": "Ambiance", "model": "ERS",
    "position": "mur nord", "heartbeat": "15", "floor": "2e", "capacity": "8", "area_m2": "20",
    "volume_m3": "50", "current": PASSWORD, "new": "another horse battery", "again": "another horse battery",
    "satisfaction": "4", "remark": "Très bien", "room": "erdre", "opens": "08:30", "closes": "18:15",
    "weekdays": "2", "scope": "write", "days": "7", "start": f"{NOW - timedelta(days=2):%Y-%m-%dT%H:%M}",
}  # fmt: skip


class Walk:
    """Sends forms, puts the registry back after each that wrote, and notes what should not be."""

    def __init__(self, browser: TestClient, app, registry, pages: dict[str, Page] | None = None) -> None:
        self.browser, self.app, self.wrong = browser, app, []
        self.pages = pages or walked(browser)
        self._file = sqlite3.connect(str(registry.url.database))
        self._before = sqlite3.connect(":memory:")
        self._file.backup(self._before)

    def send(self, form: Form, told: dict[str, list[str]]):
        """The answer; whatever it wrote is undone."""
        for throttle in self.app.state.throttles.values():
            throttle._failures.clear()  # noqa: SLF001 - guessing is another test's
        if form.method == "get":
            return self.browser.get(form.action, params=told)
        files = {each.name: ("", b"") for each in form.fields.values() if each.kind == "file"}
        answer = ours(self.browser, form.action, told, files=files or None)
        if answer.status_code < 400:
            self.put_back()
        return answer

    def put_back(self) -> None:
        """The registry as it was before the walk."""
        self._before.backup(self._file)

    def check(self, form: Form, told: dict[str, list[str]], changed: str, label: str) -> None:
        """Send it with one field changed, and note what the answer lacks."""
        answer = self.send(form, told)
        where = f"{form.method} {form.action}: {changed} {label}: {answer.status_code}"
        if answer.status_code not in {200, 303, 400, 401, 403, 404, 409, 413, 422, 429}:
            self.wrong.append(f"{where}: neither done nor said")
        if MARKUP in answer.text:
            self.wrong.append(f"{where}: markup comes back as markup")
        if form.action in EXCEPT:
            return
        if answer.status_code in {409, 422}:
            self.wrong += [f"{where}: {what}" for what in lacking(answer, form, told, changed)]
            if form.page in self.pages:
                self.wrong += [f"{where}: {what}" for what in spoilt(answer, self.pages[form.page], form)]
        elif answer.status_code >= 400 and "<h1>" not in answer.text:
            self.wrong.append(f"{where}: no sentence")


def lacking(answer, form: Form, told: dict[str, list[str]], changed: str) -> list[str]:
    """What a page that sends a form back should have, and has not."""
    page, found = Page(form.page, answer.text), []
    if not "".join(page.alerts).strip():
        found.append("no sentence in role=alert")
    found += [
        f"summary leads to #{link}, which is not there" for link in page.alert_links if link not in page.ids
    ]
    for name, described in page.invalid:
        missing = [each for each in described.split() if each not in page.ids]
        if missing or not described:
            found.append(f"{name} is invalid and not described ({missing})")
    visible = form.fields[changed].kind != "hidden"
    marked = answer.status_code == 422 and form.action not in UNMARKED
    if marked and visible and not page.invalid:
        found.append("nothing is aria-invalid")
    if marked and not page.alert_links:
        found.append("the summary leads nowhere")
    again = [
        each for each in page.forms if each.action == form.action and set(each.fields) == set(form.fields)
    ]
    if not again:
        return [*found, "the form is gone"]
    return [*found, *not_given_back(again[0], form, told, changed)]


def not_given_back(shown: Form, form: Form, told: dict[str, list[str]], changed: str) -> list[str]:
    """What was typed and is not in the form that comes back; of a wrong value the longest are cut."""
    found = []
    for name, each in form.fields.items():
        sent, kept = told.get(name, []), shown.fields[name].values
        if each.kind in KEPT_NOT or changed in OURS:
            continue
        if name == changed and (each.kind in CHOSEN or len(sent) != 1 or len(sent[0]) not in SHOWN):
            continue
        if [text.split() for text in sent] != [text.split() for text in kept]:
            found.append(f"{name} was {sent} and is {kept}")
    return found


def spoilt(answer, before: Page, sent: Form) -> list[str]:
    """The other forms of the page that are no longer as they were: saved next, they would undo something."""
    now = {(form.action, *form.fields): form for form in Page(before.path, answer.text).forms}
    others = [form for form in before.forms if (form.action, *form.fields) != (sent.action, *sent.fields)]
    return [
        f"{name} of {form.action} was {each.values}"
        for form in others
        for name, each in form.fields.items()
        if (same := now.get((form.action, *form.fields)))
        and each.kind != "hidden"
        and same.fields[name].values != each.values
    ]


def test_a_form_with_anything_in_it_has_a_sentence_and_loses_nothing(administrator, app, registry):
    """Each field of each form in turn, the others as they should be."""
    walk = Walk(administrator, app, registry)
    for form in forms_of(app, walk.pages).values():
        right = valid(form)
        for each in different(form):
            if each.name == "csrf" or form.action == "/sign-out":
                continue
            for label, values in hostile(each).items():
                walk.check(form, right | {each.name: values}, each.name, label)
    assert not walk.wrong, "\n".join(walk.wrong)


@pytest.fixture
def anywhere(either_registry, settings):
    """An administrator's browser, on a registry of either kind."""
    app = create_app(settings, either_registry)
    with either_registry.session() as session:
        user = users.add(session, "administrator@ville.example", "Anne", "administrator", None, NOW)
        token = users.open_session(session, user, NOW, timedelta(hours=1))
    furnish(either_registry)
    browser = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    browser.cookies.set(COOKIE, token)
    browser.csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', browser.get("/method").text)[1]
    yield browser
    app.state.store.close()


UNSTORABLE = {"NUL": "a\0b", "huge": "9" * 30}  # no text of PostgreSQL, no integer of either


@pytest.mark.parametrize("either_registry", ["postgresql"], indirect=True)
def test_a_field_that_a_database_cannot_hold_has_a_sentence(anywhere):
    """Neither NUL nor a number of thirty digits reaches a database that would refuse it."""
    wrong = []
    for form in forms_of(anywhere.app, walked(anywhere)).values():
        if form.action in {"/sign-out", "/people/1/delete", "/account/password"}:
            continue
        for each in different(form):
            for label, text in UNSTORABLE.items() if each.name != "csrf" else ():
                told = form.sent() | {each.name: [text]}
                sent = urlencode(told, doseq=True)
                kind = {"content-type": "application/x-www-form-urlencoded"}
                answer = (
                    anywhere.get(f"{form.action}?{sent}")
                    if form.method == "get"
                    else anywhere.post(form.action, content=sent, headers=kind)
                )
                if answer.status_code >= 500:
                    wrong.append(f"{form.method} {form.action}: {each.name} {label}")
    assert wrong == []


def test_an_address_that_a_database_cannot_hold_is_not_found(anywhere):
    wrong = []
    for route in iter_route_contexts(anywhere.app.routes):
        for method in route.methods & {"GET", "POST", "PUT", "DELETE"}:
            for text in ("9" * 30, "a%00b", "%ED%B2%80") if "{" in route.path else ():
                path = re.sub(r"\{[\w:]+\}", text, route.path)
                told = {"csrf": anywhere.csrf} if method == "POST" else None
                said = {} if method == "GET" else {"X-CSRF-Token": anywhere.csrf}
                answer = anywhere.request(method, path, data=told, headers=said)
                if answer.status_code >= 500:
                    wrong.append(f"{method} {route.path}: {text}")
    assert wrong == []


# --------------------------------------------------------------------------- a session that ends in mid-form


SECRETS = {"csrf", "current", "new", "again"}  # not kept in any page


def posted(app, browser: TestClient) -> list[Form]:
    """The forms in which somebody types something."""
    found = forms_of(app, walked(browser)).values()
    return [
        form
        for form in found
        if form.method == "post" and any(each.kind != "hidden" for each in form.fields.values())
    ]


def kept_of(told: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in told.items() if name not in SECRETS and values}


def test_what_is_typed_while_the_session_ends_comes_back_in_every_form(
    administrator, app, registry, stranger
):
    """Each form is sent from a session that ended, taken up after signing in, and sent."""
    walk, wrong = Walk(administrator, app, registry), []
    stranger.get("/sign-in")
    for form in posted(app, administrator):
        told = valid(form)
        first = walk.send(form, told)
        away = ours(stranger, form.action, told | {"csrf": ["spent"]})
        if not kept_of(told):
            if away.headers.get("location") != "/sign-in":
                wrong.append(f"{form.action}: not asked to sign in")
            continue
        again = Page("/sign-in", away.text)
        if away.status_code != 401 or "gardé dans cette page" not in away.text:
            wrong.append(f"{form.action}: {away.status_code}, nothing is kept")
            continue
        if SECRETS & {name.removeprefix("kept.") for name in again.forms[-1].fields} - {"csrf"}:
            wrong.append(f"{form.action}: a secret lies in the page")
        stranger.cookies.set("temoin", administrator.cookies["temoin"])
        back = stranger.post("/sign-in/resume", data=again.forms[-1].sent())
        stranger.cookies.delete("temoin")
        resumed = Page("/sign-in", back.text).forms[-1]
        if kept_of(resumed.sent()) != kept_of(told) or resumed.action != form.action:
            wrong.append(f"{form.action}: {kept_of(told)} came back as {kept_of(resumed.sent())}")
        last = walk.send(form, resumed.sent())
        if not SECRETS & told.keys() - {"csrf"} and last.status_code != first.status_code:
            wrong.append(f"{form.action}: {first.status_code} at once, {last.status_code} after signing in")
    assert wrong == []


def test_what_is_typed_in_a_tab_of_an_older_session_comes_back_in_every_form(administrator, app):
    wrong = []
    for form in posted(app, administrator):
        told = valid(form) | {"csrf": ["of an older session"]}
        answer = ours(administrator, form.action, told)
        shown = [each for each in Page("/", answer.text).forms if each.action == form.action]
        if answer.status_code != 403 or (kept_of(told) and not shown):
            wrong.append(f"{form.action}: {answer.status_code}")
        elif kept_of(told) and kept_of(shown[0].sent()) != kept_of(told):
            wrong.append(f"{form.action}: {kept_of(told)} came back as {kept_of(shown[0].sent())}")
    assert wrong == []


# -------------------------------------------------------------------------------------- two at the same time

EDITED = {  # a form that two have open: what the first makes of a field, what the second does
    "/site/mairie": {"closes": ("18:30", "19:45"), "name": ("Mairie annexe", "Mairie centrale")},
    "/rooms/loire/facts": {"capacity": ("11", "17"), "name": ("Grande Loire", "Petite Loire")},
    "/device": {"label": ("Ambiance un", "Ambiance deux"), "heartbeat": ("21", "34")},
    "/people/2": {"name": ("Nora Un", "Nora Deux")},
    "/mappings/1": {"scale/t1": ("0.25", "0.75")},
}


@pytest.mark.parametrize("action", EDITED)
def test_the_second_of_two_sees_both_versions(administrator, action):
    """Theirs in the form, the other's in the sentence above it; sent again it is theirs that is written."""
    path = "/device?key=g/a" if action == "/device" else action
    form = next(each for each in Page(path, administrator.get(path).text).forms if each.action == action)
    saving = {"do": ["save"]} if ("do", "save") in form.buttons else {}
    first, second = (
        form.sent() | saving | {name: [both[n]] for name, both in EDITED[action].items()} for n in (0, 1)
    )
    assert ours(administrator, action, first).status_code == 303
    late = ours(administrator, action, second)
    assert late.status_code == 409
    page = Page(form.page, late.text)
    shown = next(each for each in page.forms if each.action == action)
    told = re.sub(r"<[^>]*>", "", late.text.partition("<main")[2]).replace(",", ".")
    told = re.sub(r"\s+h\s+", ":", told)  # as a clock is read in French
    for name, (theirs, mine) in EDITED[action].items():
        assert shown.fields[name].values == [mine]
        assert theirs in told, name
    assert ours(administrator, action, shown.sent() | saving).status_code == 303


# ------------------------------------------------------------------------------------------------ sent twice

MAKES_TWO = {
    "/account/tokens": "the second is the one that is seen; the first is in the list, to be removed",
    "/experiments/tables/shares": "likewise: both are in the list of links, to be revoked",
    "/import": "two drafts of one file: nothing is written before it is looked at, and drafts go",
}


def rows(registry) -> dict[str, int]:
    """How many rows each table has, but the journal of changes."""
    with registry.session() as session:
        tables = [each for each in Base.metadata.sorted_tables if each.name != "audit"]
        return {each.name: session.scalar(select(func.count()).select_from(each)) for each in tables}


def test_a_form_sent_twice_writes_once(administrator, app, registry):
    walk, wrong = Walk(administrator, app, registry), []
    for form in forms_of(app, walk.pages).values():
        if form.method == "get" or form.action in {"/sign-out", *MAKES_TWO}:
            continue
        told = valid(form)
        once, after = ours(administrator, form.action, told), rows(registry)
        again = ours(administrator, form.action, told)
        if once.status_code < 400 and rows(registry) != after:
            wrong.append(f"{form.action}: something more is written")
        if again.status_code >= 400 and 'role="alert"' not in again.text and "<h1>" not in again.text:
            wrong.append(f"{form.action}: {again.status_code} without a sentence")
        walk.put_back()
    assert wrong == []


# --------------------------------------------------------------------------------------- forms of no account


@pytest.fixture
def doors(app, registry, stranger, administrator):
    """The pages with a form that nobody has to sign in for."""
    app.state.settings = app.state.settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    with registry.session() as session:
        token = password_links.make(session, users.known(session, "nora@ville.example"), NOW)
    room = re.search(r"/r/loire\?k=[\w.]+", administrator.get("/rooms/loire").text)[0]
    paths = ["/sign-in", "/forgotten-password", f"/new-password/{token}", room]
    return {path: Page(path, stranger.get(path).text) for path in paths}


def test_a_form_of_no_account_has_a_sentence_for_anything_too(app, registry, stranger, doors, monkeypatch):
    """Sign-in, forgotten and new passwords, and a room's form."""
    monkeypatch.setattr(users, "checked", lambda *_: None)  # argon2 itself is left out
    walk = Walk(stranger, app, registry, doors)
    for page in doors.values():
        for form in page.forms:
            for each in different(form):
                for label, values in hostile(each).items():
                    walk.check(form, valid(form) | {each.name: values}, each.name, label)
    assert not walk.wrong, "\n".join(walk.wrong)


def test_a_file_may_be_as_large_as_its_page_says(administrator, app):
    """Larger than any other request."""
    rows = b"02/03/2026 09:15;loire;21,4\n" * (app.state.settings.max_body_bytes // 25)
    files = {"file": ("large.csv", b"horodatage;sonde;Temp_C\n" + rows)}
    assert ours(administrator, "/import", {"csrf": administrator.csrf}, files=files).status_code == 303


def test_a_line_of_ipv6_answers_as_one_address(app, registry, monkeypatch):
    """Whoever has such a line has 2⁶⁴ addresses in it."""
    app.state.throttles["answers"] = Throttle(limit=1, window=3600)
    monkeypatch.setattr(room_form, "FASTEST", 0.0)
    with registry.session() as session:
        session.add(Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie"), capacity=8))
    key = room_key(app.state.settings, "loire")
    statuses = []
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        visitor = TestClient(app, follow_redirects=False, client=(host, 5000))
        form = Page("/r/loire", visitor.get(f"/r/loire?k={key}").text).forms[0]
        statuses.append(visitor.post("/r/loire", data=form.sent() | {"satisfaction": ["4"]}).status_code)
    assert statuses == [303, 429, 303]
