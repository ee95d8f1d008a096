"""What an install command requests, and what its result depends on."""

from __future__ import annotations

from pathlib import Path

from setlist.environment.install_args import RequestedDistribution, Sources, inputs_of, read_install, roots_of


def test_paths_in_a_file_are_relative_to_where_the_command_is_started(tmp_path: Path) -> None:
    (tmp_path / "reqs" / "sub").mkdir(parents=True)
    (tmp_path / "reqs" / "dev.txt").write_text("-r sub/more.txt\n./lib[fast]  # why\n")
    (tmp_path / "reqs" / "sub" / "more.txt").write_text("alpha>=1 --hash=sha256:00\n")
    (tmp_path / "lib").mkdir()
    install = read_install(["-r", "reqs/dev.txt"], tmp_path, {})
    assert roots_of(install, {}) == (
        RequestedDistribution("alpha", specifier=">=1"),
        RequestedDistribution(None, ("fast",), path=str(tmp_path / "lib")),
    )
    assert sorted(inputs_of(install, Sources({}))) == [
        f"file {tmp_path / 'reqs' / 'dev.txt'}",
        f"file {tmp_path / 'reqs' / 'sub' / 'more.txt'}",
        f"local {tmp_path / 'lib'}",
    ]


def test_what_cannot_be_told_has_no_roots(tmp_path: Path) -> None:
    for words in (["-r", "absent.txt"], ["--target", "lib", "alpha"], ["https://example.invalid"], ["???"]):
        install = read_install(words, tmp_path, {})
        roots = roots_of(install, {})
        assert roots is None or roots == (RequestedDistribution(None, url="https://example.invalid"),), words


def test_options_are_told_apart_with_their_values(tmp_path: Path) -> None:
    words = ["--index-url", "u", "-q", "alpha", "--no-deps", "--config-settings=a=b"]
    install = read_install(words, tmp_path, {})
    assert install.index_options == ["--index-url", "u"]
    assert install.build_options == ["-q", "--config-settings=a=b"]
    assert not install.deps
