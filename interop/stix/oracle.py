"""Answers each line of JSON on stdin, a STIX object as text, with a line on stdout: what do stix2-validator (MUSTs
alone) and stix2 say of it?

in:  "..."                                    the object's text
out: {"validator": [...], "stix2": "...", "id": "..."}
     errors; null where the package failed with an exception of its own; the identifier that stix2 makes of an observable
"""
import functools
import json
import sys
import warnings

import stix2
import stix2.exceptions
import stix2validator
from stix2validator import validator

OPTIONS = stix2validator.ValidationOptions(version="2.1", silent=True, disabled="all")

# The package reads its schemas anew for every object; their text does not change. Bundles, whose schema it changes,
# are not asked for.
validator.load_schema = functools.lru_cache(maxsize=None)(validator.load_schema)
_load = validator.load_validator
_validators = {}


def load_validator(path, schema, schema_dir):
    if path not in _validators:
        _validators[path] = _load(path, schema, schema_dir)
    return _validators[path]


validator.load_validator = load_validator


def ask_validator(obj):
    try:
        result = validator.validate_parsed_json(obj, OPTIONS)
    except stix2validator.errors.ValidationError as e:
        return [str(e)]
    except Exception:
        return None
    return [str(e) for e in result.errors]


def ask_stix2(obj):
    try:
        parsed = stix2.parse(obj, allow_custom=True, version="2.1")
    except (stix2.exceptions.STIXError, ValueError) as e:
        return f"{type(e).__name__}: {e}", None
    except Exception:
        return None, None
    identifier = None
    if isinstance(parsed, stix2.v21.base._Observable):
        try:
            identifier = parsed._generate_id()
        except Exception:
            pass  # it cannot spell some custom values
    return "", identifier


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        try:
            obj = json.loads(json.loads(line))
        except ValueError as e:
            answer = {"validator": [str(e)], "stix2": str(e), "id": None}
        else:
            parsed, identifier = ask_stix2(obj)
            answer = {"validator": ask_validator(obj), "stix2": parsed, "id": identifier}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
