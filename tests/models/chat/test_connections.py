import os
import stat
import threading

import pytest
import yaml

from curation.core.errors import CurationError
from curation.core.spending import Prices
from curation.models.chat import connections as module
from curation.models.chat.connections import (
    Connection,
    connection_of,
    connections,
    connections_file,
    remove_connection,
    save_connection,
    try_connection,
)
from curation.models.chat.secrets import looks_secret, scrubbed

KEYS = [
    "sk-proj-4f9a1c77e2d0b6853aXYZ", "sk-ant-api03-abcDEF1234567890", "sk-or-v1-0123456789abcdef0123456789abcdef",
    "gsk_a1B2c3D4e5F6g7H8i9J0k1L2", "hf_AbCdEfGhIjKlMnOpQrSt123456", "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "0123456789abcdef0123456789abcdef", "xai-abcdef0123456789", "Bearer abc.def", "nvapi-A1b2C3d4E5f6",
    "eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIx",
]  # fmt: skip
NAMES = [
    "OPENAI_API_KEY", "MY_KEY_2", "HF_TOKEN", "VLLM_KEY", "key", "ANTHROPIC_API_KEY_FOR_TESTS_2024",
    "azure_openai_key1", "TOGETHER_API_KEY", "SK_TEST", "DEEPSEEK_API_KEY_PRODUCTION_ENVIRONMENT", "_K",
]  # fmt: skip


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    path = tmp_path / "config" / "connections.yaml"
    monkeypatch.setenv("CURATION_CONNECTIONS", str(path))
    return path


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def server(**fields):
    return Connection(**{"name": "judge", "address": "http://127.0.0.1:8000/v1", "model": "m", **fields})


# ---------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated(file, key):
    assert looks_secret(key)
    for fields in ({"key": key}, {"address": f"http://u:{key}@host/v1"}, {"address": f"http://host/v1?key={key}"}):
        written(file, yaml.safe_dump({"judge": {"model": "m", "address": "http://127.0.0.1/v1", **fields}}))
        with pytest.raises(CurationError) as caught:
            connection_of("judge")
        assert key not in f"{caught.value} {caught.value!r} {caught.value.hint}"
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
        with pytest.raises(CurationError) as caught:
            connections()
        assert key not in str(caught.value)


@pytest.mark.parametrize("key", KEYS)
def test_keys_as_names_fields_and_broken_files_are_not_repeated(file, key):
    for text in (f"judge: {{{key}: 5, model: m}}", f'"{key}": 5', f"judge: [{key}", f"judge:\n\tkey: {key}"):
        written(file, text)
        with pytest.raises(CurationError) as caught:
            connections()
        assert key not in str(caught.value), text
    file.unlink()
    with pytest.raises(CurationError) as caught:
        connection_of(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_variables_are_no_secrets(name):
    assert server(key=name).key == name


def test_scrubbed_takes_out_the_key_what_looks_like_one_and_control_characters():
    text = "Incorrect key: topsecret99.\x1b[31m Bearer abcdefgh sk-abc***xyz\nhf_abcdefghij0123456789 end"
    shown = scrubbed(text, "topsecret99")
    for part in ("topsecret99", "abcdefgh", "sk-abc", "hf_", "\x1b", "\n"):
        assert part not in shown
    assert shown.startswith("Incorrect key:") and shown.endswith("end")


def test_the_secret_comes_from_the_environment_only(monkeypatch):
    found = server(key="H1_TEST_KEY")
    monkeypatch.delenv("H1_TEST_KEY", raising=False)
    with pytest.raises(CurationError, match="H1_TEST_KEY is not set"):
        found.secret()
    monkeypatch.setenv("H1_TEST_KEY", "plain-and-secret ")
    assert found.secret() == "plain-and-secret"
    assert "plain-and-secret" not in f"{found!r} {found} {found.model_dump()}"
    for bad in ("two words", "line\nend", "schlüssel"):
        monkeypatch.setenv("H1_TEST_KEY", bad)
        with pytest.raises(CurationError) as caught:
            found.secret()
        assert bad not in str(caught.value)
    assert server().secret() == ""


# -------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("HTTP://LocalHost:80/v1/", "http://localhost/v1"),
        ("https://API.example.com:443/v1", "https://api.example.com/v1"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("http://[::1]:8000/v1//", "http://[::1]:8000/v1"),
        (" http://127.0.0.1:1/V1 ", "http://127.0.0.1:1/V1"),
        (f"https://host/accounts/{'0123456789abcdef' * 2}/v1", f"https://host/accounts/{'0123456789abcdef' * 2}/v1"),
    ],
)
def test_addresses_are_normalised(address, endpoint):
    assert server(address=address).endpoint == endpoint
    assert server(address=address).identity() == {"endpoint": endpoint, "model": "m"}


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:8000/v1", "ftp://host/v1", "http://", "http://host:99999/v1", "http://ho st/v1", "http://h/v1#x",
     "http://[::1/v1", "file:///etc/passwd", "http://user@host/v1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="address"):
        server(address=address)


@pytest.mark.parametrize("host", ["api.example.com", "8.8.8.8", "[2001:4860:4860::8888]"])
def test_a_key_does_not_travel_over_plain_http_to_the_internet(host):
    with pytest.raises(ValueError, match="plain http"):
        server(address=f"http://{host}/v1", key="A_KEY")
    assert server(address=f"https://{host}/v1", key="A_KEY").warning() == ""
    assert server(address=f"http://{host}/v1").warning() == "", "without a key nothing can be read along"


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.7", "gpu-box", "gpu.local", "[fe80::1]"])
def test_a_private_network_gets_a_warning(host):
    assert "unencrypted" in server(address=f"http://{host}:8000/v1", key="A_KEY").warning()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1", "0.0.0.0", "[::]"])
def test_this_machine_gets_none(host):
    assert server(address=f"http://{host}:8000/v1", key="A_KEY").warning() == ""


@pytest.mark.parametrize(
    "fields",
    [{"model": " "}, {"concurrency": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"structured": "maybe"},
     {"kind": "x"}, {"name": "stand-in"}, {"name": "../x"}, {"name": ""}, {"colour": 1}, {"prices": {"input": -1}},
     {"prices": {"currency": "euros"}}, {"prices": {"input": float("nan")}}],
)  # fmt: skip
def test_fields_out_of_range(fields):
    with pytest.raises(ValueError):
        server(**fields)


# --------------------------------------------------------------------------- the file


def test_saved_and_found_again(file):
    made = server(key="A_KEY", prices=Prices(0.15, 0.6, "EUR"), concurrency=8, structured="json", timeout=5.5)
    other = Connection(name="here", kind="local", model="some/model")
    for each in (made, other):
        assert save_connection(each) == file
    assert connections() == {"judge": made, "here": other, "stand-in": module.stand_in()}
    assert connection_of("judge") == made
    assert other.endpoint == "local"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["connections.yaml"]
    save_connection(server(model="n"))
    assert connection_of("judge") == server(model="n"), "replaced as a whole"
    remove_connection("judge")
    assert list(connections()) == ["here", "stand-in"]
    with pytest.raises(CurationError, match="no connection 'judge'"):
        remove_connection("judge")


def test_a_file_that_others_could_read_is_closed_when_saved(file):
    written(file, "{}")
    file.chmod(0o644)
    save_connection(server())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    ["judge: {model: 2024-13-45}", f"judge: {{timeout: {'1' * 5000}}}", "judge: {model: a}\njudge: {model: b}",
     "judge: {model: a, kind: local, model: b}"],
)  # fmt: skip
def test_what_yaml_cannot_be_is_told_with_its_line(file, text):
    written(file, text)
    with pytest.raises(CurationError, match="connections") as caught:
        connections()
    assert caught.value.hint


def test_a_name_that_stands_twice_is_not_overwritten(file):
    text = "judge: {kind: local, model: a}\n\njudge: {kind: local, model: b}\n"
    written(file, text)
    for act in (connections, lambda: save_connection(server(name="other")), lambda: remove_connection("judge")):
        with pytest.raises(CurationError, match=r"twice.*line 3"):
            act()
    assert file.read_text("utf-8") == text
    for key in KEYS[:3]:
        written(file, f"{key}: {{}}\n{key}: {{}}\n")
        with pytest.raises(CurationError) as caught:
            connections()
        assert key not in f"{caught.value} {caught.value.hint}"


def test_a_price_that_is_left_out_is_not_nothing(file):
    for prices in ("{output: 0.6}", "{input: 0.15}", "{currency: EUR}"):
        written(file, f"judge: {{address: 'http://127.0.0.1:1', model: m, prices: {prices}}}")
        with pytest.raises(CurationError, match="both"):
            connections()
    made = server(prices=Prices(0.0, 0.6))
    save_connection(made)
    assert connection_of("judge") == made
    made = server(prices=Prices(0.0, 0.0))
    save_connection(made)
    assert connection_of("judge") == made


def test_a_link_stays_a_link(file, tmp_path):
    real = tmp_path / "dotfiles.yaml"
    file.parent.mkdir()
    file.symlink_to(real)
    save_connection(server())
    assert file.is_symlink() and "judge" in real.read_text()


def test_a_failed_save_leaves_the_old_file(file, monkeypatch):
    save_connection(server())
    before = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CurationError, match="disk is full"):
        save_connection(server(model="n"))
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["connections.yaml"]


def test_the_stand_in_always_exists(file):
    assert list(connections()) == ["stand-in"]
    found = connection_of("stand-in")
    assert found.identity() == {"endpoint": "stand-in", "model": "stand-in"}
    assert found.info()["weak"] and found.info()["stand_in"]
    assert "weak" not in server().info()
    for change in (lambda: save_connection(found), lambda: remove_connection("stand-in")):
        with pytest.raises(CurationError, match="always exists"):
            change()


def test_a_missing_connection_says_how_to_make_one(file):
    save_connection(server())
    with pytest.raises(CurationError) as caught:
        connection_of("jugde")
    assert "jugde" in caught.value.message
    assert all(word in caught.value.hint for word in ("curate connections", str(file), "judge", "stand-in"))


@pytest.mark.parametrize(
    "text", ["- a\n- b", "just text", "judge: 5", "judge: {model: m, model: [", "5: {model: m}", "\x00"]
)
def test_a_broken_file_is_told(file, text):
    written(file, text)
    with pytest.raises(CurationError) as caught:
        connections()
    assert str(file) in str(caught.value)


def test_an_empty_file_is_none(file):
    written(file, "# nothing yet\n")
    assert list(connections()) == ["stand-in"]


def test_where_the_file_is(monkeypatch, tmp_path):
    monkeypatch.delenv("CURATION_CONNECTIONS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert connections_file() == tmp_path / "curation" / "connections.yaml"


# --------------------------------------------------------------------------- the test


def test_a_working_connection_is_tried(loopback):
    started = loopback(key="sk-loopback-123456789")
    found = try_connection(connection_of("judge"))
    assert (found.reached, found.model_there, found.structured, found.logprobs) == (True, True, True, True)
    assert found.message == "" and found.tokens_in > 0 and found.tokens_out > 0 and found.seconds > 0
    assert started.stats()["calls"] == 2


def test_what_a_server_does_not_take_is_told(loopback):
    loopback(schema="refuse", logprobs="refuse")
    found = try_connection(connection_of("judge"))
    assert (found.reached, found.structured, found.logprobs) == (True, False, False)
    assert "log-probabilities" in found.given_up and "replies in JSON" in found.given_up
    assert not found.message


def test_what_is_wrong_is_told_and_never_raised(loopback, monkeypatch):
    started = loopback(models=["other"])
    found = try_connection(connection_of("judge"))
    assert found.reached and found.model_there is False and found.models == ("other",) and "no model" in found.message
    started.tell(models=[], key="sk-loopback-123456789")
    found = try_connection(connection_of("judge"))
    assert found.reached and "401" in found.message and found.hint
    started.close()
    found = try_connection(connection_of("judge"))
    assert not found.reached and found.message == "no server answers"
    monkeypatch.delenv("LOOPBACK_KEY", raising=False)
    found = try_connection(server(key="LOOPBACK_KEY"))
    assert not found.reached and "LOOPBACK_KEY is not set" in found.message


def test_it_is_tried_inside_a_running_loop_too(loopback):
    import asyncio

    loopback()
    here = threading.get_ident()

    async def page():
        assert threading.get_ident() == here
        return try_connection(connection_of("judge"))

    assert asyncio.run(page()).reached
