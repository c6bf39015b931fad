"""A node whose kinds are served by Python programs."""
import os
import socket
import subprocess
import sys

from edge import PATIENCE_S, Node

TALLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tally.py")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Served(Node):
    """A node, and workers of it."""

    def __init__(self, store, *options, program=None):
        super().__init__("--zmq-listen", f"127.0.0.1:{free_port()}", *options, store=store, program=program)
        self.key, self.workers = self.token("python", "--roles", "worker"), []

    def worker(self, version=1):
        one = subprocess.Popen([sys.executable, TALLY, self.zmq, self.key, str(version)],
                               stdout=subprocess.PIPE, text=True)
        self.workers.append(one)
        return one

    def stop(self):
        super().stop()
        for one in self.workers:
            one.terminate()
        codes = [one.wait(PATIENCE_S) for one in self.workers]
        for one in self.workers:
            one.stdout.close()
        return codes


def wait_line(worker, word):
    for line in worker.stdout:
        if word in line:
            return True
    return False
