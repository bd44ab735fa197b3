"""What `init` writes means the same to every reader, or is refused: dotenv, systemd's own parser, compose's answers.

systemd's parser is asked itself, through its shared library; what compose reads was recorded from its own library.
"""

from __future__ import annotations

import ctypes
import json
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import dotenv
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logger.commands.init.draft import Draft, choose_destination
from logger.errors import SettingsError
from logger.settings.envfile import change_env, explain_unfit
from logger.settings.load import load_settings
from logger.settings.texts import render_env_example
from tests.sizes import examples

ROOT = Path(__file__).parents[2]
RECORDED = json.loads((Path(__file__).parent / "compose_dotenv.json").read_text(encoding="utf-8"))["read"]
LIBRARIES = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))
ODD = (
    "pa ss", " pass ", "pa#ss", "pa #ss", "#", "$HOME", "a$b", "${PATH}", "$$", "it's", '"quoted"', "'quoted'", 'a"b',
    "back\\slash", "\\", "\\n", "a\\", "`id`", "tab\there", "ü ß 日本", "pa ss#$'\"\\w", "-", "=", "a=b", "%41", "%%",
    "!x", "*", "~", "a;b", "a&b", "(a)", "{a}", "a,b", "export A=b", "\u00a0a", "|", "<a>",
)  # fmt: skip


class Systemd:
    """`load_env_file` of systemd's own shared library: what EnvironmentFile= is read with."""

    def __init__(self, library: Path) -> None:
        self._load = ctypes.CDLL(str(library)).load_env_file
        self._load.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.POINTER(ctypes.c_char_p))]

    def read(self, text: str) -> dict[str, str]:
        found = ctypes.POINTER(ctypes.c_char_p)()
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            assert self._load(None, file.name.encode(), ctypes.byref(found)) == 0
        return dict(line.split("=", 1) for line in self._lines(found))

    @staticmethod
    def _lines(found: ctypes._Pointer[ctypes.c_char_p]) -> Iterator[str]:
        index = 0
        while found and (line := found[index]) is not None:
            yield line.decode()
            index += 1


@pytest.fixture(scope="session")
def systemd() -> Systemd:
    if not LIBRARIES:
        pytest.skip("needs: systemd's shared library (Debian package systemd)")
    return Systemd(LIBRARIES[-1])


def by_dotenv(text: str) -> dict[str, str | None]:
    return dict(dotenv.dotenv_values(stream=StringIO(text), interpolate=False))


def by_dotenv_as_others_read_it(text: str) -> dict[str, str | None]:
    return dict(dotenv.dotenv_values(stream=StringIO(text), interpolate=True))


def test_the_parsers_differ_where_we_say_they_do(systemd: Systemd) -> None:
    """The reason for it all: one line, three meanings."""
    line = "A=pa$x\\n #b\n"
    assert by_dotenv(line) == {"A": "pa$x\\n"}
    assert systemd.read(line) == {"A": "pa$xn #b"}
    assert dict(map(tuple, RECORDED))["a$b"] == "a"


@settings(
    max_examples=examples(2000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
@example("my house")
@example("o'brien@example.org")
def test_what_is_written_reads_the_same_in_dotenv_and_systemd(systemd: Systemd, value: str) -> None:
    if explain_unfit(value):
        with pytest.raises(ValueError, match="LOGGER_SITE"):
            change_env("", {"LOGGER_SITE": value})
        return
    text = change_env("", {"LOGGER_SITE": value, "LOGGER_KEEP_DAYS": "7"})
    wanted = {"LOGGER_SITE": value, "LOGGER_KEEP_DAYS": "7"}
    assert by_dotenv(text) == by_dotenv_as_others_read_it(text) == systemd.read(text) == wanted


def test_what_is_accepted_compose_reads_as_it_stands() -> None:
    accepted = [(value, read) for value, read in RECORDED if not explain_unfit(value)]
    assert len(accepted) > 80
    assert [pair for pair in accepted if pair[0] != pair[1]] == []
    refused = [(value, read) for value, read in RECORDED if explain_unfit(value)]
    assert len([pair for pair in refused if pair[0] != pair[1]]) > 50  # the rule is not made of thin air


@pytest.mark.parametrize("layout", ["beside .env", "systemd"])
@pytest.mark.parametrize("password", ODD, ids=ascii)
def test_an_odd_password_survives_init_whole(tmp_path: Path, systemd: Systemd, password: str, layout: str) -> None:
    place = choose_destination(
        None if layout == "systemd" else tmp_path / ".env", tmp_path, systemd=layout == "systemd"
    )
    draft = Draft(place, load_settings(None, environ={"ENPHASE_GATEWAY": "x"}))
    draft.put("ENPHASE_GATEWAY", "192.168.1.50")
    draft.put("ENPHASE_USERNAME", "o'brien@example.org")
    draft.put_secret("ENPHASE_PASSWORD", password)
    draft.put("INFLUXDB_USERNAME", "recorder")
    draft.put_secret("INFLUXDB_PASSWORD", password)
    draft.write()
    text = place.env_file.read_text(encoding="utf-8")
    assert password not in text or len(password) < 4
    as_service = systemd.read(text)
    assert as_service == by_dotenv(text)
    environ = as_service | ({"CREDENTIALS_DIRECTORY": str(place.secrets)} if layout == "systemd" else {})
    for loaded in (
        load_settings(place.env_file, environ={}),  # a command beside it
        load_settings(tmp_path / "no.env", environ=environ),  # the service
    ):
        assert loaded.enphase.password.get_secret_value() == password
        assert loaded.influxdb.password.get_secret_value() == password
        assert loaded.enphase.username == "o'brien@example.org"
        assert loaded.warnings == ()
    mounted = tmp_path / "run" / "secrets"  # as compose mounts a folder of secrets
    mounted.mkdir(parents=True)
    (mounted / "enphase_password").write_bytes((place.secrets / "enphase_password").read_bytes())
    in_container = load_settings(
        None, environ={"ENPHASE_USERNAME": "a", "ENPHASE_PASSWORD_FILE": str(mounted / "enphase_password")}
    )
    assert in_container.enphase.password.get_secret_value() == password


@pytest.mark.parametrize("value", ["a $HOME", "a\\b", "'quoted' name", "name #1", "two\nlines"])
def test_a_setting_that_would_be_read_differently_is_refused_with_a_word(tmp_path: Path, value: str) -> None:
    draft = Draft(
        choose_destination(tmp_path / ".env", None, systemd=False),
        load_settings(None, environ={"ENPHASE_GATEWAY": "x"}),
    )
    draft.put("ENPHASE_GATEWAY", "192.168.1.50")
    draft.put("LOGGER_SITE", value)
    with pytest.raises(SettingsError) as refused:
        draft.write()
    assert [problem.setting for problem in refused.value.problems] == ["LOGGER_SITE"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("password", ["pa ss", "a$b", "a#b", "it's", "a\\b", 'a"b', "a`b"])
def test_a_password_that_somebody_writes_into_the_file_is_warned_of(tmp_path: Path, password: str) -> None:
    env = tmp_path / ".env"
    env.write_text(f"ENPHASE_GATEWAY=x\nENPHASE_USERNAME=a\nENPHASE_PASSWORD={password}\n")
    env.chmod(0o600)
    assert any("ENPHASE_PASSWORD_FILE" in warning for warning in load_settings(env, environ={}).warnings)


def test_lines_are_changed_in_place_and_everything_else_stays() -> None:
    text = "# mine\nLOGGER_SITE=old\n\n#INFLUXDB_URL=http://x\nOTHER=1\nexport LOGGER_SITE = older\nLOGGER_TLS=pin\n"
    changed = change_env(text, {"LOGGER_SITE": "new", "INFLUXDB_URL": "http://y", "LOGGER_TLS": None, "Z": "1"})
    assert changed == "# mine\n\nINFLUXDB_URL=http://y\nOTHER=1\nLOGGER_SITE=new\nZ=1\n"
    assert change_env(changed, {"LOGGER_SITE": "new", "LOGGER_TLS": None}) == changed


def test_the_example_filled_in_reads_the_same_in_all(systemd: Systemd) -> None:
    text = render_env_example()
    values = dict.fromkeys(("LOGGER_SITE", "ENPHASE_USERNAME", "INFLUXDB_ORG"), "x y")
    filled = change_env(text, values)
    assert filled.count("\n") == text.count("\n")
    assert systemd.read(filled) == by_dotenv(filled) == values | {"ENPHASE_GATEWAY": "192.168.1.50"}
    for name in ("systemd/envoy-logger.env", "compose/.env.example"):
        example_text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        assert systemd.read(example_text) == by_dotenv(example_text) == by_dotenv_as_others_read_it(example_text)
