"""Answers for each line of JSON on stdin with a line on stdout.

in:  {"convert": event}   out: {"objects": [...], "said": [...]}   what misp-stix makes of an event, errors and warnings
in:  {"load": event}      out: {"event": {...}, "said": [...]}     what PyMISP reads and writes again, and its complaints
in:  {"types": true}      out: {"types": [...]}                    the attribute types that PyMISP knows
"""
import json
import logging
import sys
import warnings
from collections import defaultdict

from misp_stix_converter import MISPtoSTIX21Parser
from pymisp import MISPEvent
from pymisp.abstract import describe_types
from pymisp.tools import validate_event


class Listener(logging.Handler):
    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


listener = Listener()
logging.getLogger().handlers = [listener]
logging.getLogger("pymisp").propagate = True
warnings.simplefilter("error")


def convert(event):
    parser = MISPtoSTIX21Parser()
    parser.parse_misp_event(event)
    said = [text for messages in (parser.errors, parser.warnings) for texts in messages.values() for text in texts]
    return {"objects": [json.loads(o.serialize()) if hasattr(o, "serialize") else o for o in parser.stix_objects], "said": said}


def load(event):
    loaded = MISPEvent(strict_validation=True)
    loaded.load(json.dumps(event))
    errors = defaultdict(list)
    validate_event(loaded, errors)
    said = [text for texts in errors.values() for text in texts]
    return {"event": json.loads(loaded.to_json()), "said": said + listener.said}


def answer(request):
    listener.said = []
    try:
        if "convert" in request:
            return convert(request["convert"])
        if "load" in request:
            return load(request["load"])
        return {"types": describe_types["types"]}
    except Exception as e:
        return {"crash": repr(e)}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
