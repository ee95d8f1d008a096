"""Windows: a job object that ends child processes with their parent.

A job object is a set of processes; a process joins the jobs of its parent. This process puts itself into a job whose
only handle it holds. When it is gone, the system closes the handle and ends all processes in the job.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

KILLED_WHEN_CLOSED = 0x2000
MAY_BE_LEFT = 0x800
"""Allows CREATE_BREAKAWAY_FROM_JOB, by which a child leaves the job."""

_EXTENDED_LIMITS = 9


def end_with_us(kernel: Any = None) -> Callable[[], None] | None:
    """End all processes that this one starts from now on when this one ends.

    Args:
        kernel: kernel32, or a test double.

    Returns:
        a function that releases the processes, for a normal end. None if there is no job: not on Windows, or in
        another job before Windows 8.
    """
    try:
        if kernel is None:
            kernel = _kernel32()
        job = kernel.CreateJobObjectW(None, None) if kernel is not None else None
        if not job:
            return None
        limited = _limit(kernel, job, KILLED_WHEN_CLOSED | MAY_BE_LEFT)
        if not (limited and kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())):
            kernel.CloseHandle(job)
            return None
    except (OSError, AttributeError):
        return None

    def spare() -> None:
        # without the change of limits, closing the handle would end this process too
        if _limit(kernel, job, MAY_BE_LEFT):
            kernel.CloseHandle(job)

    return spare


def _limit(kernel: Any, job: Any, flags: int) -> bool:
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION; of all its fields, only LimitFlags is set
    data = struct.pack("@qqINNINII6Q4N", 0, 0, flags, *[0] * 16)
    return bool(kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, data, len(data)))


def _kernel32() -> Any:
    if sys.platform != "win32":
        return None
    import ctypes

    kernel = ctypes.WinDLL("kernel32")
    handle, number = ctypes.c_void_p, ctypes.c_uint32
    kernel.CreateJobObjectW.argtypes = (handle, ctypes.c_wchar_p)
    kernel.CreateJobObjectW.restype = handle
    kernel.SetInformationJobObject.argtypes = (handle, ctypes.c_int, ctypes.c_char_p, number)
    kernel.AssignProcessToJobObject.argtypes = (handle, handle)
    kernel.GetCurrentProcess.restype = handle
    kernel.CloseHandle.argtypes = (handle,)
    return kernel
