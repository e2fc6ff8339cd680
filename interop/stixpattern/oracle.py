"""Answers for each line of JSON on stdin with a line on stdout: is the pattern valid (stix2-patterns), and which
observed data does it match (stix2-matcher)?

in:  {"pattern": P, "matched": Q, "data": [bundle, ...]}   Q is matched instead of P; "" matches nothing
out: {"valid": bool, "matches": [true | false | null, ...], "errors": [...]}   null: no verdict, see errors
"""
import json
import os
import signal
import sys

import stix2matcher.matcher
import stix2patterns
from stix2patterns.validator import run_validator

SECONDS = 2  # for one verdict: the search of stix2-matcher has no bound of its own


class TooLong(Exception):
    pass


def alarm(_signal, _frame):
    raise TooLong("took too long")


def answer(request):
    faults = run_validator(request["pattern"], stix_version="2.1")
    out = {"valid": not faults, "matches": [], "errors": faults}
    if not request.get("matched"):
        return out
    try:
        pattern = stix2matcher.matcher.Pattern(request["matched"], stix_version="2.1")
    except Exception as e:
        out["errors"].append(repr(e))
        out["matches"] = [None] * len(request["data"])
        return out
    for bundle in request["data"]:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            out["matches"].append(bool(pattern.match([bundle])))
        except Exception as e:
            out["errors"].append(repr(e))
            out["matches"].append(None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return out


def main():
    signal.signal(signal.SIGALRM, alarm)
    if sys.argv[1:] == ["spec"]:  # the examples of the specification that stix2-patterns brings
        path = os.path.join(os.path.dirname(stix2patterns.__file__), "test", "v21", "spec_examples.txt")
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    print(json.dumps(line.strip()))
        return
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
