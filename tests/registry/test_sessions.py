"""Requirements that are taken for well written without asking packaging are so to packaging as well."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from setlist.registry.sessions import _USUAL


@given(st.from_regex(_USUAL, fullmatch=True))
def test_what_is_usual_is_well_written(text: str) -> None:
    if re.fullmatch(_USUAL, text, re.ASCII):  # the strategy knows no flags
        Requirement(text)


@pytest.mark.parametrize(
    "text", ["ruff", "ruff==0.12.*", "coverage[toml]>=7.10", "pytest >=8, <9", "a~=1.2", "A.b-c_d"]
)
def test_packaging_is_not_asked_of_these(text: str) -> None:
    assert re.fullmatch(_USUAL, text, re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ruff==",
        "ruff>=1.*",
        "ruff~=1",
        "ruff 1",
        "-ruff",
        "ruff-",
        "a[b",
        "ruff;x",
        "é",
        "six\r",
        "six\n",
        "a\v==1",
        "a==1,\r<2",
    ],
)
def test_packaging_is_asked_of_these(text: str) -> None:
    assert not re.fullmatch(_USUAL, text, re.ASCII)
