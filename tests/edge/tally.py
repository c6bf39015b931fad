"""A worker for tests: `tally.py ADDRESS TOKEN VERSION`. Its kind counts, and shows what a turn can do."""
import asyncio
import logging
import os
import sys
import time

sys.path.insert(0, os.path.join(os.environ["TROUPE_SOURCE"], "clients/python"))
sys.dont_write_bytecode = True

import troupe  # noqa: E402

VERSION = int(sys.argv[3])
tally = troupe.Kind("tally", VERSION)
live = tally.channel("live", allow="anyone", keep=10000)
guarded = tally.channel("guarded", allow="decides", permit="may", presence="count")


@tally.verb(allow="anyone", args="by:int")
def add(turn, args):
    n = turn.load("n", 0) + args["by"]
    turn.store("n", n)
    turn.publish(live, {"n": n})
    return {"n": n, "pid": os.getpid(), "attempt": turn.attempt, "version": VERSION}


@tally.verb(allow="anyone", reads=True)
def total(turn, _):
    return {"n": turn.load("n", 0), "pid": os.getpid(), "subject": turn.subject}


@tally.verb(allow="anyone")
def refuse(turn, _):
    turn.store("n", -1)
    turn.refuse("not today")


@tally.verb(reads=True)
def may(turn, _):
    if turn.load("shut", False):
        turn.refuse("shut")


@tally.verb(allow="anyone")
def shut(turn, _):
    turn.store("shut", True)
    turn.permit_changed(guarded)


@tally.verb(allow="anyone")
def remind(turn, args):
    turn.timer("reminder", add, args, after=0.01)


@tally.verb(allow="anyone")
def send(turn, args):
    turn.tell(args["to"], add, {"by": args["by"]})


@tally.verb(allow="anyone")
def quiz(turn, args):
    turn.store("caller", turn.later())
    turn.ask(args["to"], total, answered)


@tally.verb
def answered(turn, args):
    caller = turn.load("caller")
    if args["n"] == 0:
        turn.answer(caller, {"error": "it has nothing"}, status="not_found")
    else:
        turn.answer(caller, {"outcome": turn.outcome, "got": args["n"]})
    turn.erase("caller")


@tally.verb(allow="anyone")
def keys(turn, _):
    for n in (2, 10, 1):
        turn.store(f"k/{n}", n)
    turn.append("log", b"a")
    turn.append("log", b"b")
    turn.erase("k/2")
    return {"keys": [key for key, _ in turn.iterate("k/")], "log": turn.load_bytes("log").decode()}


@tally.verb(allow="anyone")
async def wait(turn, _):
    await asyncio.sleep(0.01)
    return {"n": turn.load("n", 0)}


@tally.verb(allow="anyone")
def alone(turn, _):
    """Nobody else is at this actor."""
    place = f"busy-{turn.id}"
    os.close(os.open(place, os.O_CREAT | os.O_EXCL))
    time.sleep(0.002)
    os.unlink(place)
    return {"pid": os.getpid()}


@tally.verb(allow="anyone", args="while:string")
def hold(turn, args):
    """Says who is at it, and goes on when it is told to, or at the second attempt."""
    if turn.attempt == 1:
        with open(args["while"] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(args["while"] + ".new", args["while"])
        while os.path.exists(args["while"]):
            time.sleep(0.005)
    return add(turn, {"by": 1})


@tally.verb(allow="anyone", args="to:string by:int")
def move(turn, args):
    """Money goes to another actor. Messages to each are numbered."""
    moves, number = turn.load("moves", 0) + 1, turn.load("to/" + args["to"], 0) + 1
    turn.store("moves", moves)
    turn.store("to/" + args["to"], number)
    turn.store("n", turn.load("n", 0) - args["by"])
    turn.tell(args["to"], got, {"by": args["by"], "number": number})
    return {"moves": moves}


@tally.verb
def got(turn, args):
    last = turn.load("from/" + turn.sender, 0)
    turn.store("odd", turn.load("odd", 0) + (args["number"] != last + 1))
    turn.store("from/" + turn.sender, args["number"])
    turn.store("n", turn.load("n", 0) + args["by"])


@tally.verb(allow="anyone", reads=True)
def book(turn, _):
    told, heard = (sum(n for _, n in turn.iterate(prefix)) for prefix in ("to/", "from/"))
    return {"n": turn.load("n", 0), "moves": turn.load("moves", 0), "told": told, "heard": heard,
            "odd": turn.load("odd", 0)}


@tally.verb(allow="anyone")
def odd(turn, _):
    turn.effects.append(["nonsense"])


@tally.verb(allow="anyone")
def leave(turn, _):
    sys.exit("enough")


@tally.verb(allow="anyone")
async def cancel(turn, _):
    raise asyncio.CancelledError


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    troupe.serve(sys.argv[1], tally, token=sys.argv[2])
