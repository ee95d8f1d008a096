"""What a session can call."""

import pathlib

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.tags = ["usual"]
HERE = pathlib.Path(__file__).parent


@nox.session(tags=["usual"])
def commands(session: nox.Session) -> None:
    """Commands, and where they run."""
    session.env["NAMED"] = session.name
    session.run("python", "-c", "import os; print(os.environ['NAMED'])", *session.posargs)
    session.run("python", "-c", "raise SystemExit(3)", success_codes=[0, 3])
    told = session.run("python", "-c", "print('told')", silent=True, log=False)
    session.log("%s", str(told).strip())
    with session.chdir("folder"):
        session.run("python", "-c", "import os; print(os.path.basename(os.getcwd()))", env={"MORE": "1"})
    session.cd(HERE)
    session.run("echo", "outside", external=True)
    session.run("python", HERE / "script.py", include_outer_env=True)
    try:
        session.run("python", "-c", "raise SystemExit(1)")
    except CommandFailed:
        session.warn("it failed, as it should")
    with open(session.create_tmp() + "/out.txt", "w") as stream:
        session.run("python", "-c", "print('into a file')", stdout=stream)


@nox.session(tags=["usual"])
def looks(session: nox.Session) -> None:
    """What a session knows of itself."""
    session.debug("not shown")
    session.log("python %s, backend %s", session.python, session.venv_backend)
    assert session.virtualenv is not None
    assert session.bin in (session.bin_paths or ())
    assert session.env_dir
    assert session.cache_dir.is_dir()
    assert session.invoked_from
    session.log("interactive %s, parallel %s", session.interactive, session.parallel)


@nox.session
def installs(session: nox.Session) -> None:
    session.install("alpha")
    session.install("-r", "requirements.txt", "-c", "constraints.txt", silent=True)
    session.install(*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test"))
    session.run_install("python", "-c", "print('prepared')")
    session.run_always("python", "-c", "print('always')")
    session.install_and_run_script("script.py")
    session.notify("ends", posargs=["skip"])


@nox.session(python=nox.project.python_versions(nox.project.load_toml("pyproject.toml"), max_version="3.12"))
def versions(session: nox.Session) -> None:
    session.run("python", "-V")


@nox.session(default=False)
def ends(session: nox.Session) -> None:
    if "skip" in session.posargs:
        session.skip("not today")
    session.error("that is an error")


@nox.session(venv_backend="conda", default=False)
def conda(session: nox.Session) -> None:
    session.conda_install("alpha")
