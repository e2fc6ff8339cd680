"""Says for each line of JSON on stdin, with a line on stdout, what pySigma reads in a rule.

in:  {"rule": YAML text, "placeholders": {name: [values]}}
out: {"accepted": bool, "error": "Class: text", "crash": bool, "yaml11": bool, "tree": tree}

error: why it is refused; crash: by an exception that is not pySigma's own.
yaml11: pySigma's YAML loader, which follows YAML 1.1, reads other values in the detection than YAML 1.2 has. What
is told of the rule is always by YAML 1.2, as the Sigma specification wants it ("Yaml File").
tree: {"and": [trees]}, {"or": [trees]}, {"not": tree}, {"field": name or null, "value": value} or null for nothing.
value: {"text": [parts], "cased": bool} with the parts ["literal", text], ["any"] and ["one"], where numbers and
booleans are texts too; {"null": true}, {"exists": bool}, {"re": text, "flags": "ims"}, {"cidr": "hex/bits"},
{"ref": field, "starts": bool, "ends": bool}, {"compare": "lt", "number": text, "part": "hour"}: part may be missing.
"""
import json
import re
import sys

import yaml
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaDetection, SigmaRule
from sigma.rule.base import SigmaYAMLLoader
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)


class Loader12(SigmaYAMLLoader):
    """pySigma's loader with the scalars of YAML 1.2's core schema (section 10.3.2), and merge keys."""

    yaml_implicit_resolvers: dict = {}


for tag, pattern, first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
    ("merge", r"^(?:<<)$", ["<"]),
):
    Loader12.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


def integer(loader, node):
    text = loader.construct_scalar(node)
    if text.startswith("0o"):
        return int(text[2:], 8)
    if text.startswith("0x"):
        return int(text, 16)
    return int(text)


def floating(loader, node):
    return float(loader.construct_scalar(node).replace(".inf", "inf").replace(".nan", "nan").lower())


Loader12.add_constructor("tag:yaml.org,2002:int", integer)
Loader12.add_constructor("tag:yaml.org,2002:float", floating)


def number(n):
    """An integer where it is one that 64 bits hold, else as a float is written shortest."""
    if n == int(n) and -(2**63) <= n < 2**63:
        return str(int(n))
    return repr(float(n))


def text(parts, cased, anywhere):
    if anywhere:  # keywords are looked for in the whole event (specification, "Lists")
        parts = [["any"], *parts, ["any"]]
    return {"text": parts, "cased": cased}


def value(v, keyword):
    if isinstance(v, SigmaString):
        parts = []
        for part in v.s:
            if isinstance(part, str):
                parts.append(["literal", part])
            elif isinstance(part, Placeholder):
                parts.append(["placeholder", part.name])
            else:
                parts.append(["any" if part == SpecialChars.WILDCARD_MULTI else "one"])
        return text(parts, isinstance(v, SigmaCasedString), keyword and not getattr(v, "framed", False))
    if isinstance(v, SigmaBool):
        return text([["literal", str(v).lower()]], False, keyword)
    if isinstance(v, SigmaTimestampPart):
        return {"compare": "eq", "number": number(v.number), "part": v.timestamp_part.name.lower()}
    if isinstance(v, SigmaNumber):  # values are compared as texts (specification, "General")
        return text([["literal", number(v.number)]], False, keyword)
    if isinstance(v, SigmaCompareExpression):
        out = {"compare": v.op.name.lower(), "number": number(v.number.number)}
        if isinstance(v.number, SigmaTimestampPart):
            out["part"] = v.number.timestamp_part.name.lower()
        return out
    if isinstance(v, SigmaNull):
        return {"null": True}
    if isinstance(v, SigmaExists):
        return {"exists": v.exists}
    if isinstance(v, SigmaRegularExpression):
        flags = sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in v.flags)
        return {"re": str(v.regexp), "flags": "".join(flags)}
    if isinstance(v, SigmaCIDRExpression):
        return {"cidr": f"{v.network.network_address.packed.hex()}/{v.network.prefixlen}"}
    if isinstance(v, SigmaFieldReference):
        return {"ref": v.field, "starts": v.starts_with, "ends": v.ends_with}
    raise NotImplementedError(f"value {type(v)}")


def comparison(field, v):
    if isinstance(v, SigmaExpansion):
        return {"or": [comparison(field, one) for one in v.values]}
    return {"field": field, "value": value(v, field is None)}


def tree(c):
    if c is None:
        return None
    if isinstance(c, ConditionAND):
        return {"and": [tree(a) for a in c.args]}
    if isinstance(c, ConditionOR):
        return {"or": [tree(a) for a in c.args]}
    if isinstance(c, ConditionNOT):
        return {"not": tree(c.args[0])}
    if isinstance(c, ConditionFieldEqualsValueExpression):
        return comparison(c.field, c.value)
    if isinstance(c, ConditionValueExpression):
        return comparison(None, c.value)
    raise NotImplementedError(f"condition {type(c)}")


FRAMES = {"SigmaContainsModifier", "SigmaStartswithModifier", "SigmaEndswithModifier"}


def mark(v, framed):
    if isinstance(v, SigmaExpansion):
        for one in v.values:
            mark(one, framed)
    elif isinstance(v, SigmaString):
        v.framed = framed


def mark_frames(detection):
    """Notes on the values whether their item says where they stand: the condition's tree does not tell."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            mark_frames(item)
            continue
        framed = any(m.__name__ in FRAMES for m in item.modifiers)
        for v in item.value:
            mark(v, framed)


def detection_of(rule, loader):
    try:
        return repr(yaml.load(rule, loader)["detection"])
    except Exception as e:
        return f"no detection: {type(e)}"


def read(request):
    rule = SigmaRule.from_dict(yaml.load(request["rule"], Loader12))
    if request.get("placeholders"):
        pipeline = ProcessingPipeline([ProcessingItem(ValueListPlaceholderTransformation())], vars=request["placeholders"])
        pipeline.apply(rule)
    for detection in rule.detection.detections.values():
        mark_frames(detection)
    trees = [tree(c.parsed) for c in rule.detection.parsed_condition]
    return trees[0] if len(trees) == 1 else {"or": trees}  # specification, "Condition": a list is OR


def answer(request):
    out = {"accepted": False, "error": "", "crash": False, "tree": None}
    out["yaml11"] = detection_of(request["rule"], Loader12) != detection_of(request["rule"], SigmaYAMLLoader)
    try:
        out["tree"] = read(request)
        out["accepted"] = True
    except (SigmaError, yaml.YAMLError) as e:
        out["error"] = f"{type(e).__name__}: {e}"
    except NotImplementedError:  # ours: the test knows less than pySigma
        raise
    except Exception as e:
        out["error"], out["crash"] = f"{type(e).__name__}: {e}", True
    return out


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
