"""Which sessions does ``-k 'lint or (test and not py310)'`` mean?"""

from __future__ import annotations

import re
from collections.abc import Callable

from setlist.core.errors import UsageError
from setlist.core.model import SessionSpec

Matches = Callable[[SessionSpec], bool]


def parse_keyword(expression: str) -> Matches:
    """The test that an expression stands for: ``not`` binds first, then ``and``, then ``or``.

    Raises:
        UsageError: the expression is malformed; the detail points at the place.
    """
    return _Parser(expression).whole()


_BINDS = {"or": 1, "and": 2, "not": 3}


class _Parser:
    """Shunting-yard, and no recursion: an expression may be nested deeper than Python's stack.

    ``postfix`` is the expression with each operator behind what it joins: ``a and not b`` → ``a b not and``.
    """

    def __init__(self, expression: str) -> None:
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
        """The operators that bind at least as much as the next one have their right side now."""
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
