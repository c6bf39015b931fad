"""vectors.py - doc/protocol-vectors.json, and both forms of doc/protocol-zmq.md as plainly as they are written there.

A message is a dict as the text form has it; its first member names its type. clients/python packs and unpacks values.
"""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["TROUPE_SOURCE"], "clients/python"))

from troupe.pack import Reader, pack, put_number, put_span, unpack  # noqa: E402

#  Members in the order of their fields: n number, s text, v value, e what an error is of. The first named is the type.
CLIENT = {0x02: ("token", "s:token"), 0x07: ("watch", "n:id s:watch s:from"), 0x08: ("unwatch", "n:unwatch"),
          0x09: ("ping", "n:ping"), 0x0b: ("credit", "n:credit"), 0x0c: ("goodbye", "n:goodbye"),
          0x10: ("announce", "n:capacity n:states v:announce"), 0x11: ("done", "n:done s:status s:text v:effects"),
          0x12: ("stateless", "n:stateless"), 0x13: ("untaken", "n:untaken"), 0x14: ("leave", "")}
NODE = {0x82: ("reply", "n:reply v:body"), 0x83: ("error", "e:error s:status s:text n:retry_after_ms"),
        0x84: ("watching", "n:watching n:feed n:next n:gap"), 0x85: ("snapshot", "n:snapshot n:at v:body"),
        0x86: ("event", "n:event n:at v:body"), 0x87: ("event", "n:event n:at s:key v:body"),
        0x88: ("cut", "n:cut s:why s:token"), 0x89: ("unwatched", "n:unwatched"), 0x8a: ("pong", "n:pong n:now"),
        0x8b: ("drain", "n:drain"), 0x8c: ("presence", "n:presence n:count v:subjects"),
        0x8d: ("goodbye", "n:goodbye s:text"), 0x90: ("announced", "s:announced s:text"),
        0x91: ("offer", "n:offer v:about"), 0x92: ("settled", "n:settled n:kept n:state_number"),
        0x94: ("left", "")}
OBJECTS = {"hello": 0x01, "welcome": 0x81}
ERRORS = [("protocol", None), ("call", "seq"), ("watch", "id")]
OPTIONAL = ("from", "gap", "retry_after_ms", "effects", "subjects")  # absent when empty


def load():
    with open(os.path.join(os.environ["TROUPE_SOURCE"], "doc/protocol-vectors.json"), encoding="utf-8") as file:
        return json.load(file)


def type_of(message):
    return next(iter(message))


# ---- the text form ----

def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_text(messages):
    """A part of a client, without the end of line that the node writes."""
    return compact(messages[0] if len(messages) == 1 else messages).encode()


def read_text(part):
    found = []
    for line in part.decode().splitlines():
        one = json.loads(line)
        found += one if isinstance(one, list) else [one]
    return found


# ---- bytes, which JSON does not have ----

def _change(message, change):
    """Bytes stand in states, and behind the key of an effect that stores."""
    if "state" in message.get("about", {}):
        state = {key: change(value) for key, value in message["about"]["state"].items()}
        return {**message, "about": {**message["about"], "state": state}}
    if message.get("effects"):
        return {**message, "effects": [[*effect[:2], change(effect[2])] if effect[0] in ("store", "append") else effect
                                       for effect in message["effects"]]}
    return message


def with_bytes(message):
    return _change(message, base64.b64decode)


def without_bytes(message):
    return _change(message, lambda data: base64.b64encode(data).decode())


# ---- the binary form ----

def _write_call(message):
    """A route, an end and a trace say the rest; what a connection keeps of them is said anew each time."""
    out = b"\x03\x00" + put_span(message[type_of(message)].encode()) + put_span(message["verb"].encode())
    if "call" in message:
        out += b"\x04" + put_number(message.get("until", 0))
    if "trace" in message:
        out += b"\x0a" + put_span(message["trace"].encode())
    out += b"\x05\x00" + put_number(message["seq"]) if "call" in message else b"\x06\x00"
    return out + put_span(b"" if message.get("body") is None else pack(message["body"]))


def _write_field(form, value):
    if form == "n":
        return put_number(value or 0)
    if form == "s":
        return put_span((value or "").encode())
    return put_span(b"" if value is None else pack(value))


def _code_of(kind, message):
    """Two types have two codes: events with a key, and a goodbye, which the node says with a text."""
    is_other = kind == "event" and "key" not in message or kind == "goodbye" and "text" not in message
    codes = [code for code, (name, _) in {**NODE, **CLIENT}.items() if name == kind]
    return min(codes) if is_other else max(codes)


def write_binary(messages):
    out = b""
    for message in map(with_bytes, messages):
        kind = type_of(message)
        if kind in OBJECTS:
            out += bytes([OBJECTS[kind]]) + put_span(pack(message))
        elif kind in ("call", "cast"):
            out += _write_call(message)
        elif kind == "error":
            of = [name for name, _ in ERRORS].index(message["error"])
            out += bytes([0x83, of]) + put_number(message.get(ERRORS[of][1], 0)) + put_span(message["status"].encode())
            out += put_span(message["text"].encode()) + put_number(message.get("retry_after_ms", 0))
        else:
            code = _code_of(kind, message)
            fields = {**CLIENT, **NODE}[code][1].split()
            out += bytes([code]) + b"".join(_write_field(field[0], message.get(field[2:])) for field in fields)
    return out


def _read_error(reader):
    of, number = reader.number(), reader.number()
    message = {"error": ERRORS[of][0]}
    if ERRORS[of][1]:
        message[ERRORS[of][1]] = number
    return {**message, "status": reader.text(), "text": reader.text(), "retry_after_ms": reader.number()}


def _read_fields(reader, kind, fields):
    message = {kind: 1}
    for field in fields.split():
        form, name = field[0], field[2:]
        if form == "v":
            span = reader.span()
            message[name] = unpack(span) if span else None
        else:
            message[name] = reader.number() if form == "n" else reader.text()
    if "gap" in message:
        message["gap"] = bool(message["gap"])
    return message


def _read_one(reader, code, talk):
    """None: what was said of messages that follow."""
    if code in OBJECTS.values():
        return unpack(reader.span())
    if code == 0x03:
        number, to, verb = reader.number(), reader.text(), reader.text()
        talk["routes"][number] = (to, verb)
    elif code == 0x04:
        talk["until"] = reader.number()
    elif code == 0x0a:
        talk["trace"] = reader.text()
    elif code in (0x05, 0x06):
        to, verb = talk["routes"][reader.number()]
        message = {"call": to, "verb": verb, "seq": reader.number()} if code == 0x05 else {"cast": to, "verb": verb}
        body = reader.span()
        more = {"until": talk["until"] if code == 0x05 else None, "body": unpack(body) if body else None,
                "trace": talk.pop("trace", None)}
        return {**message, **{name: value for name, value in more.items() if value}}
    else:
        message = _read_error(reader) if code == 0x83 else _read_fields(reader, *{**CLIENT, **NODE}[code])
        return {name: value for name, value in message.items() if value or name not in OPTIONAL}
    return None


def read_binary(part):
    """Each part by itself: its routes are its own."""
    reader, talk, found = Reader(part), {"routes": {}, "until": 0}, []
    while reader.has_more():
        message = _read_one(reader, reader.byte(), talk)
        if message:
            found.append(without_bytes(message))
    return found
