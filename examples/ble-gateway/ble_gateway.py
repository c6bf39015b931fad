"""Forwards what Bluetooth sensors measured, from a dump, to an actor for each of them.

    ble_gateway.py ride.dump --node 127.0.0.1:7318 [--follow]

A line of the dump is one notification: ms since 1970, the device, the characteristic, the bytes.

    1764190000000 c4:3f:01:9a:22:e1 2a37 0050
"""
from __future__ import annotations

import argparse
import contextlib
import os
import signal
import struct
import sys
import time
from collections import deque
from typing import Any, Callable, Iterator

from troupe import Call, Client, errors

IN_FLIGHT = 200
PATIENCE_S = 3600.0

Values = dict[str, float]


class Malformed(Exception):
    """Bytes that are not what their characteristic has."""


class Bytes:
    """Little-endian fields, one after the other. What is behind the last one is of a later version, and left alone."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> int:
        """The next field: B, H, h, I as of struct."""
        size = struct.calcsize("<" + form)
        if self.at + size > len(self.data):
            raise Malformed(f"{len(self.data)} bytes are too few")
        value: int = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += size
        return value


def heart_rate(of: Bytes) -> Values:
    """2a37"""
    flags = of.take("B")
    values: Values = {"heart_bpm": of.take("H" if flags & 1 else "B")}
    if flags & 4:
        values["contact"] = flags >> 1 & 1
    if flags & 8:
        values["energy_kj"] = of.take("H")
    return values


def turns(of: Bytes, flags: int, wheel: int, crank: int, values: Values) -> Values:
    """Counters and the times of their newest turn, as they are: differences are the actor's, who knows the one before."""
    if flags & wheel:
        values |= {"wheel": of.take("I"), "wheel_time": of.take("H")}
    if flags & crank:
        values |= {"crank": of.take("H"), "crank_time": of.take("H")}
    return values


def speed_and_cadence(of: Bytes) -> Values:
    """2a5b"""
    return turns(of, of.take("B"), 1, 2, {})


def power(of: Bytes) -> Values:
    """2a63"""
    flags = of.take("H")
    values: Values = {"power_w": of.take("h")}
    if flags & 1:
        values["balance_percent"] = of.take("B") / 2
    if flags & 4:
        values["torque_nm"] = of.take("H") / 32
    return turns(of, flags, 16, 32, values)


def battery(of: Bytes) -> Values:
    """2a19"""
    percent = of.take("B")
    if percent > 100:
        raise Malformed(f"{percent} percent")
    return {"battery_percent": percent}


CHARACTERISTICS: dict[str, Callable[[Bytes], Values]] = {
    "2a37": heart_rate, "2a5b": speed_and_cadence, "2a63": power, "2a19": battery}


def decode(characteristic: str, data: bytes) -> Values:
    """What a notification says; Malformed."""
    known = CHARACTERISTICS.get(characteristic)
    if not known:
        raise Malformed(f"characteristic {characteristic} is not known")
    return known(Bytes(data))


def read_line(line: str) -> tuple[int, str, Values]:
    """Time, device, values; Malformed."""
    try:
        at, device, characteristic, data = line.split()
        return int(at), device.lower(), decode(characteristic.lower(), bytes.fromhex(data))
    except ValueError as error:
        raise Malformed(str(error)) from None


def lines(path: str, follow: bool) -> Iterator[str | None]:
    """Whole lines of the dump; None: there is no other now. A last one without its end is not written yet."""
    with open(path, encoding="ascii", errors="replace") as dump:
        while True:
            at = dump.tell()
            line = dump.readline()
            if line.endswith("\n"):
                yield line
                continue
            dump.seek(at)
            if not follow:
                return
            yield None


class Gateway:
    """Numbers the measurements of each device, and forwards those that its actor does not have."""

    def __init__(self, client: Client, dump: str) -> None:
        self.client, self.dump = client, dump
        self.numbers: dict[str, int] = {}  # the newest that was read
        self.taken: dict[str, int] = {}    # the newest that the actor had when we began
        self.waiting: deque[tuple[str, dict[str, Any], Call]] = deque()  # without an outcome, in the order of the dump
        self.sent = 0

    def forward(self, device: str, at: int, values: Values) -> None:
        """The next measurement of a device."""
        to = f"sensor/{device}"
        if device not in self.taken:
            self.taken[device] = self.ask_taken(to)
        number = self.numbers[device] = self.numbers.get(device, 0) + 1
        if number <= self.taken[device]:
            return
        body = {"dump": self.dump, "number": number, "t": at, "values": values}
        self.send(to, body)
        self.sent += 1
        if len(self.waiting) > IN_FLIGHT:
            self.settle_first()

    def ask_taken(self, to: str) -> int:
        """The newest number that an actor has."""
        while True:
            try:
                number: int = self.client.call(to, "taken", {"dump": self.dump}, timeout=PATIENCE_S)["number"]
                return number
            except (errors.Unknown, errors.Timeout):
                continue  # the node was away for long

    def send(self, to: str, body: dict[str, Any]) -> None:
        """Whatever comes of it."""
        self.waiting.append((to, body, self.client.submit(to, "measure", body, timeout=PATIENCE_S)))

    def settle_first(self) -> None:
        """The oldest of those that were sent is kept. When nobody knows of it, as the node was away for longer than it
        keeps calls, it is sent again with all behind it, which were refused if they came before it."""
        while True:
            try:
                self.client.wait(self.waiting[0][2])
                self.waiting.popleft()
                return
            except (errors.Unknown, errors.Timeout):
                self.send_again()

    def send_again(self) -> None:
        """In the same order, when nothing is on its way any more. What was taken is known by its number."""
        again, self.waiting = self.waiting, deque()
        for _, _, call in again:
            with contextlib.suppress(errors.TroupeError):
                self.client.wait(call)
        for to, body, _ in again:
            self.send(to, body)

    def settle(self) -> None:
        """All that was sent is kept."""
        while self.waiting:
            self.settle_first()


def options_of() -> argparse.Namespace:
    """What it was called with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--node", default="127.0.0.1:7318")
    parser.add_argument("--name", help="of the dump, by which actors know it (its file's name)")
    parser.add_argument("--follow", action="store_true", help="wait for more of it")
    parser.add_argument("--certificate", help="ours, of `troupe certificate`")
    parser.add_argument("--server", help="the node's")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    """Until the dump ends."""
    bad = 0
    with Client(options.node, certificate=options.certificate, server=options.server) as client:
        gateway = Gateway(client, options.name or os.path.basename(options.dump))
        for number, line in enumerate(lines(options.dump, options.follow), 1):
            if line is None:
                gateway.settle()
                time.sleep(0.2)
                continue
            try:
                at, device, values = read_line(line)
            except Malformed as error:
                bad += 1
                print(f"line {number}: {error}", file=sys.stderr)
                continue
            gateway.forward(device, at, values)
        gateway.settle()
        print(f"{gateway.sent} measurements forwarded, {bad} lines left out")


def main() -> None:
    """Until the dump ends, SIGTERM, or what will not be better by waiting: then another start is as good as any."""
    options = options_of()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run(options)
    except errors.TroupeError as error:
        sys.exit(f"ble_gateway: {error.status}: {error}")


if __name__ == "__main__":
    main()
