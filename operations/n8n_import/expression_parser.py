"""The grammar of the expressions that are read: references, constants, objects, lists, `+`, JSON.stringify."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

from operations.n8n_import.values import Joined, Literal, Record, Reference, Sequence, Unread, Value, Variable

DEEPEST = 40
"""Levels of nesting in one expression."""
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*') | (?P<number>\d{1,20}(?:\.\d{1,20})?) | (?P<name>[A-Za-z_$][\w$]*)
    | (?P<sign>\?\.|\S) | (?P<end>$)
    )""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class _UnreadableError(Exception):
    """The expression is beyond this grammar."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


def parse_expression(code: str) -> Value:
    """What stands between `{{` and `}}`. What cannot be read becomes `Unread`, inside an object field by field."""
    reader = _Reader(code, _tokens(code))
    try:
        value = reader.value(DEEPEST)
        reader.expect("")
    except _UnreadableError:
        return Unread(code.strip())
    return value


def _tokens(code: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while True:
        match = _TOKEN.match(code, position)
        if match is None or match.lastgroup in {None, "end"}:
            return [*tokens, _Token("end", "", len(code))]
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()


@dataclass(slots=True)
class _Reader:
    code: str
    tokens: list[_Token]
    at: int = 0

    def value(self, levels: int) -> Value:
        """A value, or several joined by `+`."""
        if levels == 0:
            raise _UnreadableError
        parts = [self._operand(levels)]
        while self._take("+"):
            parts.append(self._operand(levels))
        return parts[0] if len(parts) == 1 else Joined(tuple(parts))

    def expect(self, sign: str) -> None:
        """Take that sign, or the end."""
        token = self._next()
        if token.text != sign or token.kind not in {"sign", "end"}:
            raise _UnreadableError

    def _operand(self, levels: int) -> Value:
        token = self._next()
        match token.kind, token.text:
            case "text", text:
                return Literal(_unescaped(text))
            case "number", text:
                return Literal(json.loads(text) if not text.startswith("0") or "." in text else int(text))
            case "sign", "(":
                value = self.value(levels - 1)
                self.expect(")")
                return value
            case "sign", "{":
                return self._record(levels - 1)
            case "sign", "[":
                return self._sequence(levels - 1)
            case "name", name:
                return self._named(name, levels)
        raise _UnreadableError

    def _named(self, name: str, levels: int) -> Value:
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if name == "JSON":
            return self._stringified(levels)
        if name == "$env":
            path = self._path()
            if len(path) != 1:
                raise _UnreadableError
            return Variable(path[0])
        return self._reference(name)

    def _stringified(self, levels: int) -> Value:
        for sign in (".", "stringify", "("):
            if self._next().text != sign:
                raise _UnreadableError
        value = self.value(levels - 1)
        self.expect(")")
        return value

    def _reference(self, name: str) -> Value:
        if name == "$json":
            return Reference(None, _without_calls(self._path()))
        node: str | None = None
        if name == "$":
            self.expect("(")
            node = self._text()
            self.expect(")")
        elif name not in {"$node", "$input"}:
            raise _UnreadableError
        path = self._path()
        if name == "$node":
            node, path = (path[0] if path else ""), path[1:]
        return Reference(node, _below_json(path, single=name == "$node"))

    def _path(self) -> tuple[str, ...]:
        steps: list[str] = []
        while True:
            if self._take(".") or self._take("?."):
                token = self._next()
                if token.kind == "sign" and token.text == "[":
                    steps.append(self._index())
                    continue
                if token.kind != "name":
                    raise _UnreadableError
                called = self._take("(")
                if called:
                    self.expect(")")
                steps.append(token.text + "()" * called)
            elif self._take("["):
                steps.append(self._index())
            else:
                return tuple(steps)

    def _index(self) -> str:
        token = self._next()
        if token.kind not in {"text", "number"}:
            raise _UnreadableError
        self.expect("]")
        return _unescaped(token.text) if token.kind == "text" else token.text

    def _text(self) -> str:
        token = self._next()
        if token.kind != "text":
            raise _UnreadableError
        return _unescaped(token.text)

    def _record(self, levels: int) -> Value:
        fields: list[tuple[str, Value]] = []
        while not self._take("}"):
            token = self._next()
            if token.kind not in {"name", "text", "number"}:
                raise _UnreadableError
            self.expect(":")
            name = _unescaped(token.text) if token.kind == "text" else token.text
            fields.append((name, self._item(levels)))
            if not self._take(","):
                self.expect("}")
                break
        return Record(tuple(fields))

    def _sequence(self, levels: int) -> Value:
        items: list[Value] = []
        while not self._take("]"):
            items.append(self._item(levels))
            if not self._take(","):
                self.expect("]")
                break
        return Sequence(tuple(items))

    def _item(self, levels: int) -> Value:
        """One value of an object or a list; where it cannot be read, what follows it still can."""
        start = self.at
        try:
            value = self.value(levels)
            if self.tokens[self.at].text in {",", "}", "]"}:
                return value
        except _UnreadableError:
            pass
        self.at = start
        self._skip_item()
        return Unread(self.code[self.tokens[start].start : self.tokens[self.at].start].strip())

    def _skip_item(self) -> None:
        open_signs: list[str] = []
        while (token := self.tokens[self.at]).kind != "end":
            if token.kind == "sign":
                if not open_signs and token.text in {",", "}", "]"}:
                    return
                if token.text in _CLOSING:
                    open_signs.append(_CLOSING[token.text])
                elif open_signs and token.text == open_signs[-1]:
                    open_signs.pop()
            self.at += 1

    def _next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def _take(self, sign: str) -> bool:
        token = self.tokens[self.at]
        taken = token.kind == "sign" and token.text == sign
        self.at += taken
        return taken


def _below_json(path: tuple[str, ...], *, single: bool) -> tuple[str, ...]:
    """The path inside a node's output, after `.json` or `.item.json`."""
    start = path[:1] if single else path[:2]
    if start not in {("json",), ("item", "json"), ("first()", "json"), ("last()", "json")}:
        raise _UnreadableError
    return _without_calls(path[len(start) :])


def _without_calls(path: tuple[str, ...]) -> tuple[str, ...]:
    if any(step.endswith("()") for step in path):
        raise _UnreadableError
    return path


def _unescaped(token: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1])
