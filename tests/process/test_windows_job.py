"""The job object that ends our processes on Windows, on a kernel32 that is played."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from setlist.core.system import WINDOWS
from setlist.process.windows_job import KILLED_WHEN_CLOSED, MAY_BE_LEFT, end_with_us

JOB, OURSELVES = 7, -1


class Kernel:
    """Plays kernel32, and writes down what it was asked to do."""

    def __init__(self, **refused: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._refused = refused

    def CreateJobObjectW(self, attributes: None, name: None) -> int:  # noqa: N802
        return self._said("create", JOB)

    def SetInformationJobObject(self, job: int, kind: int, data: bytes, size: int) -> int:  # noqa: N802
        assert (job, kind, len(data)) == (JOB, 9, size)
        # JOBOBJECT_EXTENDED_LIMIT_INFORMATION on 64 bits; LimitFlags come after two LARGE_INTEGERs
        assert size == 144
        assert not any(data[:16] + data[20:])
        return self._said("limit", 1, struct.unpack("<I", data[16:20])[0])

    def GetCurrentProcess(self) -> int:  # noqa: N802
        return OURSELVES

    def AssignProcessToJobObject(self, job: int, process: int) -> int:  # noqa: N802
        assert (job, process) == (JOB, OURSELVES)
        return self._said("join", 1)

    def CloseHandle(self, job: int) -> int:  # noqa: N802
        return self._said("close", 1)

    def _said(self, name: str, answer: int, *more: Any) -> int:
        self.calls.append((name, *more))
        return int(self._refused.get(name, answer))


def test_we_join_a_job_that_is_killed_when_closed_and_take_that_back_before_we_close_it() -> None:
    kernel = Kernel()
    spare = end_with_us(kernel)
    assert kernel.calls == [("create",), ("limit", KILLED_WHEN_CLOSED | MAY_BE_LEFT), ("join",)]
    assert spare is not None
    spare()
    assert kernel.calls[3:] == [("limit", MAY_BE_LEFT), ("close",)]


@pytest.mark.parametrize("refused", ["create", "limit", "join"])
def test_where_it_cant_be_had_there_is_none_and_nothing_is_left_open(refused: str) -> None:
    kernel = Kernel(**{refused: 0})
    assert end_with_us(kernel) is None
    assert [call[0] for call in kernel.calls if call[0] == "close"] == ([] if refused == "create" else ["close"])


def test_a_job_whose_limit_stays_is_never_closed_by_us() -> None:
    kernel = Kernel()
    spare = end_with_us(kernel)
    assert spare is not None
    kernel._refused["limit"] = 0
    spare()  # closing it would be our own end
    assert ("close",) not in kernel.calls


@pytest.mark.skipif(WINDOWS, reason="there is one")
def test_elsewhere_there_is_none() -> None:
    assert end_with_us() is None
