"""pair.py - two nodes of a cluster, and the ways between them, which can be cut."""
import asyncio

from edge import Http, Node

FREE = "127.0.0.1:0"


class Proxy:
    """The way to one node's links, which can be cut."""

    def __init__(self):
        self.target, self.is_cut, self.ends = None, False, set()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    async def pass_on(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(self, reader, writer):
        try:
            if self.is_cut or not self.target:
                raise OSError("cut")
            host, port = self.target.rsplit(":", 1)
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        self.ends |= {writer, far_writer}
        await asyncio.gather(self.pass_on(reader, far_writer), self.pass_on(far_reader, writer))
        self.ends -= {writer, far_writer}

    def cut(self):
        self.is_cut = True
        for end in list(self.ends):
            end.transport.abort()

    def close(self):
        self.server.close()
        self.cut()


def write_map(path, *addresses, parts=("0-1", "2-3"), keys=("", "")):
    with open(path, "w") as file:
        file.write("cluster test\nshards 4\n")
        for name, part, address, key in zip("ab", parts, addresses, keys):
            file.write(f"node {name} {part} {address} {key}\n")


def options(name, map_path="map"):
    return ("--once", "--node", name, "--nodes", map_path, "--node-listen", FREE, "--zmq-listen", "",
            "--call-keep-ms", "60s")


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


class Pair:
    """Both nodes, and the ways between them."""

    async def open(self, addresses, kinds, a_read, *more, stores=""):
        """What lives where is found out with a read that all actors have, before the two are linked."""
        self.ways = {"a": Proxy(), "b": Proxy()}
        for way in self.ways.values():
            await way.open()
        write_map("map", self.ways["a"].address, self.ways["b"].address)
        self.nodes = {name: Node(*options(name), *more, store=stores + name, kinds=kinds, log=stores + name + ".log")
                      for name in "ab"}
        self.homes = {to: self.home_of(to, a_read) for to in addresses}
        self.aim()
        return self

    def aim(self):
        for name, node in self.nodes.items():
            self.ways[name].target = node.links

    def home_of(self, to, a_read):
        for name, node in self.nodes.items():
            code, body = Http(node).ask("GET", f"/a/{to}/{a_read}")
            if code == 200:
                return name
        raise RuntimeError(f"no node has {to}: {body}")

    async def kill(self, name):
        self.nodes[name].kill()
        await in_thread(self.nodes[name].again)
        self.aim()

    def stop(self):
        for name in self.nodes:
            self.nodes[name].stop()
        for way in self.ways.values():
            way.close()
