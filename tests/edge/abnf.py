"""abnf.py - the grammar of a page, as far as RFC 5234 is used there: which texts are of a rule."""
import json
import re

TOKEN = re.compile(r'%s"[^"]*"|"[^"]*"|%x[0-9A-Fa-f]+(?:-[0-9A-Fa-f]+)?|[0-9]*\*?[0-9]*(?=[("%A-Za-z\[])|[()\[\]/]'
                   r'|[A-Za-z][A-Za-z0-9-]*')
CORE = """
ALPHA = %x41-5A / %x61-7A
DIGIT = %x30-39
DQUOTE = %x22
LF = %x0A
OCTET = %x00-FF
"""


class Grammar:
    """`known`: rules that a grammar cannot say, as functions of (text, at) that return where a match may end."""

    def __init__(self, page, known):
        self.known, self.rules = known, {}
        for block in [CORE, *re.findall(r"```abnf\n(.*?)```", page, re.S)]:
            lines = [line for line in (line.split("; ")[0].rstrip() for line in block.splitlines()) if line]
            for line in re.sub(r"\n[ ]+", " ", "\n".join(lines)).splitlines():
                name, rule = re.split(r"\s+=\s+", line, maxsplit=1)
                self.words = [word for word in TOKEN.findall(rule) if word]
                self.rules[name] = self._either()

    # ---- a rule: ("or", rules), ("and", rules), ("times", least, most, rule), ("text", text), ("range", from, to),
    #      ("name", name)

    def _either(self):
        found = [self._row()]
        while self.words and self.words[0] == "/":
            self.words.pop(0)
            found.append(self._row())
        return ("or", found)

    def _row(self):
        found = []
        while self.words and self.words[0] not in ("/", ")", "]"):
            found.append(self._one())
        return ("and", found)

    def _one(self):
        word = self.words.pop(0)
        if word[0].isdigit() or word[0] == "*":
            least, star, most = re.fullmatch(r"([0-9]*)(\*?)([0-9]*)", word).groups()
            most = int(most or 1 << 30) if star else int(least)
            return ("times", int(least or 0), most, self._one())
        if word in ("(", "["):
            inner = self._either()
            self.words.pop(0)
            return inner if word == "(" else ("times", 0, 1, inner)
        if word[0] == '"' or word[:2] == "%s":
            return ("text", word.split('"')[1])
        if word[:2] == "%x":
            first, _, last = word[2:].partition("-")
            return ("range", int(first, 16), int(last or first, 16))
        return ("name", word)

    # ---- matching

    def _ends(self, rule, text, at):
        kind = rule[0]
        if kind == "name":
            yield from (self.known[rule[1]](text, at) if rule[1] in self.known
                        else self._ends(self.rules[rule[1]], text, at))
        elif kind == "text":
            yield from [at + len(rule[1])] if text.startswith(rule[1], at) else []
        elif kind == "range":
            yield from [at + 1] if at < len(text) and rule[1] <= ord(text[at]) <= rule[2] else []
        elif kind == "or":
            for one in rule[1]:
                yield from self._ends(one, text, at)
        elif kind == "and":
            yield from self._ends_of_row(rule[1], text, at)
        else:
            yield from self._ends_of_many(rule, text, at)

    def _ends_of_row(self, rules, text, at):
        if not rules:
            yield at
            return
        for end in self._ends(rules[0], text, at):
            yield from self._ends_of_row(rules[1:], text, end)

    def _ends_of_many(self, rule, text, at):
        _, least, most, one = rule
        ends, count = {at}, 0
        while ends and count <= most:
            if count >= least:
                yield from ends
            ends = {end for begin in ends for end in self._ends(one, text, begin) if end > begin}
            count += 1

    def has(self, name, text):
        """Whether all of the text is of this rule."""
        return any(end == len(text) for end in self._ends(("name", name), text, 0))


# ---- what is of RFC 8259

def json_value(text, at):
    try:
        return [json.JSONDecoder().raw_decode(text, at)[1]]
    except json.JSONDecodeError:
        return []


def json_string(text, at):
    return json_value(text, at) if text.startswith('"', at) else []


def json_int(text, at):
    found = re.compile(r"0|[1-9][0-9]*").match(text, at)
    return [found.end()] if found else []
