"""From XML text to a value, as n8n's reader makes it; document types with entities are refused."""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from pydantic import JsonValue

from starter.wire.bodies import unparsable
from starter.wire.json_bodies import DEPTH_LIMIT
from starter.wire.repeated_fields import add_field

_MISMATCH = expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]
_UNCLOSED = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
_SENTENCES = {
    _MISMATCH: "Unexpected close tag",
    _UNCLOSED: "Unclosed root tag",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "Unexpected end",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "Invalid character entity",
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "Text data outside of root node.",
}


def parse_xml(text: str) -> JsonValue:
    """The value of an XML text: elements by name in lower case, attributes under `$`, text beside them under `_`.

    Nothing but white space is no value. Raises `RefusedError` (422).
    """
    document = text.removeprefix("\ufeff")
    if not document.strip():
        return None
    if not document.lstrip().startswith("<"):
        blanks = len(document) - len(document.lstrip())
        raise unparsable(_sentence("Non-whitespace before first tag.", document, blanks + 1))
    return _Reader().read(document)


class _Reader:
    """Builds the value while expat reports the elements."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(encoding="utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._no_entities
        self._open: list[tuple[dict[str, JsonValue], list[str]]] = [({}, [])]

    def read(self, document: str) -> JsonValue:
        encoded = document.encode("utf-8", "replace")
        try:
            self._parser.Parse(encoded, True)  # noqa: FBT003 - expat knows no names
        except expat.ExpatError as error:
            sentence = _SENTENCES.get(error.code, expat.ErrorString(error.code).capitalize())
            seen = _place(error, encoded, self._parser.ErrorByteIndex)
            raise unparsable(_sentence(sentence, document, seen)) from None
        return self._open[0][0]

    def _start(self, _name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > DEPTH_LIMIT:
            raise unparsable(f"The body is nested more than {DEPTH_LIMIT} levels deep")
        self._open.append(({"$": dict[str, JsonValue](attributes)} if attributes else {}, []))

    def _end(self, name: str) -> None:
        members, texts = self._open.pop()
        text = " ".join("".join(texts).split())
        value: JsonValue = members or text
        if members and text:
            members["_"] = text
        add_field(self._open[-1][0], name.lower(), value)

    def _characters(self, text: str) -> None:
        self._open[-1][1].append(text)

    def _no_entities(self, *_declaration: object) -> NoReturn:
        raise unparsable("The body declares entities, which are not read")


def _place(error: expat.ExpatError, encoded: bytes, index: int) -> int:
    """How many characters a reader has seen where it tells the error."""
    if error.code == _UNCLOSED:
        return len(encoded.decode()) + 1
    if error.code == _MISMATCH:
        return len(encoded[: encoded.find(b">", index) + 1].decode(errors="ignore"))
    return len(encoded[: index + 1].decode(errors="ignore"))


def _sentence(sentence: str, document: str, seen: int) -> str:
    read = document[:seen]
    line, column = read.count("\n"), len(read) - (read.rfind("\n") + 1)
    return f"{sentence}\nLine: {line}\nColumn: {column}\nChar: {read[-1:] if seen <= len(document) else ''}"
