"""Prints the records of an EVTX file as the Python package "evtx" decodes them.

One JSON object a line: {"id": record id, "fields": {name: [values]}}, the names as
internal/decode/evtx gives them, each value as "kind text". The first of two fields with one name
stays, but a Channel of the payload replaces the record's.
"""

import json
import sys

import evtx


def spell(value):
    if value is None:
        return ["null "]
    if isinstance(value, bool):
        return ["bool " + str(value).lower()]
    if isinstance(value, (int, float)):
        return ["number " + json.dumps(value)]
    if isinstance(value, list):
        return [text for item in value for text in spell(item)]
    return ["string " + value]


def put(fields, name, value, replace=False):
    name = name.replace(" ", "")
    if replace or name not in fields:
        fields[name] = spell(value)


def attributes(fields, name, attrs):
    for attr, value in attrs.items():
        if attr.split(":")[0] == "xmlns":
            continue
        time = (name, attr) == ("TimeCreated", "SystemTime")
        put(fields, name if time else name + "_" + attr, value)


def leaves(fields, children, payload):
    for name, value in children.items():
        if name == "#attributes":
            continue
        if not isinstance(value, dict):
            put(fields, name, value, payload and name == "Channel")
            continue
        attributes(fields, name, value.get("#attributes", {}))
        if "#text" in value:
            put(fields, name, value["#text"], payload and name == "Channel")
        leaves(fields, {k: v for k, v in value.items() if k != "#text"}, payload)


def flatten(event):
    fields = {}
    for section, value in event.items():
        if section == "#attributes" or value is None:
            continue
        attributes(fields, section, value.get("#attributes", {}))
        leaves(fields, value, section != "System")
    return fields


for record in evtx.PyEvtxParser(sys.argv[1]).records_json():
    print(json.dumps({
        "id": str(record["event_record_id"]),
        "fields": flatten(json.loads(record["data"])["Event"]),
    }))
