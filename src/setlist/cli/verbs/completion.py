r"""Print a completion script for a shell, for 'run' and 'setlist'.

  bash        eval "$(setlist completion bash)" in ~/.bashrc
  zsh         eval "$(setlist completion zsh)" in ~/.zshrc, after compinit
  fish        setlist completion fish | source, in ~/.config/fish/config.fish
  PowerShell  setlist completion powershell | Out-String | Invoke-Expression, in $PROFILE

Verbs, options and their values, sessions, families, tags and Pythons are completed, and files after '--'. No code of
the project runs: what session files and noxfiles define is known from the last 'run' or 'run --list'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.options import HELP, Arguments
from setlist.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from setlist.cli.context import Context

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
    $old = $PSVersionTable.PSVersion -lt [version]'7.3.0'
    $current = if ($wordToComplete) { $wordToComplete.Trim("'", '"') } elseif ($old) { '""' } else { '' }
    $answer = @(& setlist completion powershell -- @words $current 2>$null)
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $shown, $about = $_ -split "`t", 3
        [System.Management.Automation.CompletionResult]::new($value, $shown, 'ParameterValue', $about)
    }
}
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH, "powershell": POWERSHELL}


def run(arguments: Arguments, context: Context) -> int:
    """Print the script. What a script asks for is answered by :mod:`setlist.cli.completion`."""
    choices = ", ".join(SCRIPTS)
    if len(arguments.words) != 1:
        raise UsageError("'setlist completion' takes one shell", hint=f"one of: {choices}")
    (shell,) = arguments.words
    shell = {"pwsh": "powershell"}.get(shell, shell)
    if shell not in SCRIPTS:
        near = nearest(shell, tuple(SCRIPTS))
        raise UsageError(
            f"there is no completion for {shell!r}", hint=f"did you mean {near!r}?" if near else f"one of: {choices}"
        )
    context.out.write(SCRIPTS[shell].lstrip())
    return 0
