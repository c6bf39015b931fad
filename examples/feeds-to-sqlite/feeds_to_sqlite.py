"""All events of all feeds of a node, into SQLite, without a gap.

    feeds_to_sqlite.py --node 127.0.0.1:7318 --feeds 127.0.0.1:7319 --database events.db
"""
from __future__ import annotations

import argparse
import json
import signal
import sqlite3

import zmq
import zmq.auth
import zmq.utils.monitor

from troupe import Client, Feed, errors

BATCH = 500  # events of one transaction
PATIENCE_S = 5  # for what is missing, before others have their turn


class Store:
    """Events, and how far each feed is, in the same transaction: so that no kill can tear them apart."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path)
        self.connection.executescript(
            "create table if not exists event (feed text, epoch text, at integer, key text, body text,"
            " primary key (feed, epoch, at)) without rowid;"
            "create table if not exists place (feed text primary key, epoch text, at integer) without rowid;")
        self.places = {feed: (epoch, at) for feed, epoch, at in self.connection.execute("select * from place")}

    def take(self, feed: str, epoch: str, at: int, key: str, body: object) -> None:
        """The next event of a feed; one that is there already is not taken again."""
        self.connection.execute("insert or ignore into event values (?, ?, ?, ?, ?)",
                                (feed, epoch, at, key, json.dumps(body)))
        self.move(feed, epoch, at)

    def move(self, feed: str, epoch: str, at: int) -> None:
        """How far the feed is."""
        self.connection.execute("insert or replace into place values (?, ?, ?)", (feed, epoch, at))
        self.places[feed] = epoch, at

    def commit(self) -> None:
        """What was taken is kept."""
        self.connection.commit()


class Backend:
    """Hears what is published, and asks for what it did not hear."""

    def __init__(self, store: Store, client: Client, feeds: zmq.Socket[bytes]) -> None:
        self.store, self.client, self.feeds = store, client, feeds
        self.monitor = feeds.get_monitor_socket()
        self.watches: dict[str, Feed] = {}  # of those whose place is behind what is published, as far as is known

    def since(self, feed: str) -> str:
        """The token to go on from."""
        place = self.store.places.get(feed)
        return f"{place[0]}-{place[1]}" if place else "start"

    def is_known(self, feed: str, epoch: str, at: int) -> bool:
        """Whether the place is there or behind it."""
        place = self.store.places.get(feed)
        return place is not None and place[0] == epoch and at <= place[1]

    def take(self, feed: str, watch: Feed, timeout: float) -> None:
        """The next event of a watch; errors.Timeout."""
        event = watch.next(timeout)
        if event.type == "gap" or not event.token:  # of a volatile channel
            return
        epoch, at = event.token.rsplit("-", 1)
        if event.type == "snapshot":  # instead of events that the node does not keep any more
            self.store.move(feed, epoch, int(at))
        else:
            self.store.take(feed, epoch, int(at), event.key or "", event.body)

    def catch_up(self, feed: str, epoch: str, until: int) -> None:
        """What is missing up to this offset; what does not come in time is waited for with the other watches."""
        watch = self.watches[feed] = self.client.watch(feed, self.since(feed))
        try:
            while not self.is_known(feed, epoch, until):
                self.take(feed, watch, PATIENCE_S)
        except errors.Timeout:
            return
        self.watches.pop(feed).close()

    def heard(self, topic: bytes, token: bytes, key: bytes, body: bytes) -> None:
        """One published event: "json/FEED", where it stands, its key, its body."""
        feed = topic.decode().split("/", 1)[1]
        if not token:
            return  # of a volatile channel
        epoch, at = token.decode().rsplit("-", 1)
        place, offset = self.store.places.get(feed), int(at)
        is_known = self.is_known(feed, epoch, offset)
        if feed in self.watches:
            if is_known:  # what is published has come to where the watch is: it goes on alone
                self.watches.pop(feed).close()
            return
        if is_known:
            return
        if (place and place[0] == epoch and offset == place[1] + 1) or (not place and offset == 1):
            self.store.take(feed, epoch, offset, key.decode(), json.loads(body))
        else:
            self.catch_up(feed, epoch, offset)

    def watch_all(self) -> None:
        """There is a new connection: nobody says what was published while there was none."""
        for watch in self.watches.values():
            watch.close()
        self.watches = {feed: self.client.watch(feed, self.since(feed)) for feed in self.store.places}

    def hear_watches(self) -> None:
        """What they have now; the first of them works for all."""
        for number, (feed, watch) in enumerate(self.watches.items()):
            try:
                while True:
                    self.take(feed, watch, 0 if number else 0.01)
            except errors.Timeout:
                pass
        self.store.commit()

    def work(self) -> None:
        """A round: what came, at most so long."""
        if self.monitor.poll(0):
            zmq.utils.monitor.recv_monitor_message(self.monitor)
            self.watch_all()
        self.hear_watches()
        if self.feeds.poll(200):
            for _ in range(BATCH):
                if not self.feeds.poll(0):
                    break
                self.heard(*self.feeds.recv_multipart())
            self.store.commit()


def open_feeds(address: str, prefix: str, certificate: str | None, server: str | None) -> zmq.Socket[bytes]:
    """The subscriber."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    if certificate and server:
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(certificate + "_secret")
        socket.curve_serverkey = zmq.auth.load_certificate(server)[0]
    socket.linger = 0
    socket.rcvhwm = 100000
    socket.subscribe("json/" + prefix)
    socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)  # before there is anything that it could miss
    socket.connect("tcp://" + address)
    return socket


def main() -> None:
    """Until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", default="127.0.0.1:7318")
    parser.add_argument("--feeds", required=True, help="the address of the setting zmq_feeds")
    parser.add_argument("--database", default="events.db")
    parser.add_argument("--prefix", default="", help="of the names of feeds: all of them")
    parser.add_argument("--certificate")
    parser.add_argument("--server")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    feeds = open_feeds(options.feeds, options.prefix, options.certificate, options.server)
    with Client(options.node, certificate=options.certificate, server=options.server, name="sqlite") as client:
        backend = Backend(Store(options.database), client, feeds)
        try:
            while True:
                backend.work()
        except KeyboardInterrupt:
            backend.store.commit()


if __name__ == "__main__":
    main()
