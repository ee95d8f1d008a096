"""Select sessions by names, families, globs and tags, and by the filters -k, -t and -p."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from setlist.core.errors import UnknownSession, UsageError, nearest
from setlist.core.model import Registry, SessionSpec
from setlist.registry.naming import is_glob, known_names, matching

Matches = Callable[[SessionSpec], bool]


def select(
    registry: Registry,
    selectors: Sequence[str],
    *,
    keyword: str | None = None,
    tags: Sequence[str] = (),
    pythons: Sequence[str] = (),
) -> tuple[SessionSpec, ...]:
    """The sessions that a command line selects, in the order given, each once.

    Args:
        registry: all sessions.
        selectors: names, families, globs and ``@tag``. Without selectors, those that a bare ``run`` runs, or with a
            filter all sessions.
        keyword: an expression of words, ``and``, ``or``, ``not`` and parentheses. A word matches a part of
            a session's name, or a whole tag. Where all sessions are of one provider, the provider reads it.
        tags: keep the sessions with any of these.
        pythons: keep the sessions that ask for any of these: ``3.12``, ``312`` or ``py312``.

    Raises:
        UnknownSession: a selector matches nothing.
        UsageError: a filter is malformed, unknown, or matches nothing.
    """
    filters = _filters(registry, keyword, tags, pythons)
    foreign = bool(registry.index.only_provider)
    if selectors:
        selected = _selected(registry, selectors)
    elif filters and not (foreign and keyword is None and not tags):
        selected = tuple(registry.sessions.values())
    elif registry.settings.default is not None:
        selected = _selected(registry, registry.settings.default)  # -p of a provider filters these
    else:
        left_out = frozenset(registry.index.left_out)
        selected = tuple(registry.sessions[name] for name in registry.sessions if name not in left_out)
    if not pythons:
        selected = _on_usual_pythons(registry, selected)
    matched = tuple(session for session in selected if all(matches(session) for _, matches in filters))
    if filters and not matched:
        options = " ".join(text for text, _ in filters)
        among = f" of {' '.join(selectors)}" if selectors else ""
        raise UsageError(f"no session{among} matches {options}", hint="'run --list' shows the sessions")
    return matched


def _on_usual_pythons(registry: Registry, selected: tuple[SessionSpec, ...]) -> tuple[SessionSpec, ...]:
    """The sessions on the Pythons that the settings name, or all sessions if none is."""
    usual = registry.settings.pythons
    if not usual:
        return selected
    return tuple(session for session in selected if session.environment.python in usual) or selected


def _selected(registry: Registry, selectors: Sequence[str]) -> tuple[SessionSpec, ...]:
    names: dict[str, None] = {}
    for selector in selectors:
        matched = _matching(registry, selector)
        if not matched:
            parts = _parts(selector)
            raise UnknownSession(selector, _known(registry), _with_parts(registry, parts), parts)
        names.update(dict.fromkeys(matched))
    return tuple(registry.sessions[name] for name in names)


def _parts(selector: str) -> tuple[str, ...]:
    """The parts of a name as our names have them: ``test-3.11``, ``test(3.11)`` → ``test``, ``py311``."""
    import re

    words = re.split(r"[-(),\[\]]+", re.sub(r"""['"=\s]""", "", selector.lower()))
    python = r"(?:c?python|py)?-?([23])\.(\d+t?)|(?:python|py)(\d)(\d+t?)"
    parts = (re.sub(rf"\A(?:{python})\Z", r"py\1\2\3\4", word).replace(".", "") for word in words)
    return tuple(dict.fromkeys(part for part in parts if part))


def _with_parts(registry: Registry, parts: Sequence[str]) -> tuple[str, ...]:
    """The sessions whose names have all of these parts."""
    if not parts:
        return ()
    wanted = frozenset(parts)
    return tuple(name for name in registry.sessions if wanted.issubset(name.lower().split("-")))


def _matching(registry: Registry, selector: str) -> tuple[str, ...]:
    if selector.startswith("@"):
        tag = selector.removeprefix("@")
        return tuple(name for name, tags in registry.index.tags.items() if _tagged(tags, tag))
    # a function's name has underscores: test_py311
    return matching(selector, registry.index) or matching(selector.replace("_", "-"), registry.index)


def _tagged(tags: Sequence[str], pattern: str) -> bool:
    if pattern in tags:
        return True
    if not is_glob(pattern):
        return False
    from fnmatch import fnmatchcase

    return any(fnmatchcase(tag, pattern) for tag in tags)


def _known(registry: Registry) -> tuple[str, ...]:
    return (*known_names(registry.index), *(f"@{tag}" for tag in _all_tags(registry)))


def _all_tags(registry: Registry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for tags in registry.index.tags.values() for tag in tags))


def _parse_keyword(registry: Registry, expression: str) -> Matches:
    provider = registry.index.only_provider
    if provider:
        from setlist.core.plugins import find_provider

        matches: Matches = find_provider(provider).keyword(expression)
        return matches
    return parse_keyword(expression)


def _filters(
    registry: Registry, keyword: str | None, tags: Sequence[str], pythons: Sequence[str]
) -> list[tuple[str, Matches]]:
    filters: list[tuple[str, Matches]] = []
    if keyword is not None:
        filters.append((f"-k {keyword!r}", _parse_keyword(registry, keyword)))
    if tags:
        existing = _all_tags(registry)
        for tag in tags:
            if tag.removeprefix("@") not in existing:
                raise _nothing_has("tag", tag, existing)
        wanted = {tag.removeprefix("@") for tag in tags}
        filters.append((" ".join(f"-t {tag}" for tag in tags), lambda session: not wanted.isdisjoint(session.tags)))
    if pythons:
        existing = tuple(dict.fromkeys(registry.index.pythons.values()))
        spelled = {_normal(request) for request in existing}
        for python in pythons:
            if _normal(python) not in spelled:
                raise _nothing_has("python", python, existing)
        versions = {_normal(python) for python in pythons}
        filters.append(
            (
                " ".join(f"-p {python}" for python in pythons),
                lambda session: (
                    session.environment.python is not None and _normal(session.environment.python) in versions
                ),
            )
        )
    return filters


def _nothing_has(kind: str, value: str, existing: Sequence[str]) -> UsageError:
    near = nearest(value, existing)
    if kind == "python" and value in ("auto", "all"):
        hint = "to run several sessions at once, write -j auto"
    elif near is not None:
        hint = f"did you mean {near!r}?"
    else:
        hint = f"there are {', '.join(existing)}" if existing else f"no session has a {kind}"
    return UsageError(f"no session has the {kind} {value!r}", hint=hint)


def _normal(request: str) -> str:
    """A request in one spelling: ``312``, ``py312``, ``python3.12`` and ``3.12`` are one."""
    import re

    version = re.fullmatch(r"(?:(pypy|graalpy)|cpython|python|py)?-?(\d)\.?(\d+(?:\.\d+)*)(t?)", request.lower())
    if version is None:
        return request
    return f"{version[1] or ''}{version[2]}.{version[3]}{version[4]}"


def parse_keyword(expression: str) -> Matches:
    """The predicate of an expression: ``not`` binds first, then ``and``, then ``or``.

    Raises:
        UsageError: the expression is malformed; the detail points at the position.
    """
    return _Parser(expression).whole()


_BINDS = {"or": 1, "and": 2, "not": 3}


class _Parser:
    """Shunting-yard, not recursion: an expression may be nested deeper than Python's stack.

    ``postfix`` is the expression in postfix notation: ``a and not b`` → ``a b not and``.
    """

    def __init__(self, expression: str) -> None:
        import re

        self.expression = expression
        self.tokens = [(found[0], found.start()) for found in re.finditer(r"[()]|[^\s()]+", expression)]
        self.postfix: list[str] = []

    def whole(self) -> Matches:
        waiting: list[str] = []  # operators and opening parentheses whose right side isn't complete
        operand = True  # whether a word, 'not' or '(' has to come
        for position, (token, _) in enumerate(self.tokens):
            if operand:
                if token in ("and", "or", ")"):
                    raise self.error("a word is missing", position)
                operand = token in ("not", "(")
                (waiting if operand else self.postfix).append(token)
            elif token in ("and", "or"):
                self.complete(waiting, _BINDS[token])
                waiting.append(token)
                operand = True
            elif token == ")":
                self.complete(waiting, 0)
                if not waiting:
                    raise self.error("'and' or 'or' is missing", position)
                waiting.pop()
            else:
                raise self.error("')' is missing" if "(" in waiting else "'and' or 'or' is missing", position)
        if operand:
            raise self.error("a word is missing", len(self.tokens))
        self.complete(waiting, 0)
        if waiting:
            raise self.error("')' is missing", len(self.tokens))
        return _evaluated(tuple(self.postfix))

    def complete(self, waiting: list[str], binding: int) -> None:
        """Move the operators that bind at least as strongly as the next one to the output."""
        while waiting and waiting[-1] != "(" and _BINDS[waiting[-1]] >= binding:
            self.postfix.append(waiting.pop())

    def error(self, problem: str, position: int) -> UsageError:
        at_end = position >= len(self.tokens)
        place = len(self.expression) if at_end else self.tokens[position][1]
        return UsageError(
            f"-k: {problem} {'at the end' if at_end else f'before {self.tokens[position][0]!r}'}",
            detail=f"{self.expression}\n{' ' * place}^",
            hint="write words joined by and, or, not and parentheses: 'lint or (test and not py310)'",
        )


def _evaluated(postfix: tuple[str, ...]) -> Matches:
    def matches(session: SessionSpec) -> bool:
        name = session.name.lower()
        values: list[bool] = []
        for token in postfix:
            if token == "not":
                values.append(not values.pop())
            elif token in ("and", "or"):
                last, first = values.pop(), values.pop()
                values.append((first and last) if token == "and" else (first or last))
            else:
                values.append(token.lower() in name or token in session.tags)
        return values[0]

    return matches
