"""Reading single fields of hostile JSON: each value is checked before anything else sees it."""

import re

ID_LIMIT = 200
NUMBER_LIMIT = 10**9
_INT32, _INT64 = 2**31, 2**63
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?")


class RefusedError(Exception):
    """A callback that is turned away, with the status and a reason of one line."""

    def __init__(self, status, reason, headers=None):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


class Fields:
    """The fields of one JSON object. null and blank text count as absent; every other wrong value is refused."""

    def __init__(self, content, prefix=""):
        self._content = content
        self._prefix = prefix

    def path(self, name):
        """The field's name from the top of the body."""
        return self._prefix + name

    def text(self, name, limit=None, required=False):
        """A string that PostgreSQL can hold, without outer blanks, or None."""
        value = self._present(name, required)
        if value is None:
            return None
        if not isinstance(value, str) or not _storable(value):
            raise self._wrong(name, "a string without NUL and half surrogate pairs")
        if limit is not None and len(value) > limit:
            raise self._wrong(name, f"a string of at most {limit} characters")
        return value

    def identifier(self, name):
        """A short string or an integer, as a string."""
        value = self._content.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INT64:
            return str(value)
        return self.text(name, ID_LIMIT, required=True)

    def object(self, name, required=False):
        """A JSON object as `Fields`; an absent one is empty."""
        value = self._present(name, required)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Fields(value, f"{self.path(name)}.")

    def objects(self, name, most):
        """A list of one to `most` objects."""
        value = self._present(name, required=True)
        if not isinstance(value, list) or not 0 < len(value) <= most or not all(isinstance(v, dict) for v in value):
            raise self._wrong(name, f"a list of 1 to {most} objects")
        return [Fields(item, f"{self.path(name)}[{number}].") for number, item in enumerate(value)]

    def pixels(self, name):
        """A number of pixels, or 0."""
        value = self._integer(name)
        if value is not None and not 0 <= value < _INT32:
            raise self._wrong(name, "a number of pixels")
        return value or 0

    def seed(self, name):
        """An integer of up to 64 bits as text, or None."""
        value = self._integer(name)
        return None if value is None else str(value)

    def cost(self):
        """Amount and currency: `cost` is a number beside `currency`, or an object of `amount` and `currency`."""
        if isinstance(self._content.get("cost"), dict):
            cost = self.object("cost")
            return cost.number("amount"), cost.text("currency", 20)
        return self.number("cost"), self.text("currency", 20)

    def number(self, name):
        """A finite number, also as a string, or 0.0."""
        value = self._present(name)
        if value is None:
            return 0.0
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = float(value)
        # In this order: an integer may be too large for a float, and NaN is below nothing.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < NUMBER_LIMIT:
            raise self._wrong(name, f"a number below {NUMBER_LIMIT}")
        return float(value)

    def _integer(self, name):
        value = self._present(name)
        if value is None:
            return None
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
            raise self._wrong(name, "an integer of up to 64 bits")
        return value

    def _present(self, name, required=False):
        value = self._content.get(name)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            if required:
                raise RefusedError(422, f"{self.path(name)} is required and missing")
            return None
        return value

    def _wrong(self, name, wanted):
        return RefusedError(422, f"{self.path(name)} must be {wanted}")


def _storable(value):
    # The first test is much faster than the pattern, which matters for megabytes of base64.
    return "\x00" not in value if value.isascii() else not _UNSTORABLE.search(value)
