"""What tests over ZeroMQ share: a conversation by doc/protocol-zmq.md, in JSON."""
import json

import zmq

CREDIT = 1 << 20
COST = 64


class Talk:
    """One connection. Grants the credit back that it used, unless told not to."""

    def __init__(self, context, address, own=None, server=None, patience_ms=20000):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.patience_ms, self.used, self.lines, self.grants = patience_ms, 0, [], True
        if own:
            self.socket.curve_publickey, self.socket.curve_secretkey = own
        if server:
            self.socket.curve_serverkey = server
        self.socket.connect("tcp://" + address)

    def say(self, *messages):
        self.socket.send_multipart([json.dumps(message).encode() for message in messages])

    def hear(self, patience_ms=None):
        while not self.lines:
            if not self.socket.poll(self.patience_ms if patience_ms is None else patience_ms):
                return None
            part = self.socket.recv()
            self.used += len(part) + COST
            if self.grants and self.used > CREDIT // 2:
                self.say({"credit": self.used})
                self.used = 0
            for line in part.decode().splitlines():
                message = json.loads(line)
                self.lines += message if isinstance(message, list) else [message]
        return self.lines.pop(0)

    def hello(self, credit=CREDIT, **more):
        self.say({"hello": 1, "credit": credit, **more})
        return self.hear()

    def until(self, name):
        """The next message of this type; what comes before it is dropped."""
        while True:
            message = self.hear()
            if message is None or name in message:
                return message

    def close(self):
        self.socket.close()
