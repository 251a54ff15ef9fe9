"""Exclusive C14N by libxml2, the oracle of c14n.json.

Reads a JSON list of {"in", "prefixes", "comments"} and writes it back with "want" added: the canonical
form of the element whose Id, ID, xml:id or wsu:Id is "x".

    python3 c14n_oracle.py < cases.json > c14n.json
"""
import ctypes as c
import json
import sys

x = c.CDLL("libxml2.so.2")
for f, result, args in [
    ("xmlReadMemory", c.c_void_p, [c.c_char_p, c.c_int, c.c_char_p, c.c_char_p, c.c_int]),
    ("xmlXPathNewContext", c.c_void_p, [c.c_void_p]),
    ("xmlXPathEvalExpression", c.c_void_p, [c.c_char_p, c.c_void_p]),
    ("xmlC14NDocDumpMemory", c.c_int, [c.c_void_p, c.c_void_p, c.c_int, c.POINTER(c.c_char_p), c.c_int, c.POINTER(c.c_void_p)]),
    ("xmlXPathFreeObject", None, [c.c_void_p]),
    ("xmlXPathFreeContext", None, [c.c_void_p]),
    ("xmlFreeDoc", None, [c.c_void_p]),
]:
    getattr(x, f).restype, getattr(x, f).argtypes = result, args

APEX = "ancestor-or-self::*[@*[(local-name()='Id' or local-name()='ID' or local-name()='id') and .='x']]"
SUBTREE = f"(//. | //@* | //namespace::*)[{APEX}]".encode()


class XPathObject(c.Structure):
    _fields_ = [("type", c.c_int), ("nodeset", c.c_void_p)]


def c14n(text, prefixes, comments):
    b = text.encode()
    doc = x.xmlReadMemory(b, len(b), None, None, 0)
    assert doc, text
    ctx = x.xmlXPathNewContext(doc)
    found = x.xmlXPathEvalExpression(SUBTREE, ctx)
    nodes = c.cast(found, c.POINTER(XPathObject)).contents.nodeset
    names = (c.c_char_p * (len(prefixes) + 1))(*[p.encode() for p in prefixes], None)
    out = c.c_void_p()
    n = x.xmlC14NDocDumpMemory(doc, nodes, 1, names, int(comments), c.byref(out))
    assert n >= 0, text
    want = c.string_at(out, n).decode()
    x.xmlXPathFreeObject(found)
    x.xmlXPathFreeContext(ctx)
    x.xmlFreeDoc(doc)
    return want


cases = json.load(sys.stdin)
for case in cases:
    case["want"] = c14n(case["in"], case.get("prefixes") or [], case.get("comments", False))
json.dump(cases, sys.stdout, indent="\t", ensure_ascii=True)
sys.stdout.write("\n")
