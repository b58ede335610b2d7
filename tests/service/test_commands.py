"""`temoin serve`, `migrate`, `user`, `declare` as somebody types them: sentences and exit codes."""

import io
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service import cli
from service.cli.house import listen_or_end
from service.registry import Registry, password_links, users
from service.settings import Settings

TEMOIN = Path(sys.executable).with_name("temoin")
PASSWORD = "correct horse battery"


@pytest.fixture
def temoin(monkeypatch, capsys, tmp_path):
    """Run the command in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["temoin", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def migrated(temoin):
    assert temoin("migrate")[0] == 0
    return temoin


def test_every_command_has_a_help_with_an_example(temoin):
    _, listed, _ = temoin("--help")
    for command in ("serve", "migrate", "declare"):
        assert command in listed
        assert f"Example: temoin {command}" in " ".join(temoin(command, "--help")[1].split())
    for command in ("add", "list", "password", "link", "disable"):
        assert f"Example: temoin user {command}" in " ".join(temoin("user", command, "--help")[1].split())


def test_the_version_is_told(temoin):
    code, out, _ = temoin("--version")
    assert (code, out.startswith("temoin 0.")) == (0, True)


def test_a_word_that_is_no_command_is_wrong_use(temoin):
    assert temoin("sevre")[0] == 2


def test_migrate_may_be_repeated(temoin):
    first, again = (temoin("migrate")[:2] for _ in range(2))
    assert first == again
    assert re.fullmatch(r"The registry is at schema \d{4}\.\n", first[1])


def test_nothing_starts_before_the_registry_is_there(temoin):
    for command in (("serve",), ("declare", "city.toml"), ("user", "list")):
        code, _, err = temoin(*command)
        assert (code, "run `temoin migrate`" in err, err.count("\n")) == (1, True, 1)


def test_a_bad_setting_is_one_sentence(temoin, monkeypatch):
    monkeypatch.setenv("TEMOIN_TIMEZONE", "Mars/Phobos")
    code, _, err = temoin("migrate")
    assert (code, err) == (
        1,
        "TEMOIN_TIMEZONE: should be a time zone such as Europe/Paris (it is 'Mars/Phobos')\n",
    )


def test_a_name_that_means_nothing_is_told_and_stops_nothing(temoin, monkeypatch):
    monkeypatch.setenv("TEMOIN_TIMEZON", "Europe/Paris")
    code, _, err = temoin("migrate")
    assert (code, "TEMOIN_TIMEZON is no setting" in err) == (0, True)


def test_a_folder_that_cannot_be_made_is_one_sentence(temoin, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(tmp_path / "file" / "data"))
    code, _, err = temoin("migrate")
    assert (code, "TEMOIN_DATA_DIR" in err, err.count("\n")) == (1, True, 1)


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_one_sentence(migrated, tmp_path):
    (tmp_path / "data").chmod(0o500)
    code, _, err = migrated("migrate")
    (tmp_path / "data").chmod(0o700)
    assert (code, err.count("\n")) == (1, 1)


# --------------------------------------------------------------------------------------------------- people


def people(tmp_path):
    registry = Registry(Settings(data_dir=tmp_path / "data").registry_url)
    return closing(registry)


def test_a_link_to_choose_a_password_is_at_the_public_address(migrated, tmp_path, monkeypatch):
    monkeypatch.setenv("TEMOIN_PUBLIC_URL", "https://temoin.ville.example")
    migrated("user", "add", "camille@ville.example")
    code, out, _ = migrated("user", "link", "Camille@ville.example")
    assert code == 0
    assert out.startswith("https://temoin.ville.example/new-password/")
    with people(tmp_path) as registry, registry.session() as session:
        token = out.strip().rpartition("/")[2]
        assert password_links.owner(session, token, datetime.now(UTC)).email == "camille@ville.example"
    assert migrated("user", "link", "nobody@ville.example")[0] == 1


def test_a_person_gets_a_password_that_is_shown_once_and_works(migrated, tmp_path):
    code, out, _ = migrated("user", "add", "Camille@ville.example", "--role", "facilities")
    assert (code, out.splitlines()[0]) == (0, "Camille@ville.example may sign in as facilities.")
    password = out.splitlines()[1].removeprefix("Password, shown once: ")
    with people(tmp_path) as registry, registry.session() as session:
        assert users.checked(session, "camille@ville.example", password).role == "facilities"


def test_a_password_comes_from_stdin_and_is_not_shown(migrated, tmp_path):
    code, out, _ = migrated("user", "add", "a@ville.example", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (code, PASSWORD in out) == (0, False)
    new = PASSWORD[::-1]
    assert migrated("user", "password", "a@ville.example", "--password-stdin", stdin=new)[0] == 0
    with people(tmp_path) as registry, registry.session() as session:
        assert users.checked(session, "a@ville.example", PASSWORD) is None
        assert users.checked(session, "a@ville.example", new)


def test_people_are_listed_with_role_and_state(migrated):
    migrated("user", "add", "b@ville.example", "--name", "Bo")
    migrated("user", "add", "a@ville.example", "--role", "analyst")
    assert migrated("user", "disable", "b@ville.example")[1] == "b@ville.example may no longer sign in.\n"
    assert [line.split("\t") for line in migrated("user", "list")[1].splitlines()] == [
        ["a@ville.example", "analyst", "active", "a@ville.example"],
        ["b@ville.example", "reader", "disabled", "Bo"],
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "a@ville.example", "--role", "king"), "no role « king »"),
        (("add", "nobody"), "not an e-mail"),
        (("password", "nobody@ville.example"), "Nobody here"),
        (("disable", "nobody@ville.example"), "Nobody here"),
    ],
)
def test_what_cannot_be_done_about_a_person_is_one_sentence(migrated, arguments, says):
    code, _, err = migrated("user", *arguments)
    assert (code, says in err, err.count("\n")) == (1, True, 1)


def test_a_password_that_is_tried_first_is_refused(migrated):
    for password in ("azertyuiop12", "camille.martin75"):
        said = ("user", "add", "camille.martin@ville.example", "--password-stdin")
        code, _, err = migrated(*said, stdin=f"{password}\n")
        assert (code, "among the first that are tried" in err, password in err) == (1, True, False)


def test_a_short_password_is_refused(migrated):
    code, _, err = migrated("user", "add", "a@ville.example", "--password-stdin", stdin="short\n")
    assert (code, "12 to 128" in err) == (1, True)


# -------------------------------------------------------------------------------------------------- declare


def test_declare_says_what_it_did(migrated, tmp_path):
    file = tmp_path / "city.toml"
    file.write_text('[[sites]]\nslug = "hv"\nname = "Mairie"\n')
    assert migrated("declare", str(file))[:2] == (0, "created site hv\n1 changes; 0 left as they were.\n")
    assert migrated("declare", str(file))[:2] == (0, "0 changes; 1 left as they were.\n")


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b'[[sites]]\nslug = "hv"\n', 3, "line 1: sites 1 › name: is missing"),
        (b"\xff\xfe", 3, "not UTF-8"),
        (None, 2, "No such file"),
    ],
)
def test_a_file_that_cannot_be_declared_has_its_exit_code(migrated, tmp_path, content, code, says):
    file = tmp_path / "city.toml"
    if content is not None:
        file.write_bytes(content)
    ended, _, err = migrated("declare", str(file))
    assert (ended, says in err) == (code, True), err


# ---------------------------------------------------------------------------------------------------- serve


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_a_port_in_use_is_one_sentence(migrated):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = migrated("serve", "--port", str(port))
    assert (code, f"127.0.0.1:{port}" in err, err.count("\n")) == (1, True, 1)


@pytest.mark.usefixtures("migrated")
def test_serve_answers_until_it_is_asked_to_stop(tmp_path):
    port = free_port()
    serving = subprocess.Popen(
        [TEMOIN, "serve", "--port", str(port)],
        env={**os.environ, "TEMOIN_DATA_DIR": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout.readline() == f"http://127.0.0.1:{port}/\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            assert answer.status == 200
            assert "server" not in {name.lower() for name in answer.headers}
        serving.send_signal(signal.SIGTERM)
        _, logged = serving.communicate(timeout=20)
    finally:
        serving.kill()
    assert serving.returncode in (0, -signal.SIGTERM)
    assert '"route": "/readyz"' in logged
    assert "Traceback" not in logged


def test_help_is_quick():
    """In processor time: six other programs may be running beside the tests."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([TEMOIN, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_loads_nothing_heavy():
    heavy = "pandas numpy scipy sqlalchemy duckdb fastapi pydantic babel jinja2 paho structlog"
    code = f"import sys, service.cli; sys.exit(', '.join(set({heavy.split()}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr == b"\n"


def test_small_answers_leave_at_once():
    """Asyncio sets TCP_NODELAY only on sockets that name TCP; without it a page waits 40 ms for nothing."""
    with listen_or_end("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    "told",
    [
        ("show", "9" * 23), ("show", "0"), ("show", "trois"), ("guess", "9" * 23), ("withdraw", "9" * 23),
        ("drop", "9" * 23, "--reason", "x"), ("replay", "9" * 23), ("list", "--limit", "9" * 23),
    ],
)  # fmt: skip
def test_a_number_that_no_message_has_is_wrong_use(temoin, told):
    code, _, said = temoin("quarantine", *told)
    assert (code, "Traceback" in said) == (2, False)
