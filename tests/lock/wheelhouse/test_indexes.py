"""Where uv is told to look is where pip looks when it downloads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.lock.wheelhouse.indexes import Indexes, download_environ, indexes_of_uv

A, B, C = "https://a.example.invalid/simple", "https://b.example.invalid/simple", "https://c.example.invalid/simple"


def found(tmp_path: Path, environ: dict[str, str] | None = None, text: str = "", own: str | None = None) -> Indexes:
    variables = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home"), **(environ or {})}
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return indexes_of_uv(variables, Project(tmp_path), own)


def test_nothing_told_leaves_pip_to_its_own_settings(tmp_path: Path) -> None:
    assert found(tmp_path).options() == []


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_variables_name_the_default_index(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, {name: A}).options() == [f"--index-url {A}"]


def test_the_sessions_own_index_goes_before_all(tmp_path: Path) -> None:
    assert found(tmp_path, {"UV_DEFAULT_INDEX": A}, own=B).default == B


def test_further_indexes_directories_and_trusted_hosts(tmp_path: Path) -> None:
    told = found(
        tmp_path,
        {"UV_INDEX": f"mine={A} {B}", "UV_FIND_LINKS": "wheels dir,/other", "UV_INSECURE_HOST": "a.example"},
    )
    assert told.extra == (A, B)
    assert told.find_links == (str(tmp_path / "wheels dir"), "/other")
    assert "--trusted-host a.example" in told.options()
    assert f"--find-links {(tmp_path / 'wheels dir').as_uri()}" in told.options()


def test_logins_of_named_indexes(tmp_path: Path) -> None:
    environ = {
        "UV_DEFAULT_INDEX": f"my-own={A}",
        "UV_INDEX_MY_OWN_USERNAME": "me@x",
        "UV_INDEX_MY_OWN_PASSWORD": "p/w",
    }
    assert found(tmp_path, environ).default == "https://me%40x:p%2Fw@a.example.invalid/simple"


def test_tables_of_pyproject(tmp_path: Path) -> None:
    told = found(
        tmp_path,
        text=f"""
        [[tool.uv.index]]
        name = "extra"
        url = "{B}"
        explicit = true
        [[tool.uv.index]]
        url = "{A}"
        default = true
        [[tool.uv.index]]
        url = "vendored"
        format = "flat"
        [tool.uv.pip]
        extra-index-url = ["{C}"]
        find-links = ["more"]
        """,
    )
    assert told == Indexes(A, (B, C), (str(tmp_path / "vendored"), str(tmp_path / "more")))


def test_a_uv_toml_overrules_pyproject_and_is_overruled_by_variables(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(f'index-url = "{B}"\n', encoding="utf-8")
    text = f'[tool.uv]\nindex-url = "{A}"\n'
    assert found(tmp_path, text=text).default == B
    assert found(tmp_path, {"UV_DEFAULT_INDEX": C}, text=text).default == C
    assert found(tmp_path, {"UV_NO_CONFIG": "1"}, text=text).default is None


def test_a_malformed_uv_toml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text("[", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"uv\.toml"):
        found(tmp_path)


def test_certificates_and_keyrings_are_handed_on_and_constraints_arent(tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": "/ca.pem", "UV_KEYRING_PROVIDER": "subprocess", "PIP_CONSTRAINT": "c.txt"}
    environ["PIP_CONFIG_FILE"] = os.devnull
    given = download_environ(environ, Project(tmp_path))
    assert given["PIP_CERT"] == "/ca.pem"
    assert given["PIP_KEYRING_PROVIDER"] == "subprocess"
    assert "PIP_CONSTRAINT" not in given
    own = download_environ({"SSL_CERT_FILE": "/ca.pem", "PIP_CERT": "/own.pem"}, Project(tmp_path))
    assert own["PIP_CERT"] == "/own.pem"
