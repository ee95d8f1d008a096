r"""Print a completion script for a shell, for 'run' and 'setlist'.

  bash        eval "$(setlist completion bash)" in ~/.bashrc
  zsh         eval "$(setlist completion zsh)" in ~/.zshrc, after compinit
  fish        setlist completion fish | source, in ~/.config/fish/config.fish
  PowerShell  setlist completion powershell | Out-String | Invoke-Expression, in $PROFILE

Verbs, options and their values, sessions, families, tags and Pythons are completed, and files after '--'. No code of the
project runs: what session files and noxfiles define is known from the last 'run' or 'run --list'.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.completion import SHELLS
from setlist.cli.options import HELP, VERBS, Arguments, Option, parse
from setlist.core.errors import SetlistError, UsageError, nearest

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import Registry
    from setlist.core.project import Project
    from setlist.registry.load import Loaded

USAGE = "completion bash|zsh|fish|powershell"
OPTIONS = (HELP,)

BASH = r"""
_setlist_completion() {
    local kind candidate
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done
    } < <(setlist completion bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
    case $kind in
        files) compopt -o default 2>/dev/null ;;
        directories) compopt -o dirnames 2>/dev/null ;;
    esac
    return 0
}
complete -F _setlist_completion run setlist
"""

ZSH = r"""
#compdef run setlist

_setlist_completion() {
    local -a lines
    lines=("${(@f)$(setlist completion zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
    local kind=$lines[1]
    shift lines
    case $kind in
        files) [[ $PREFIX == -* ]] && compset -P '*='; _files ;;
        directories) [[ $PREFIX == -* ]] && compset -P '*='; _files -/ ;;
        words) (( $#lines )) && _describe -t candidates candidate lines ;;
    esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _setlist_completion "$@"
else
    compdef _setlist_completion run setlist
fi
"""

FISH = r"""
function __setlist_completion
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (setlist completion fish -- $words "$current" 2>/dev/null </dev/null)
    set -l kind (string split \t -- $lines[1])
    set -l attached "$kind[2]"
    set -l path (string sub -s (math (string length -- "$attached") + 1) -- "$current")
    switch "$kind[1]"
        case files
            for file in (__fish_complete_path "$path")
                printf '%s%s\n' "$attached" "$file"
            end
        case directories
            for file in (__fish_complete_directories "$path")
                printf '%s%s\n' "$attached" "$file"
            end
        case words
            test (count $lines) -gt 1; and printf '%s\n' $lines[2..-1]
    end
end
complete -c run -f -a '(__setlist_completion)'
complete -c setlist -f -a '(__setlist_completion)'
"""

POWERSHELL = r"""
Register-ArgumentCompleter -Native -CommandName run, setlist -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($null -ne $_.Value) { "$($_.Value)" } else { $_.Extent.Text } })
    # before 7.3, an empty argument has to be written as two quotes
    $old = $PSVersionTable.PSVersion -lt [version]'7.3'
    $current = if ($wordToComplete) { $wordToComplete.Trim("'", '"') } elseif ($old) { '""' } else { '' }
    $answer = @(& setlist completion powershell -- @words $current 2>$null)
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $shown, $about = $_ -split "`t", 3
        [System.Management.Automation.CompletionResult]::new($value, $shown, 'ParameterValue', $about)
    }
}
"""

SCRIPTS = dict(zip(SHELLS, (BASH, ZSH, FISH, POWERSHELL), strict=True))


def run(arguments: Arguments, context: Context) -> int:
    """Print the script. What a script asks for is answered by :mod:`setlist.cli.completion`."""
    if arguments.rest is not None and len(arguments.words) == 1:
        from setlist.cli.completion import answer

        return answer((*arguments.words, "--", *arguments.rest))
    choices = ", ".join(SHELLS)
    if len(arguments.words) != 1:
        raise UsageError("'setlist completion' takes one shell", hint=f"one of: {choices}")
    (shell,) = arguments.words
    shell = {"pwsh": "powershell"}.get(shell, shell)
    if shell not in SCRIPTS:
        near = nearest(shell, SHELLS)
        raise UsageError(
            f"there is no completion for {shell!r}", hint=f"did you mean {near!r}?" if near else f"one of: {choices}"
        )
    context.out.write(SCRIPTS[shell].lstrip())
    return 0


def make_table(words: Sequence[str]) -> Any:
    """The data of :class:`setlist.cli.completion.Table`, for a command line that is being typed.

    It is kept if the project has a state directory already: pressing Tab makes none.
    """
    loaded, project = _loaded(words)
    registry = None if loaded is None else loaded.registry
    data = (dict(VERBS), dict(_commands()), *_names(registry))
    if loaded is not None and loaded.trace is not None and project is not None and project.state.is_dir():
        _keep(project, loaded, data)
    return data


def _commands() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What can be typed after ``run``, after ``setlist``, and after each verb."""
    from setlist.cli import main, run
    from setlist.cli.verbs import load_verb

    yield "setlist", ((), None, _plain(main.OPTIONS))
    yield "run", (("[SESSION…]",), None, _plain(run.OPTIONS))
    for name in VERBS:
        if name != "run":
            verb = load_verb(name)
            rest: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
            yield name, (positional_arguments(verb.USAGE), rest, _plain(verb.OPTIONS))


def _plain(options: Sequence[Option]) -> tuple[tuple[Any, ...], ...]:
    return tuple((option.name, option.short, option.metavar, option.help, option.values) for option in options)


def positional_arguments(usage: str) -> tuple[str, ...]:
    """The words of a usage line between the verb and the first option."""
    words = []
    for word in usage.split()[1:]:
        if word.startswith(("-", "[-")):
            break
        words.append(word)
    return tuple(words)


def _loaded(words: Sequence[str]) -> tuple[Loaded | None, Project | None]:
    """The project that the words are about, and its sessions as far as they are known without running its code."""
    from setlist.cli.context import Context
    from setlist.registry.load import last_loaded, load

    context = Context.current()
    project = None
    with suppress(SetlistError):
        context.apply_options(_place(words))
        project = context.project
        return load(project, context.caller.environ, execute=False), project
    # somebody is editing the definitions: those before the mistake are better than none
    return None if project is None else last_loaded(project, context.caller.environ), project


def _place(words: Sequence[str]) -> Arguments:
    """The options ``-C`` and ``-f`` among the complete words."""
    from setlist.cli.options import DIRECTORY, FILE

    flags: list[str] = []
    before = list(words[: words.index("--")] if "--" in words else words)[:-1]
    for index, word in enumerate(before):
        if word in ("-C", "--directory", "-f", "--file"):
            flags += before[index : index + 2] if index + 1 < len(before) else []
        elif word.startswith(("-C", "--directory=", "-f", "--file=")):
            flags.append(word)
    return parse(flags, (DIRECTORY, FILE), command="setlist completion")


def _names(registry: Registry | None) -> tuple[Any, ...]:
    """The sessions with their descriptions, families with their sizes, tags and Pythons."""
    if registry is None:
        return {}, {}, (), ()
    index = registry.index
    sizes: dict[str, int] = {}
    for family in index.families.values():
        sizes[family] = sizes.get(family, 0) + 1
    return (
        {name: session.description for name, session in registry.sessions.items()},
        {family: size for family, size in sizes.items() if family not in registry.sessions},
        tuple(dict.fromkeys(tag for tags in index.tags.values() for tag in tags)),
        tuple(dict.fromkeys(index.pythons.values())),
    )


def _keep(project: Project, loaded: Loaded, data: Any) -> None:
    """Keep the table of the project in whose root we are, as long as its definitions and our options are the same."""
    from setlist import cli
    from setlist.cli.fast_path import key_of_completion
    from setlist.engine.trace import Store
    from setlist.engine.world import FILE, World

    if loaded.trace is None or project.file is not None or Path.cwd() != project.root:
        return
    world = World(str(project.root), os.environ)
    world.include_trace(loaded.trace)
    for folder in cli.__path__:
        for directory in (folder, os.path.join(folder, "verbs")):
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        world.look(FILE, entry.path)
    with suppress(OSError):
        Store(str(project.store), str(project.root), os.environ).put(key_of_completion(world.root), world, data)
