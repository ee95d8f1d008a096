"""A PEP 517 and PEP 660 build backend without dependencies, for packages under test.

:func:`support.project.ProjectFolder.make_package` copies it into the package. It runs on Python 3.8 and
newer, in whatever interpreter builds. It reads ``[project]`` and its own table of pyproject.toml::

    [tool.backend]
    fail = "build_wheel"      # this hook raises ("all": every one)
    platform = true           # the wheel carries the interpreter's own tag
    log = "/some/file"        # each hook that is called adds its name here, one a line

Dynamic ``version`` is ``__version__`` of the package's ``__init__.py``; dynamic ``dependencies`` are the
lines of ``dependencies.txt``.
"""

import ast
import base64
import hashlib
import io
import os
import re
import sys
import sysconfig
import tarfile
import zipfile

TIME = (2020, 1, 1, 0, 0, 0)


def get_requires_for_build_wheel(config_settings=None):
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    return _prepare("prepare_metadata_for_build_wheel", metadata_directory)


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    return _prepare("prepare_metadata_for_build_editable", metadata_directory)


def _prepare(hook, metadata_directory):
    project, info = _begin(hook)
    os.makedirs(os.path.join(metadata_directory, info), exist_ok=True)
    for name, text in _dist_info(project).items():
        with open(os.path.join(metadata_directory, info, name), "w", encoding="utf-8") as stream:
            stream.write(text)
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project, info = _begin("build_wheel")
    files = {}
    for top, _, names in sorted(os.walk("src")):
        for name in sorted(names):
            if not name.endswith(".pyc"):
                path = os.path.join(top, name)
                with open(path, "rb") as stream:
                    files[os.path.relpath(path, "src").replace(os.sep, "/")] = stream.read()
    return _write_wheel(wheel_directory, project, info, files, _tag(project))


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    project, info = _begin("build_editable")
    pth = {"__editable__.{}.pth".format(project["module"]): (os.path.abspath("src") + "\n").encode("utf-8")}
    return _write_wheel(wheel_directory, project, info, pth, "py3-none-any")


def build_sdist(sdist_directory, config_settings=None):
    project, _ = _begin("build_sdist")
    root = "{}-{}".format(project["module"], project["version"])
    filename = root + ".tar.gz"
    with tarfile.open(os.path.join(sdist_directory, filename), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in _sdist_files():
            archive.add(path, "{}/{}".format(root, path.replace(os.sep, "/")))
        metadata = _metadata(project).encode("utf-8")
        entry = tarfile.TarInfo(root + "/PKG-INFO")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata))
    return filename


def _sdist_files():
    # everything that lies there, as backends do that ask only version control what to leave out
    found = []
    for top, folders, names in os.walk("."):
        folders[:] = sorted(name for name in folders if name != ".git")
        found += [os.path.normpath(os.path.join(top, name)) for name in sorted(names) if not name.endswith(".pyc")]
    return found


def _begin(hook):
    tables = _read_toml("pyproject.toml")
    settings = tables.get("tool.backend", {})
    if settings.get("log"):
        with open(settings["log"], "a", encoding="utf-8") as stream:
            stream.write(hook + "\n")
    if settings.get("fail") in (hook, "all"):
        raise RuntimeError("the backend was told to fail in " + hook)
    project = dict(tables["project"])
    project["module"] = project["name"].replace("-", "_").replace(".", "_").lower()
    project["extras"] = tables.get("project.optional-dependencies", {})
    project["scripts"] = tables.get("project.scripts", {})
    project["platform"] = settings.get("platform", False)
    if "version" in project.get("dynamic", ()):
        with open(os.path.join("src", project["module"], "__init__.py"), encoding="utf-8") as stream:
            project["version"] = re.search(r"__version__ = ['\"](.+?)['\"]", stream.read()).group(1)
    if "dependencies" in project.get("dynamic", ()):
        with open("dependencies.txt", encoding="utf-8") as stream:
            project["dependencies"] = [line.strip() for line in stream if line.strip()]
    return project, "{}-{}.dist-info".format(project["module"], project["version"])


def _read_toml(path):
    # Enough TOML for what the tests write: strings, booleans and arrays of strings in plain tables.
    # tomllib isn't there before 3.11, and a backend of the tests can't depend on anything.
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    tables, table, pending = {}, {}, ""
    for line in lines:
        stripped = line.strip()
        if not pending and stripped.startswith("[") and stripped.endswith("]"):
            table = tables.setdefault(stripped.strip("[] "), {})
            continue
        pending += line + "\n"
        key, equals, value = pending.partition("=")
        if not equals:
            pending = ""
            continue
        try:
            value = ast.literal_eval(value.strip().replace("true", "True").replace("false", "False"))
        except (SyntaxError, ValueError):
            if value.count("[") > value.count("]"):
                continue  # an array goes on in the next line
            value = None  # not ours to understand
        table[key.strip().strip("\"'")] = value
        pending = ""
    return tables


def _metadata(project):
    lines = ["Metadata-Version: 2.2", "Name: " + project["name"], "Version: " + project["version"]]
    if project.get("requires-python"):
        lines.append("Requires-Python: " + project["requires-python"])
    lines += ["Dynamic: Requires-Dist"] if "dependencies" in project.get("dynamic", ()) else []
    lines += ["Requires-Dist: " + requirement for requirement in project.get("dependencies", ())]
    for extra, requirements in project["extras"].items():
        lines.append("Provides-Extra: " + extra)
        lines += [f"Requires-Dist: {requirement}; extra == '{extra}'" for requirement in requirements]
    return "\n".join(lines) + "\n"


def _dist_info(project):
    files = {"METADATA": _metadata(project)}
    files["WHEEL"] = "Wheel-Version: 1.0\nGenerator: setlist-tests\nRoot-Is-Purelib: {}\nTag: {}\n".format(
        "false" if project["platform"] else "true", _tag(project)
    )
    if project["scripts"]:
        lines = [f"{name} = {target}" for name, target in project["scripts"].items()]
        files["entry_points.txt"] = "\n".join(["[console_scripts]", *lines]) + "\n"
    return files


def _tag(project):
    if not project["platform"]:
        return "py3-none-any"
    python = "cp{}{}".format(*sys.version_info[:2])
    platform = re.sub(r"[^a-zA-Z0-9]", "_", sysconfig.get_platform())
    return f"{python}-{python}-{platform}"


def _write_wheel(directory, project, info, files, tag):
    files = dict(files)
    for name, text in _dist_info(project).items():
        if name == "WHEEL":
            text = re.sub("Tag: .*", "Tag: " + tag, text)
        files[f"{info}/{name}"] = text.encode("utf-8")
    record = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
        record.append(f"{path},sha256={digest},{len(content)}")
    files[info + "/RECORD"] = "\n".join([*record, info + "/RECORD,,", ""]).encode("utf-8")
    filename = "{}-{}-{}.whl".format(project["module"], project["version"], tag)
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, date_time=TIME), content)
    return filename
