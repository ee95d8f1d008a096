"""Which sessions does ``-k 'lint or (test and not py310)'`` mean?"""

from __future__ import annotations

import re
from collections.abc import Callable

from setlist.errors import UsageError
from setlist.model import SessionSpec

Matches = Callable[[SessionSpec], bool]


def parse_keyword(expression: str) -> Matches:
    """The test that an expression stands for: ``not`` binds first, then ``and``, then ``or``.

    Raises:
        UsageError: the expression is malformed; the detail points at the place.
    """
    return _Parser(expression).whole()


def nox_keyword(expression: str) -> Matches:
    """The test that an expression stands for to nox: Python, where each name is true if it is a part of one of the
    session's names or tags.

    Raises:
        UsageError: it isn't Python, or can't be evaluated.
    """
    import ast

    # nox's own code, since its rules are nox's to make; whoever types -k waits for its import
    from nox.manifest import keyword_match

    try:
        ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise UsageError(
            "-k: this is no Python expression, which it has to be for a noxfile's sessions",
            detail=expression,
            hint="write names joined by and, or, not and parentheses: 'lint or (tests and not docs)'",
        ) from error

    def matches(session: SessionSpec) -> bool:
        names = session.nox.names if session.nox is not None else (session.name,)
        try:
            return bool(keyword_match(expression, [*names, *session.tags]))
        except Exception as error:  # it is evaluated, and can be anything
            raise UsageError(f"-k: {type(error).__name__}: {error}", detail=expression) from error

    return matches


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = [(found[0], found.start()) for found in re.finditer(r"[()]|[^\s()]+", expression)]
        self.position = 0

    def whole(self) -> Matches:
        matches = self.alternatives()
        if self.position < len(self.tokens):
            raise self.error("'and' or 'or' is missing")
        return matches

    def alternatives(self) -> Matches:
        matches = self.conjunction()
        while self.take("or"):
            matches = _either(matches, self.conjunction())
        return matches

    def conjunction(self) -> Matches:
        matches = self.negation()
        while self.take("and"):
            matches = _both(matches, self.negation())
        return matches

    def negation(self) -> Matches:
        inverted = False
        while self.take("not"):
            inverted = not inverted
        matches = self.operand()
        return _negated(matches) if inverted else matches

    def operand(self) -> Matches:
        if self.take("("):
            matches = self.alternatives()
            if not self.take(")"):
                raise self.error("')' is missing")
            return matches
        token = self.tokens[self.position][0] if self.position < len(self.tokens) else None
        if token is None or token in ("and", "or", ")"):
            raise self.error("a word is missing")
        self.position += 1
        return _word(token)

    def take(self, token: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position][0] == token:
            self.position += 1
            return True
        return False

    def error(self, problem: str) -> UsageError:
        at_end = self.position >= len(self.tokens)
        place = len(self.expression) if at_end else self.tokens[self.position][1]
        return UsageError(
            f"-k: {problem} {'at the end' if at_end else f'before {self.tokens[self.position][0]!r}'}",
            detail=f"{self.expression}\n{' ' * place}^",
            hint="write words joined by and, or, not and parentheses: 'lint or (test and not py310)'",
        )


def _word(word: str) -> Matches:
    part = word.lower()
    return lambda session: part in session.name.lower() or word in session.tags


def _both(first: Matches, second: Matches) -> Matches:
    return lambda session: first(session) and second(session)


def _either(first: Matches, second: Matches) -> Matches:
    return lambda session: first(session) or second(session)


def _negated(matches: Matches) -> Matches:
    return lambda session: not matches(session)
