"""MessagePack, as far as bodies of Troupe go: what JSON has, and bytes."""

from __future__ import annotations

import struct
from typing import Any

DEPTH = 100


def pack(value: Any) -> bytes:
    """One value. Keys of dicts are strings; numbers are of 64 bits and finite."""
    out = bytearray()
    _put(out, value)
    return bytes(out)


def _put_head(out: bytearray, size: int, small: int, small_max: int, codes: tuple[int | None, int, int]) -> None:
    """The head of something with a size: in one byte, or behind codes for sizes of 8, 16, 32 bits."""
    if size <= small_max:
        out.append(small | size)
    elif size < 1 << 8 and codes[0] is not None:
        out += bytes((codes[0], size))
    elif size < 1 << 16:
        out += struct.pack(">BH", codes[1], size)
    else:
        out += struct.pack(">BI", codes[2], size)


def _put_int(out: bytearray, value: int) -> None:
    if -32 <= value < 128:
        out.append(value & 0xFF)
        return
    for code, form, low, high in ((0xCC, "B", 0, 1 << 8), (0xCD, "H", 0, 1 << 16), (0xCE, "I", 0, 1 << 32),
                                  (0xCF, "Q", 0, 1 << 63), (0xD0, "b", -1 << 7, 0), (0xD1, "h", -1 << 15, 0),
                                  (0xD2, "i", -1 << 31, 0), (0xD3, "q", -1 << 63, 0)):
        if low <= value < high:
            out += struct.pack(">B" + form, code, value)
            return
    raise ValueError(f"{value} does not fit 64 bits")


def _put(out: bytearray, value: Any) -> None:
    if value is None:
        out.append(0xC0)
    elif value is True or value is False:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, str):
        text = value.encode()
        _put_head(out, len(text), 0xA0, 31, (0xD9, 0xDA, 0xDB))
        out += text
    elif isinstance(value, int):
        _put_int(out, value)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{value} is no number that JSON has")
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _put_head(out, len(value), 0, -1, (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, (list, tuple)):
        _put_head(out, len(value), 0x90, 15, (None, 0xDC, 0xDD))
        for one in value:
            _put(out, one)
    elif isinstance(value, dict):
        _put_head(out, len(value), 0x80, 15, (None, 0xDE, 0xDF))
        for key, one in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is no string")
            _put(out, key)
            _put(out, one)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be sent")


def unpack(data: bytes) -> Any:
    """The one value that these bytes are; ValueError when they are none."""
    try:
        value, at = _take(data, 0, DEPTH)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"no good MessagePack: {error}") from None
    if at != len(data):
        raise ValueError("more than one value")
    return value


_FIXED = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
          0xD3: ">q"}
_SIZED = {0xD9: ("str", 1), 0xDA: ("str", 2), 0xDB: ("str", 4), 0xC4: ("bin", 1), 0xC5: ("bin", 2), 0xC6: ("bin", 4),
          0xDC: ("array", 2), 0xDD: ("array", 4), 0xDE: ("map", 2), 0xDF: ("map", 4)}
_CONST = {0xC0: None, 0xC2: False, 0xC3: True}


def _take(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 256, at
    if code in _CONST:
        return _CONST[code], at
    if code in _FIXED:
        size = struct.calcsize(_FIXED[code])
        return struct.unpack_from(_FIXED[code], data, at)[0], at + size
    if code < 0xC0:
        kind, size = ("map", code & 15) if code < 0x90 else ("array", code & 15) if code < 0xA0 else ("str", code & 31)
    elif code in _SIZED:
        kind, width = _SIZED[code]
        size = int.from_bytes(data[at:at + width], "big")
        at += width
    else:
        raise ValueError(f"no good MessagePack: type {code:02x}")
    if size > len(data) - at:
        raise ValueError("no good MessagePack: it ends too early")
    if kind in ("str", "bin"):
        part = bytes(data[at:at + size])
        return part.decode() if kind == "str" else part, at + size
    return _take_many(data, at, kind, size, depth)


def _take_many(data: bytes, at: int, kind: str, size: int, depth: int) -> tuple[Any, int]:
    if depth == 0:
        raise ValueError("no good MessagePack: too deep")
    if kind == "array":
        array = []
        for _ in range(size):
            value, at = _take(data, at, depth - 1)
            array.append(value)
        return array, at
    object_: dict[str, Any] = {}
    for _ in range(size):
        key, at = _take(data, at, depth - 1)
        object_[key], at = _take(data, at, depth - 1)
    return object_, at


# ---- numbers and sizes of the binary form of the protocol ----

def put_number(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_span(data: bytes) -> bytes:
    """Bytes behind their number."""
    return put_number(len(data)) + data


class Reader:
    """Fields of a message, one after the other; ValueError at what is none."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def has_more(self) -> bool:
        """Whether the end is not reached."""
        return self.at < len(self.data)

    def byte(self) -> int:
        """The type of a message."""
        return self.span_of(1)[0]

    def number(self) -> int:
        """As put_number writes it."""
        value = 0
        for shift in range(0, 56, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number is too long")

    def span_of(self, size: int) -> bytes:
        """So many bytes."""
        if size > len(self.data) - self.at:
            raise ValueError("a message ends too early")
        self.at += size
        return self.data[self.at - size:self.at]

    def span(self) -> bytes:
        """As put_span writes it."""
        return self.span_of(self.number())

    def text(self) -> str:
        """A span of UTF-8."""
        return self.span().decode()
