#!/bin/sh
# Record what 'run' shows at a terminal, at several moments: board-80.txt, board-200.txt, board-40.txt, dumb.txt, stream-80.txt,
# and ../board.svg, the picture in the README. 'record.sh picture' makes only that.
#
# Wants tmux, setlist's 'run' on PATH, and a python3 that has rich. The sessions print and wait; they need no environment and no network.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
project=$(mktemp -d)
tmux="tmux -L setlist-recording-$$ -f /dev/null"
trap '$tmux kill-server 2>/dev/null || true; rm -rf "$project"' EXIT

cat >"$project/work.py" <<'PYTHON'
import sys, time
name, steps, pause, code = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
color = "\033[32m%s\033[0m" if sys.stdout.isatty() or __import__("os").environ.get("FORCE_COLOR") else "%s"
for step in range(steps):
    print(f"tests/{name}/test_{step:02}.py", color % "......", f"[{100 * (step + 1) // steps:3}%]", flush=True)
    time.sleep(pause)
print(f"{steps * 6} passed" if not code else "1 failed: tests/öffentlich/test_größe.py – 漢字", end="", flush=True)
sys.exit(code)
PYTHON
cat >"$project/pyproject.toml" <<'TOML'
[tool.setlist.defaults]
backend = "none"
[tool.setlist.session.lint]
run = ["python3 work.py lint 4 0.4 0"]
[tool.setlist.session.types]
run = ["python3 work.py types 6 0.5 0"]
[tool.setlist.session.test]
matrix = { django = ["4.2", "5.0", "5.1", "5.2"] }
run = ["python3 work.py django{django} 8 0.5 0"]
[tool.setlist.session.docs]
run = ["python3 work.py docs 5 0.5 1"]
[tool.setlist.session.package]
requires = ["lint", "types"]
run = ["python3 work.py package 3 0.3 0"]
TOML

# begin COLUMNS TERM COMMAND WORD: a terminal in which it runs, once WORD is to be seen there
begin() {
    $tmux new-session -d -s recording -x "$1" -y 24 "cd '$project' && TERM=$2 $3; echo; echo THE END; sleep 100"
    until $tmux capture-pane -p -t recording | grep -q "$4"; do sleep 0.1; done
}

# moment WHAT: what is on the screen now
moment() {
    printf '=== %s\n' "$1"
    $tmux capture-pane -p -t recording | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# everything: what was shown from the beginning, as it is in the terminal's history
everything() {
    until $tmux capture-pane -p -t recording | grep -q 'THE END'; do sleep 0.1; done
    printf '=== %s\n' "$1"
    $tmux capture-pane -p -S - -t recording | sed -e '/^THE END$/d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    $tmux kill-session -t recording
}

run='run -j 4 lint types test docs package'
(cd "$project" && $run >/dev/null 2>&1) || true # so that it knows how long they take

begin 96 xterm-256color "clear; echo '\$ $run'; $run" ' running '
sleep 3.6
$tmux capture-pane -e -p -t recording | python3 "$here/picture.py" setlist 96 >"$here/../board.svg"
$tmux kill-session -t recording
if [ "${1:-}" = picture ]; then exit; fi

{
    begin 80 xterm-256color "$run" ' running '
    sleep 1 && moment "80 columns, after a second"
    sleep 1.5 && moment "after 2.5 seconds"
    $tmux resize-window -t recording -x 120 -y 24
    sleep 1 && moment "made 120 columns wide, after 3.5 seconds"
    $tmux resize-window -t recording -x 60 -y 24
    sleep 1 && moment "made 60 columns wide, after 4.5 seconds"
    everything "all of it, when it has ended"
} >"$here/board-80.txt"

{
    begin 200 xterm-256color "$run" ' running '
    sleep 1 && moment "200 columns, after a second"
    sleep 2 && moment "after 3 seconds"
    $tmux resize-window -t recording -x 100 -y 24
    sleep 1 && moment "made 100 columns wide, after 4 seconds"
    $tmux resize-window -t recording -x 200 -y 24
    everything "made 200 columns wide again; all of it, when it has ended"
} >"$here/board-200.txt"

{
    begin 40 xterm-256color "$run" ' running '
    sleep 1 && moment "40 columns, after a second"
    sleep 2 && moment "after 3 seconds"
    everything "all of it, when it has ended"
} >"$here/board-40.txt"

{
    begin 80 dumb "$run" python
    sleep 2 && moment "80 columns, TERM=dumb, after 2 seconds"
    everything "all of it, when it has ended"
} >"$here/dumb.txt"

{
    begin 80 xterm-256color "$run --output stream" ' python'
    sleep 2 && moment "80 columns, --output stream, after 2 seconds"
    everything "all of it, when it has ended"
} >"$here/stream-80.txt"
