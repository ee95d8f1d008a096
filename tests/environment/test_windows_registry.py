"""Interpreters in the Windows registry, read from one that is made of dictionaries."""

from __future__ import annotations

from types import ModuleType, TracebackType
from typing import Any, cast

from setlist.environment.windows_registry import registered

KEY = r"Software\Python"


class Opened:
    def __init__(self, subkeys: list[str], values: dict[str | None, object]) -> None:
        self.subkeys, self.values = subkeys, values

    def __enter__(self) -> object:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Registry:
    """What winreg offers of it, per hive and view: ``{(hive, view): {key: values}}``."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE = "user", "machine"
    KEY_WOW64_64KEY, KEY_WOW64_32KEY, KEY_READ = 1, 2, 0

    def __init__(self, content: dict[tuple[str, int], dict[str, dict[str | None, object]]]) -> None:
        self.content = content

    def OpenKeyEx(self, hive: str, key: str, reserved: int, access: int) -> Opened:  # noqa: N802
        keys = self.content.get((hive, access), {})
        below = [name.removeprefix(key + "\\").split("\\")[0] for name in keys if name.startswith(key + "\\")]
        if key not in keys and not below:
            raise FileNotFoundError(key)
        return Opened(list(dict.fromkeys(below)), keys.get(key, {}))

    def QueryInfoKey(self, opened: Opened) -> tuple[int, int, int]:  # noqa: N802
        return len(opened.subkeys), len(opened.values), 0

    def EnumKey(self, opened: Opened, index: int) -> str:  # noqa: N802
        return opened.subkeys[index]

    def QueryValueEx(self, opened: Opened, name: str | None) -> tuple[Any, int]:  # noqa: N802
        if name not in opened.values:
            raise FileNotFoundError(name)
        return opened.values[name], 1


def found_in(content: dict[tuple[str, int], dict[str, dict[str | None, object]]]) -> list[tuple[str, str]]:
    return registered(KEY, cast("ModuleType", Registry(content)))


def test_the_users_own_come_before_the_machines() -> None:
    assert found_in(
        {
            ("machine", 1): {
                rf"{KEY}\PythonCore\3.11\InstallPath": {"ExecutablePath": r"C:\Python311\python.exe"},
                rf"{KEY}\ContinuumAnalytics\Anaconda\InstallPath": {"ExecutablePath": r"C:\conda\python.exe"},
            },
            ("machine", 2): {rf"{KEY}\PythonCore\3.9-32\InstallPath": {None: "C:\\Python39-32\\"}},
            ("user", 0): {
                rf"{KEY}\PythonCore\3.13t\InstallPath": {"ExecutablePath": r"C:\Ann\python3.13t.exe"},
            },
        }
    ) == [
        ("3.13t", r"C:\Ann\python3.13t.exe"),
        ("3.11", r"C:\Python311\python.exe"),
        ("Anaconda", r"C:\conda\python.exe"),
        ("3.9-32", r"C:\Python39-32\python.exe"),
    ]


def test_what_is_registered_badly_is_passed_over() -> None:
    assert (
        found_in(
            {
                ("user", 0): {
                    rf"{KEY}\PyLauncher\3.1\InstallPath": {"ExecutablePath": r"C:\py.exe"},
                    rf"{KEY}\PythonCore\3.2\InstallPath": {},
                    rf"{KEY}\PythonCore\3.3\Other": {},
                    rf"{KEY}\PythonCore\3.4\InstallPath": {"ExecutablePath": 4},
                    rf"{KEY}\PythonCore\3.5\InstallPath": {"ExecutablePath": r"relative\python.exe"},
                }
            }
        )
        == []
    )


def test_an_empty_registry_has_none() -> None:
    assert found_in({}) == []
