"""Tiny wheels, made on the fly: the packages that the tests install.

::

    from support.wheels import make_wheel

    make_wheel(tmp_path, "alpha", "1.0", requires=["beta>=1"])
    make_wheel(tmp_path, "tool", "1.0", modules={"tool.py": "def main(): print('hi')"},
               entry_points={"tool": "tool:main"})
    # then: uv pip install --no-index --find-links tmp_path alpha

Equal arguments make equal bytes, so that hashes may be compared. No build tool takes part.
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    modules: Mapping[str, str] | None = None,
    entry_points: Mapping[str, str] | None = None,
    requires_python: str | None = None,
    extras: Mapping[str, Iterable[str]] | None = None,
    tag: str = "py3-none-any",
) -> Path:
    """Write one wheel into ``directory`` and return its path.

    Args:
        directory: made if it isn't there.
        name: as a person writes it; the file's name is normalised.
        version: PEP 440, normal form.
        requires: requirements, markers allowed.
        modules: path in site-packages → source, dedented. Absent: one module, named as the
            package, that holds ``__version__``.
        entry_points: console scripts, ``{"cmd": "module:function"}``.
        requires_python: the ``Requires-Python`` field.
        extras: extra → its requirements.
        tag: the compatibility tag; a platform one makes ``Root-Is-Purelib`` false.
    """
    distribution = name.replace("-", "_").replace(".", "_").lower()
    if modules is None:
        modules = {f"{distribution}.py": f"__version__ = {version!r}\n"}
    info = f"{distribution}-{version}.dist-info"
    files = {path: textwrap.dedent(source) for path, source in modules.items()}
    files[f"{info}/METADATA"] = _metadata(name, version, requires, requires_python, extras or {})
    files[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\n"
        "Generator: setlist-tests\n"
        f"Root-Is-Purelib: {'true' if tag.endswith('-none-any') else 'false'}\n"
        f"Tag: {tag}\n"
    )
    if entry_points:
        lines = [f"{command} = {target}" for command, target in entry_points.items()]
        files[f"{info}/entry_points.txt"] = "\n".join(["[console_scripts]", *lines, ""])
    record = [f"{path},sha256={_hash(content)},{len(content.encode())}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])

    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{distribution}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            # a fixed time and fixed permissions: zipfile's defaults are the clock's and the umask's
            entry = zipfile.ZipInfo(path, date_time=(2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return wheel


def _metadata(
    name: str,
    version: str,
    requires: Iterable[str],
    requires_python: str | None,
    extras: Mapping[str, Iterable[str]],
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        for requirement in requirements:
            wanted, _, marker = (part.strip() for part in requirement.partition(";"))
            condition = f"({marker}) and extra == '{extra}'" if marker else f"extra == '{extra}'"
            lines.append(f"Requires-Dist: {wanted}; {condition}")
    return "\n".join([*lines, ""])


def _hash(content: str) -> str:
    # the wheel format wants URL-safe base64 without padding
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


TOOL = '''
"""Prints its version and its arguments; 'tool --exit N' exits with N."""
import sys

__version__ = "{version}"

def main():
    print("tool", __version__, *sys.argv[1:], flush=True)
    if sys.argv[1:2] == ["--exit"]:
        return int(sys.argv[2])
'''


def fill_wheelhouse(directory: Path) -> Path:
    """Write the wheels that most tests need (what they are for stands beside each)."""

    def wheel(name: str, *versions: str, requires: Mapping[str, list[str]] | None = None, **rest: object) -> None:
        for version in versions:
            make_wheel(directory, name, version, requires=(requires or {}).get(version, ()), **rest)  # type: ignore[arg-type]

    # a chain of two: raising alpha raises beta, removing alpha removes beta
    wheel("alpha", "1.0", "1.1", "2.0", requires={"1.0": ["beta"], "1.1": ["beta"], "2.0": ["beta>=2"]})
    wheel("beta", "1.0", "2.0")
    # no dependencies: the plain thing to add, bump and remove
    wheel("delta", "1.0", "1.1", "2.0")
    # extras
    wheel("gamma", "1.0", extras={"fast": ["beta"], "slow": ["delta"]})
    # can't be had beside alpha 2.0
    wheel("clash", "1.0", requires={"1.0": ["beta<2"]})
    # resolutions that differ per interpreter
    wheel("oldpy", "1.0", requires_python="<3.9")
    wheel("newpy", "1.0")
    wheel("newpy", "2.0", requires_python=">=3.12")
    wheel("marked", "1.0", requires={"1.0": ["delta; python_version < '3.12'"]})
    # taken only when asked for
    wheel("pre", "1.0", "2.0rc1")
    # console scripts
    for version in ("1.0", "2.0"):
        source = TOOL.replace("{version}", version)
        make_wheel(directory, "tool", version, modules={"tool.py": source}, entry_points={"tool": "tool:main"})
    return directory
