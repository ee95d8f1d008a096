"""Windows: what we start ends with us, however we end.

A job object is a set of processes, joined by birth. The one that we put ourselves into has a single handle, ours: the
system closes it when we are gone, and ends what is in the job.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

KILLED_WHEN_CLOSED = 0x2000
MAY_BE_LEFT = 0x800
"""By a process that is started with CREATE_BREAKAWAY_FROM_JOB, which fails where that isn't allowed."""

_EXTENDED_LIMITS = 9


def end_with_us(kernel: Any = None) -> Callable[[], None] | None:
    """Let everything that we start from now on end when we do.

    Args:
        kernel: kernel32, or something that plays its part.

    Returns:
        what lets them live on, for a normal end; None where it couldn't be done (elsewhere than on Windows, or
        before Windows 8 in a job of somebody else's).
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
        # closed with its limit in force, it would end us as well
        if _limit(kernel, job, MAY_BE_LEFT):
            kernel.CloseHandle(job)

    return spare


def _limit(kernel: Any, job: Any, flags: int) -> bool:
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION; of all that it holds, only LimitFlags is said
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
