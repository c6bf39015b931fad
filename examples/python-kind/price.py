"""price.py - what things cost: a remote kind, beside those that the node has in C."""

import os
import sys

import troupe

price = troupe.Kind("price", version=1, doc="What a thing costs.")


@price.verb(allow="anyone", args="each:int", doc="Sets the price, and tells the orders that asked for it.")
def set_price(turn, args):
    turn.store("each", args["each"])
    for key, order in turn.iterate("asked/"):
        turn.tell(order, "repriced", {"each": args["each"]})


@price.verb(doc="An order asks.")
def quote(turn, args):
    each = turn.load("each")
    if each is None:
        turn.refuse(f"{turn.id} is not sold here")
    turn.store("asked/" + turn.sender, turn.sender)
    return {"each": each}


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7318"
    troupe.serve(address, price, token=os.environ["TROUPE_TOKEN"])
