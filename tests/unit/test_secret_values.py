"""Where the values of secrets come from, and what is said when they are nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_api.base import SecretKeyRef
from mcpfleet_api.sources import EnvVar
from mcpfleet_serve.channel import ServerFailure
from mcpfleet_serve.secret_values import look_up, read_env_file, resolve, variable_name

REF = SecretKeyRef(name="github", key="token")


@pytest.mark.parametrize(
    ("name", "key", "variable"),
    [("github", "token", "GITHUB_TOKEN"), ("my-app.v2", "api-key", "MY_APP_V2_API_KEY")],
)
def test_a_key_stands_in_a_variable_of_its_name(name, key, variable):
    assert variable_name(SecretKeyRef(name=name, key=key)) == variable


def test_a_mounted_secret_comes_first(tmp_path):
    (tmp_path / "github").mkdir()
    (tmp_path / "github" / "token").write_text("from the volume")
    environment = {"MCPFLEET_SECRETS": str(tmp_path), "GITHUB_TOKEN": "from the environment"}
    assert look_up(REF, environment) == "from the volume"


def test_an_env_file_wins_over_the_environment(tmp_path):
    file = tmp_path / ".env"
    file.write_text("GITHUB_TOKEN=from the file\n")
    assert look_up(REF, {"MCPFLEET_ENV_FILE": str(file), "GITHUB_TOKEN": "old"}) == "from the file"


def test_the_key_alone_is_a_variable_too():
    assert look_up(SecretKeyRef(name="x", key="API_KEY"), {"API_KEY": "1"}) == "1"


def test_a_missing_key_is_named_with_what_to_do():
    with pytest.raises(ServerFailure) as raised:
        look_up(REF, {"HOME": "/"})
    assert raised.value.reason == "SecretMissing"
    assert raised.value.message == (
        "GITHUB_TOKEN is not set; set it in the environment or in the file that --env-file names"
    )


def test_in_a_cluster_the_secret_and_its_key_are_named(tmp_path):
    with pytest.raises(ServerFailure) as raised:
        look_up(REF, {"MCPFLEET_SECRETS": str(tmp_path)})
    assert raised.value.message == "Secret 'github' has no key 'token'"


def test_an_env_file_is_read_as_a_shell_would(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nPLAIN=a b\nexport EXPORTED=1\nDOUBLE=\"x = 'y'\"\nSINGLE='z'\nEMPTY=\nno variable\n"
        "EQUALS=a=b\n  SPACED = c  \n"
    )
    assert read_env_file(file) == {
        "PLAIN": "a b",
        "EXPORTED": "1",
        "DOUBLE": "x = 'y'",
        "SINGLE": "z",
        "EMPTY": "",
        "EQUALS": "a=b",
        "SPACED": "c",
    }


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "not text"])
def test_an_env_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "x.env"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServerFailure, match=r"x\.env") as raised:
        read_env_file(file)
    assert raised.value.reason == "EnvFileUnreadable"


@given(st.text(max_size=200))
def test_no_text_is_too_strange_for_an_env_file(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text(text, encoding="utf-8", errors="replace")
    assert all(isinstance(value, str) for value in read_env_file(file).values())


def test_only_values_from_secrets_are_secret(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "s3cr3t")
    declared = (EnvVar(name="REGION", value="eu"), EnvVar(name="TOKEN", secret_key_ref=REF))
    assert resolve(declared) == ({"REGION": "eu", "TOKEN": "s3cr3t"}, {"s3cr3t"})
