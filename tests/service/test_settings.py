"""Settings: one table, bad values named, secrets from files."""

import re
import stat
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load_settings, unknown_settings


def test_everything_has_a_default():
    settings = load_settings()
    assert (settings.port, settings.store, settings.locale) == (8080, "embedded", "fr")
    assert settings.registry_url == f"sqlite:///{Path('data/registry.db').absolute()}"


def test_the_environment_beats_the_file_and_the_command_line_beats_both(monkeypatch):
    Path(".env").write_text("TEMOIN_PORT=9001\nTEMOIN_HOST=0.0.0.0\n")
    monkeypatch.setenv("TEMOIN_PORT", "9002")
    assert (load_settings().port, load_settings().host) == (9002, "0.0.0.0")  # noqa: S104 - a value, nobody listens
    assert load_settings(port=9003).port == 9003


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PORT", "http", "integer"),
        ("PORT", "70000", "65535"),
        ("STORE", "sqlite", "'embedded' or 'influxdb'"),
        ("TIMEZONE", "Paris", "Europe/Paris"),
        ("MQTT_URL", "tcp://broker", "mqtt://"),
        ("INFLUX_URL", "influxdb:8086", "http://"),
        ("MQTT_TOPICS", " , ", "at least one topic"),
        ("PUBLIC_URL", "temoin.ville.example", "https://"),
        ("TRUSTED_PROXIES", "the proxy", "10.0.0.0/8"),
        ("LOCALE", "de", "'fr' or 'en'"),
        ("MIN_GROUP", "4", "greater than or equal to 5"),
    ],
)
def test_a_bad_value_is_named_with_what_it_should_be(monkeypatch, name, value, advice):
    monkeypatch.setenv(f"TEMOIN_{name}", value)
    with pytest.raises(SettingsError, match=f"^TEMOIN_{name}: ") as refused:
        load_settings()
    assert advice in str(refused.value)


def test_every_bad_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv("TEMOIN_PORT", "http")
    monkeypatch.setenv("TEMOIN_LOCALE", "de")
    with pytest.raises(SettingsError, match=r"(?s)TEMOIN_PORT.*TEMOIN_LOCALE"):
        load_settings()


def test_settings_that_go_together_are_asked_for_together(monkeypatch):
    monkeypatch.setenv("TEMOIN_STORE", "influxdb")
    with pytest.raises(SettingsError, match="TEMOIN_INFLUX_TOKEN"):
        load_settings()


def test_a_secret_may_come_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD_FILE", str(tmp_path / "password"))
    assert load_settings().mqtt_password.get_secret_value() == "s3cret"


def test_a_secret_file_that_cannot_be_read_is_named(monkeypatch):
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD_FILE", "/nowhere")
    with pytest.raises(SettingsError, match="TEMOIN_MQTT_PASSWORD_FILE: cannot read /nowhere"):
        load_settings()


def test_a_secret_given_twice_is_refused(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("one")
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD", "two")
    with pytest.raises(SettingsError, match="both set"):
        load_settings()


def test_a_secret_is_not_repeated_when_it_is_refused(monkeypatch):
    monkeypatch.setenv("TEMOIN_SECRET_KEY", "tooshort")
    with pytest.raises(SettingsError, match="TEMOIN_SECRET_KEY: should have 32 characters") as refused:
        load_settings()
    assert "tooshort" not in str(refused.value)


def test_secrets_do_not_show_when_settings_are_printed():
    assert "s3cret" not in repr(Settings(mqtt_password="s3cret", influx_token="s3cret-too"))


def test_a_name_that_means_nothing_is_told(monkeypatch):
    Path(".env").write_text("TEMOIN_TIMEZON=Europe/Paris\n")
    monkeypatch.setenv("TEMOIN_MQTT_PASWORD_FILE", "/run/secret")
    monkeypatch.setenv("TEMOIN_MQTT_PASSWORD_FILE", "/run/secret")
    assert unknown_settings() == ["TEMOIN_MQTT_PASWORD_FILE", "TEMOIN_TIMEZON"]


def test_the_signing_key_is_made_once_for_its_owner_only(settings):
    key = settings.signing_key()
    assert settings.signing_key() == key
    assert len(key) >= 32
    assert stat.S_IMODE((settings.data_dir / "secret_key").stat().st_mode) == 0o600


def test_a_signing_key_that_is_given_is_not_written_down(tmp_path):
    settings = Settings(data_dir=tmp_path, secret_key="k" * 32)
    assert settings.signing_key() == "k" * 32
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_hold_the_key_is_named(tmp_path):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(SettingsError, match="TEMOIN_DATA_DIR"):
        Settings(data_dir=tmp_path / "data").signing_key()


def test_cookies_are_secure_when_people_come_over_https():
    assert Settings(public_url="https://temoin.ville.example/").secure
    assert not Settings(public_url="http://temoin.ville.example").secure


def test_a_receivers_name_is_made_once_and_nobody_guesses_it(tmp_path):
    first, other = Settings(data_dir=tmp_path / "one"), Settings(data_dir=tmp_path / "other")
    assert re.fullmatch("temoin-[0-9a-f]{16}", first.client_id())
    assert first.client_id() == Settings(data_dir=tmp_path / "one").client_id() != other.client_id()
    assert (tmp_path / "one" / "landing" / "mqtt.client_id").stat().st_mode & 0o777 == 0o600
    assert Settings(data_dir=tmp_path, mqtt_client_id="hall").client_id() == "hall"
    assert Settings(data_dir=tmp_path / "one", landing="mqtt-2").client_id() != first.client_id()


@pytest.mark.parametrize("name", ["", "http", "demo", "../mqtt", "A", "x" * 21])
def test_a_landing_has_a_name_of_its_own(name, monkeypatch):
    monkeypatch.setenv("TEMOIN_LANDING", name)
    with pytest.raises(SettingsError, match="neither http nor demo"):
        load_settings()
