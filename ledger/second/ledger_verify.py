#!/usr/bin/env python3
"""A second implementation of the Collimate ledger, first written from ledger-spec alone.

It replays the vectors of ledger-spec 11 and prints every difference:

    python3 ledger_verify.py DIRECTORY

It is made to be read beside the specification, not to be fast. The numbers in
the docstrings are the sections of ledger-spec. It needs Python 3.11 and the
package `cryptography`.
"""

import hashlib
import hmac
import json
import pathlib
import re
import sys
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ZERO = bytes(32)
SECOND = 10**9
DAY = 86400 * SECOND

MAX_TX_BYTES = 65536
MAX_GRANTS = 4096
MAX_CLEARED = 256
MAX_DUE = 1024
MAX_PAYERS = 64
MAX_UNITS = 2**40
MAX_GRANT_LIFE = 732 * 86400
MAX_CHANGE_BLOCKS = 1000000
MAX_OPENINGS = 4096

LIVE, HELD, WITHDRAWN = 0, 1, 2
GROUP_KIND = 6
DUE_UNBOND, DUE_RECOVERY = 1, 2


class Refused(Exception):
    """Something is refused; the code is one of 8.6 and 9."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def require(condition, code):
    """Refuse with the code unless the condition holds."""
    if not condition:
        raise Refused(code)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- Deterministic CBOR: 3.2, 10 ---------------------------------------------

class Tagged(SimpleNamespace):
    """A tagged value: number, value."""


class Record(SimpleNamespace):
    """A map with the keys 1, 2, ...: the attributes in their order."""


class Row(SimpleNamespace):
    """A list of fixed length: the attributes in their order."""


MAX_DEPTH, MAX_PAIRS, MAX_ELEMENTS = 6, 16, 256


class Reader:
    """Reads one item of CBOR and refuses what 3.2 and 10 refuse."""

    def __init__(self, data, max_elements=MAX_ELEMENTS):
        self.data = data
        self.at = 0
        self.max_elements = max_elements

    def take(self, count):
        require(count <= len(self.data) - self.at, "malformed")
        self.at += count
        return self.data[self.at - count:self.at]

    def head(self):
        """Read major type, the five further bits and the number they give."""
        first = self.take(1)[0]
        major, extra = first >> 5, first & 31
        if extra < 24:
            return major, extra, extra
        require(extra < 28, "malformed")        # indefinite or reserved
        size = 1 << (extra - 24)
        number = int.from_bytes(self.take(size), "big")
        if major != 7:
            least = 24 if size == 1 else 1 << (4 * size)
            require(number >= least, "not-canonical")
        return major, extra, number

    def item(self, depth=1):
        major, extra, number = self.head()
        if major == 0:
            return number
        if major == 1:
            require(number < 2**63, "malformed")
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            try:
                return self.take(number).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("malformed") from None
        if major == 7:
            require(extra in (20, 21, 22), "malformed")
            return {20: False, 21: True, 22: None}[extra]
        require(depth <= MAX_DEPTH, "malformed")
        if major == 4:
            require(number <= self.max_elements, "malformed")
            return [self.item(depth + 1) for _ in range(number)]
        if major == 6:
            return Tagged(number=number, value=self.item(depth + 1))
        require(number <= MAX_PAIRS, "malformed")
        result, before = {}, b""
        for _ in range(number):
            start = self.at
            key = self.item(depth + 1)
            encoded = self.data[start:self.at]
            require(type(key) in (int, str), "malformed")
            require(encoded != before, "malformed")
            require(encoded > before, "not-canonical")
            result[key] = self.item(depth + 1)
            before = encoded
        return result


def decode(data, max_elements=MAX_ELEMENTS):
    """Decode exactly one item in core deterministic encoding (3.2)."""
    reader = Reader(data, max_elements)
    item = reader.item()
    require(reader.at == len(data), "malformed")
    return item


def cbor_head(major, number):
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << (8 * size):
            return bytes([major << 5 | extra]) + number.to_bytes(size, "big")
    raise ValueError("beyond 64 bits")


def encode(value):
    """Encode in core deterministic encoding (3.2)."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode("utf-8")
        return cbor_head(3, len(data)) + data
    if isinstance(value, Tagged):
        return cbor_head(6, value.number) + encode(value.value)
    if isinstance(value, Row):
        value = list(vars(value).values())
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, Record):
        value = dict(enumerate(vars(value).values(), 1))
    pairs = sorted((encode(k), encode(v)) for k, v in value.items())
    return cbor_head(5, len(pairs)) + b"".join(k + v for k, v in pairs)


# --- Types of the CDDL: each takes what was decoded and gives the value, or refuses

def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def uint(value):
    require(is_int(value) and 0 <= value < 2**64, "malformed")
    return value


def sint(value):
    require(is_int(value) and -2**63 <= value < 2**63, "malformed")
    return value


def within(low, high):
    def check(value):
        require(is_int(value), "malformed")
        require(low <= value <= high, "out-of-bounds")
        return value
    return check


def flag(value):
    require(isinstance(value, bool), "malformed")
    return value


def text(value):
    require(isinstance(value, str), "malformed")
    return value


def fixed(size):
    """A byte string of one length; another length is another structure."""
    def check(value):
        require(isinstance(value, bytes), "malformed")
        require(len(value) == size, "not-canonical")
        return value
    return check


def blob(low, high):
    def check(value):
        require(isinstance(value, bytes), "malformed")
        require(low <= len(value) <= high, "out-of-bounds")
        return value
    return check


def optional(kind):
    return lambda value: None if value is None else kind(value)


def list_of(kind, low, high):
    def check(value):
        require(isinstance(value, list), "malformed")
        require(low <= len(value) <= high, "out-of-bounds")
        return [kind(element) for element in value]
    return check


def record(**fields):
    def check(value):
        require(isinstance(value, dict), "malformed")
        require(list(value) == list(range(1, len(fields) + 1)), "malformed")
        return Record(**{name: kind(value[number])
                         for number, (name, kind) in enumerate(fields.items(), 1)})
    return check


def row(**fields):
    def check(value):
        require(isinstance(value, list) and len(value) == len(fields), "malformed")
        return Row(**{name: kind(element)
                      for (name, kind), element in zip(fields.items(), value)})
    return check


name32 = fixed(32)          # key-id, study-id, commitment, hash


# --- Names: 2 ----------------------------------------------------------------

P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = {0, 1, P25519 - 1} | {
    int.from_bytes(bytes.fromhex(y), "little") for y in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}

# Curve: algorithm (3.4), hash, bytes of r and of s, order.
CURVES = {
    "secp256r1": (-7, hashes.SHA256(), 32, int(
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)),
    "secp384r1": (-35, hashes.SHA384(), 48, int(
        "ffffffffffffffffffffffffffffffffffffffffffffffff"
        "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)),
}


def is_chain_id(value):
    """2.1"""
    return re.fullmatch(r"[A-Za-z0-9._-]{1,50}", value) is not None


def is_ed25519_key(public):
    """2.2: a bare Ed25519 key of 32 bytes."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return y < P25519 and y not in SMALL_ORDER


def load_key(spki):
    """2.2: the public key of a SubjectPublicKeyInfo."""
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("unsupported-key") from None
    if isinstance(key, ec.EllipticCurvePublicKey):
        require(key.curve.name in CURVES, "unsupported-key")
        require(spki.endswith(key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)),
            "unsupported-key")
    elif isinstance(key, rsa.RSAPublicKey):
        require(2048 <= key.key_size <= 8192, "unsupported-key")
        numbers = key.public_numbers()
        require(numbers.n % 2 == 1 and numbers.e % 2 == 1, "unsupported-key")
        require(3 <= numbers.e < 2**31, "unsupported-key")
    else:
        require(isinstance(key, ed25519.Ed25519PublicKey), "unsupported-key")
        require(is_ed25519_key(spki[-32:]), "unsupported-key")
    again = key.public_bytes(serialization.Encoding.DER,
                             serialization.PublicFormat.SubjectPublicKeyInfo)
    require(again == spki, "unsupported-key")
    return key


def alias(name):
    """2.2: the OID of a 32-byte name."""
    number = bytearray(name[:16])
    number[6] = number[6] & 0x0f | 0x80
    number[8] = number[8] & 0x3f | 0x80
    return "2.25.%d" % int.from_bytes(number, "big")


def is_alias(oid):
    """Has the OID the form of an alias (2.2)?"""
    match = re.fullmatch(r"2\.25\.([0-9]+)", oid)
    if not match or int(match[1]) >= 2**128:
        return False
    number = int(match[1]).to_bytes(16, "big")
    return number[6] >> 4 == 8 and number[8] >> 6 == 2


def study_id(salt, uid):
    """2.3"""
    return hmac.digest(salt, b"collimate/study/v1\0" + uid.encode("ascii"), "sha256")


def group_id(nonce, source, owner):
    """2.3"""
    return nonce + sha256(b"collimate/group-id/v1\0", nonce, source, owner)[:24]


def commitment_of(tag, blind, name, study):
    """2.4: tag is grantee, group or guardian; name a KeyID or a group.

    Of a reason, name is the text and study nothing.
    """
    return sha256(b"collimate/%s/v1\0" % tag, blind, name, study)


def document_id(study, kind):
    """2.5"""
    return alias(sha256(b"collimate/document/v1\0", study, kind.encode("utf-8")))


# --- Signatures: 3.4, 3.5 ----------------------------------------------------

def algorithm_of(key):
    """3.4"""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return CURVES[key.curve.name][0]
    return -37 if isinstance(key, rsa.RSAPublicKey) else -8


def check_signature_form(key, signature):
    """3.5: what can be seen without the message."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        _, _, size, order = CURVES[key.curve.name]
        require(len(signature) == 2 * size, "bad-signature")
        require(0 < int.from_bytes(signature[:size], "big") < order, "bad-signature")
        require(0 < int.from_bytes(signature[size:], "big") <= order // 2, "bad-signature")
    elif isinstance(key, rsa.RSAPublicKey):
        modulus = key.public_numbers().n
        require(len(signature) == (modulus.bit_length() + 7) // 8, "bad-signature")
        require(int.from_bytes(signature, "big") < modulus, "bad-signature")
    else:
        require(len(signature) == 64, "bad-signature")
        require(int.from_bytes(signature[32:], "little") < L25519, "bad-signature")


def is_signature(key, message, signature):
    """3.4, 3.5: form and signature."""
    try:
        check_signature_form(key, signature)
        if isinstance(key, ec.EllipticCurvePublicKey):
            _, digest, size, _ = CURVES[key.curve.name]
            numbers = encode_dss_signature(int.from_bytes(signature[:size], "big"),
                                           int.from_bytes(signature[size:], "big"))
            key.verify(numbers, message, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.verify(signature, message, pss, hashes.SHA256())
        else:
            key.verify(signature, message)
    except (InvalidSignature, Refused):
        return False
    return True


def is_ed25519_signature(public, message, signature):
    """3.5, by a bare Ed25519 key of 32 bytes."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    return is_signature(key, message, signature)


# --- Bodies: 5, and the rules that the bytes alone decide ---------------------

ENDPOINTS = record(documents=text, openings=text, images=text)

PARAMS = record(
    writes_per_unit=within(1, 1000000), saved_days=within(1, 366),
    writes_per_study=within(1, 1000000), saved_writes=within(2, 10000),
    writes_per_payer=within(1, 1000000), unbonding_time=within(1, 315360000),
    earlier_time=within(1, 31536000), recovery_time=within(1, 31536000),
    emergency_time=within(1, 604800), change_blocks=within(1, 1000000),
    absence_time=within(1, 3600), absence_window=within(60, 31536000),
    absences_tolerated=within(1, 1000000), jail_time=within(1, 31536000),
    absence_forfeit=within(0, 1000), emergencies_per_member=within(1, 1000000))

DEFAULT_PARAMS = PARAMS(dict(enumerate(
    (10, 21, 24, 64, 1000, 1814400, 604800, 259200, 86400, 100, 10, 86400, 4320,
     3600, 10, 8), 1)))

PAYERS = list_of(row(payer=name32, units=uint), 0, MAX_PAYERS)

BOND = record(source=name32, units=uint, sequence=uint)

BODIES = {
    "define-source": record(
        endpoints=ENDPOINTS, oids=list_of(text, 0, 16), validator=name32,
        proof=fixed(64), peer=text, groups=list_of(name32, 0, 16)),
    "update-source": record(
        version=uint, endpoints=ENDPOINTS, peer=text, groups=list_of(name32, 0, 16)),
    "rotate-key": record(
        version=uint, key=blob(1, 1100), proof=blob(1, 1024), compromised=flag),
    "bond": BOND,
    "unbond": BOND,
    "set-params": record(
        version=uint, params=PARAMS, payers=PAYERS, height=uint, sequence=uint),
    "unjail": record(jailed=uint),
    "anchor-receipts": record(start=sint, end=sint, number=uint, root=name32),
    "define-study": record(
        studies=list_of(row(study=name32, owner=name32, kind=within(1, 255)), 1, 256)),
    "amend-study": record(study=name32, revision=uint),
    "hold-study": record(study=name32, revision=uint, held=flag),
    "withdraw-study": record(study=name32, revision=uint),
    "transfer-study": record(study=name32, epoch=uint, owner=name32),
    "allow-access": record(
        study=name32, epoch=uint, commitment=name32, not_after=sint,
        scope=within(1, 7), tier=within(0, 3)),
    "revoke-access": record(study=name32, epoch=uint, commitment=name32, all=flag),
    "set-guardians": record(
        study=name32, epoch=uint, round=uint, needed=uint,
        guardians=list_of(name32, 0, 8), delay=uint),
    "recover": record(
        study=name32, owner_epoch=uint, round=uint, owner=name32, blind=name32,
        attempt=within(1, 16)),
    "cancel-recovery": record(study=name32, epoch=uint, round=uint),
    "emergency-access": record(
        study=name32, group=name32, blind=name32, reason=name32, not_after=sint),
}

HOST = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
PORT = r"([1-9][0-9]{0,4})"
PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
URL = re.compile(rf"https://{HOST}(?::{PORT})?(?:/(?:{PCHAR}|/)*)?(?:\?(?:{PCHAR}|[/?])*)?")
PEER = re.compile(rf"[1-9A-HJ-NP-Za-km-z]{{1,64}}@{HOST}:{PORT}")
OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")


def is_url(value):
    """5.1: the grammar of URLs."""
    match = URL.fullmatch(value)
    return bool(match) and len(value) <= 512 and int(match[1] or 1) <= 65535


def is_peer(value):
    """5.1: the grammar of libp2p peers."""
    match = PEER.fullmatch(value)
    return bool(match) and len(value) <= 320 and int(match[1]) <= 65535


def is_oid(value):
    """5.1: the grammar of OIDs."""
    if len(value) > 64 or not OID.fullmatch(value):
        return False
    first, second = value.split(".")[:2]
    return (first == "2" or int(second) < 40) and not is_alias(value)


def ascending(values):
    return all(a < b for a, b in zip(values, values[1:]))


def endpoints_are_good(body):
    """5.1, as far as 5.2 shares it: endpoints, peer, groups."""
    urls = body.endpoints
    return (is_url(urls.documents)
            and (urls.openings == "" or is_url(urls.openings))
            and (urls.images == "" or is_url(urls.images))
            and (body.peer == "" or is_peer(body.peer))
            and ascending(body.groups))


def guardians_are_good(body):
    """5.16"""
    if not body.guardians:
        return body.needed == 0 and body.delay == 0
    return (ascending(body.guardians) and ZERO not in body.guardians
            and 1 <= body.needed <= len(body.guardians) and body.delay <= 31622400)


def body_is_good(kind, body):
    """The rules of form of 5 beyond the types."""
    if kind == "define-source":
        oids = [oid.encode("utf-8") for oid in body.oids]
        return (endpoints_are_good(body) and ascending(oids)
                and all(map(is_oid, body.oids)))
    if kind == "update-source":
        return endpoints_are_good(body)
    if kind in ("bond", "unbond"):
        return body.source != ZERO and 1 <= body.units <= MAX_UNITS
    if kind == "set-params":
        keys = [entry.payer for entry in body.payers]
        return (ascending(keys) and ZERO not in keys
                and all(entry.units <= MAX_UNITS for entry in body.payers))
    if kind == "anchor-receipts":
        return 0 < body.start < body.end
    if kind == "define-study":
        return (ascending([entry.study for entry in body.studies])
                and all(entry.owner != ZERO for entry in body.studies))
    if kind in ("transfer-study", "recover"):
        return body.owner != ZERO
    if kind == "allow-access":
        return body.commitment != ZERO and body.not_after > 0
    if kind == "emergency-access":
        return body.not_after > 0
    if kind == "revoke-access":
        return body.all == (body.commitment == ZERO)
    if kind == "set-guardians":
        return guardians_are_good(body)
    return True


# --- Transactions: 3 ---------------------------------------------------------

def sig_structure(protected, chain_id, payload):
    """3.3"""
    aad = b"collimate/tx/v1\0" + chain_id.encode("ascii")
    return encode(["Signature1", protected, aad, payload])


def parse_transaction(raw, chain_id):
    """3, 9.1: everything that needs no state."""
    require(len(raw) <= MAX_TX_BYTES, "too-large")
    message = decode(raw)
    require(isinstance(message, Tagged) and message.number == 18, "malformed")
    message = row(protected=blob(0, MAX_TX_BYTES), unprotected=record(),
                  payload=blob(0, MAX_TX_BYTES), signature=blob(1, 1024))(message.value)

    payload = row(kind=text, body=lambda value: value)(decode(message.payload))
    require(payload.kind in BODIES, "unknown-kind")
    body = BODIES[payload.kind](payload.body)
    require(body_is_good(payload.kind, body), "out-of-bounds")
    if payload.kind == "define-source":
        require(is_ed25519_key(body.validator), "unsupported-key")
    if payload.kind == "rotate-key":
        check_signature_form(load_key(body.key), body.proof)
    require(is_chain_id(chain_id), "out-of-bounds")

    header = decode(message.protected)
    require(isinstance(header, dict) and set(header) == {1, -65537}, "malformed")
    algorithm = sint(header[1])
    spki = blob(1, 1100)(header[-65537])
    key = load_key(spki)
    require(algorithm == algorithm_of(key), "unsupported-key")
    check_signature_form(key, message.signature)
    signed = sig_structure(message.protected, chain_id, message.payload)
    require(is_signature(key, signed, message.signature), "bad-signature")
    return SimpleNamespace(kind=payload.kind, body=body, signer=sha256(spki),
                           payload=message.payload, signed=signed, tx_id=sha256(raw))


def sign_transaction(private, chain_id, payload):
    """3.1, 3.3: a transaction signed with an Ed25519 key."""
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    protected = encode({1: -8, -65537: spki})
    signature = private.sign(sig_structure(protected, chain_id, payload))
    return encode(Tagged(number=18, value=[protected, {}, payload, signature]))


# --- State: 4 ----------------------------------------------------------------

GENESIS_KEY = b"\x01genesis"
HEAD_KEY = b"\x01head"
PARAMS_KEY = b"\x01params"
NEXT_KEY = b"\x01next"

GENESIS = record(chain_id=text, time=sint, validators=uint, payers=uint)
PARAMS_RECORD = record(version=uint, params=PARAMS)
NEXT = record(version=uint, params=PARAMS, payers=PAYERS, height=uint)

# First byte of the key: the record that stands there (4.1).
VALIDATOR, SOURCE, OID_OF, STUDY, GRANT, ROTATED, PAYER, BOND_OF, STAKE, DUE, VOTE, \
    GUARDIANS, RECOVERY, EMERGENCY, RECEIPTS, MEMBER = (bytes([n]) for n in range(2, 18))

RECORDS = {
    VALIDATOR: record(source=name32, window=uint, absences=uint),
    SOURCE: record(
        version=uint, endpoints=ENDPOINTS, oids=list_of(text, 0, 16), validator=name32,
        peer=text, groups=list_of(name32, 0, 16), key=name32, earlier_endpoints=ENDPOINTS,
        earlier_key=name32, earlier_until=sint, defined=uint, changed=uint, studies=uint,
        paid_until=sint, receipts_until=sint),
    OID_OF: name32,
    STUDY: record(
        source=name32, owner=name32, kind=uint, status=within(0, 2), revision=uint,
        epoch=uint, owner_epoch=uint, grants=uint, earlier_grants=uint, defined=uint,
        epoch_height=uint, revision_height=uint, paid_until=sint),
    GRANT: record(epoch=uint, not_after=sint, granted=uint, revoked=uint, scope=uint,
                  tier=uint),
    ROTATED: name32,
    PAYER: record(units=uint, bonded=uint, forfeited=uint, sequence=uint, paid_until=sint),
    BOND_OF: record(units=uint, unbonding=uint, free=sint),
    STAKE: record(units=uint, forfeited=uint, jailed_until=sint, jailed=uint, expelled=flag),
    DUE: record(),
    VOTE: record(version=uint, proposal=name32),
    GUARDIANS: record(owner_epoch=uint, round=uint, needed=uint,
                      guardians=list_of(name32, 0, 8), delay=uint),
    RECOVERY: record(
        round=uint,
        entries=list_of(row(guardian=name32, attempt=uint, owner=name32), 0, 8),
        owner=name32, when=sint),
    EMERGENCY: record(group=name32, commitment=name32, reason=name32, height=uint,
                      not_after=sint),
    RECEIPTS: record(start=sint, number=uint, root=name32, height=uint),
    MEMBER: record(paid_until=sint),
}


def is_genesis(chain_id, time, validators, payers):
    """4.2, but for the params, which their type checks."""
    keys = [payer for payer, _ in payers]
    return (is_chain_id(chain_id) and 0 <= time <= 2**62
            and 1 <= len(validators) <= 256 and len(set(validators)) == len(validators)
            and all(map(is_ed25519_key, validators))
            and 1 <= len(payers) <= MAX_PAYERS and len(set(keys)) == len(keys)
            and ZERO not in keys
            and all(1 <= units <= MAX_UNITS for _, units in payers))


class Ledger:
    """The state, and what changes it."""

    def __init__(self):
        self.records = {}
        self.height = 0         # h
        self.time = 0           # chain time in nanoseconds
        self.seconds = 0        # t, rounded down

    # Access to the records.

    def get(self, prefix, *name):
        """The record under a key of 4.1, or None."""
        value = self.records.get(prefix + b"".join(name))
        return None if value is None else RECORDS[prefix](decode(value))

    def put(self, value, prefix, *name):
        self.records[prefix + b"".join(name)] = encode(value)

    def delete(self, prefix, *name):
        self.records.pop(prefix + b"".join(name), None)

    def keys(self, prefix, *name):
        """The keys that begin so, in bytewise order."""
        start = prefix + b"".join(name)
        return sorted(key for key in self.records if key.startswith(start))

    def one(self, key, kind):
        """One of the records under 0x01, or None."""
        value = self.records.get(key)
        return None if value is None else kind(decode(value))

    @property
    def chain_id(self):
        genesis = self.one(GENESIS_KEY, GENESIS)
        require(genesis, "no-genesis")
        return genesis.chain_id

    @property
    def params(self):
        return self.one(PARAMS_KEY, PARAMS_RECORD).params

    def app_hash(self):
        """7"""
        return tree_hash(leaves_of(self.records))

    # Genesis: 4.2.

    def begin(self, chain_id, time, validators, payers, params):
        """4.2: params are a map, or None for the default."""
        try:
            params = DEFAULT_PARAMS if params is None else PARAMS(params)
        except Refused:
            raise Refused("bad-genesis") from None
        require(is_genesis(chain_id, time, validators, payers), "bad-genesis")
        state = Ledger()
        state.records[GENESIS_KEY] = encode(Record(
            chain_id=chain_id, time=time, validators=len(validators), payers=len(payers)))
        state.records[PARAMS_KEY] = encode(Record(version=1, params=params))
        for key in validators:
            state.put(Record(source=ZERO, window=0, absences=0), VALIDATOR, key)
        for payer, units in payers:
            state.put(Record(units=units, bonded=0, forfeited=0, sequence=0, paid_until=0),
                      PAYER, payer)
        if self.records:
            require(self.records == state.records, "genesis-differs")
        self.records = state.records
        self.time = time

    # Blocks: 5.0.3.

    def block(self, height, time, equivocated, absent, transactions):
        """Make a block; gives the code of each transaction, empty if it is accepted."""
        chain_id = self.chain_id
        time_before = self.time
        self.height, self.time, self.seconds = height, time, time // SECOND
        self.change_params()
        self.do_what_is_due()
        for validator in sorted(equivocated):
            self.expel(validator)
        step = self.params.absence_time * SECOND
        if time // step != time_before // step:
            for validator in sorted(absent):
                self.count_absence(validator)
        results = []
        for raw in transactions:
            try:
                self.apply(parse_transaction(raw, chain_id))
                results.append("")
            except Refused as refused:
                results.append(refused.code)
        return results

    def change_params(self):
        """5.0.3, 1"""
        change = self.one(NEXT_KEY, NEXT)
        if change is None or change.height > self.height:
            return
        self.records[PARAMS_KEY] = encode(
            Record(version=change.version, params=change.params))
        for entry in change.payers:
            payer = self.get(PAYER, entry.payer) or Record(
                units=0, bonded=0, forfeited=0, sequence=0, paid_until=0)
            payer.units = entry.units
            self.put(payer, PAYER, entry.payer)
        del self.records[NEXT_KEY]

    def do_what_is_due(self):
        """5.0.3, 2"""
        for kind in (DUE_UNBOND, DUE_RECOVERY):
            for key in self.keys(DUE, bytes([kind]))[:MAX_DUE]:
                time = int.from_bytes(key[2:10], "big")
                if time > self.seconds:
                    break
                if kind == DUE_UNBOND:
                    self.free_bond(time, key[10:42], key[42:])
                else:
                    self.finish_recovery(time, key[10:])
                self.delete(key)

    def free_bond(self, time, source, payer_id):
        """5.0.3, 2, kind 1"""
        bond = self.get(BOND_OF, source, payer_id)
        if bond is None or bond.free != time:
            return
        payer = self.get(PAYER, payer_id)
        payer.bonded -= bond.unbonding
        bond.unbonding = bond.free = 0
        self.put(payer, PAYER, payer_id)
        self.put_bond(bond, source, payer_id)

    def finish_recovery(self, time, study_id_):
        """5.0.3, 2, kind 2"""
        study = self.get(STUDY, study_id_)
        recovery = self.recovery(study_id_, study)
        if recovery is not None and recovery.when == time:
            self.change_owner(study_id_, study, recovery.owner)

    def expel(self, validator):
        """5.0.3, 3"""
        record_ = self.get(VALIDATOR, validator)
        if record_ is None or record_.source == ZERO:
            return
        if self.get(STAKE, record_.source).expelled:
            return
        self.forfeit(record_.source, 1000)
        stake = self.get(STAKE, record_.source)
        stake.expelled = True
        self.put(stake, STAKE, record_.source)

    def count_absence(self, validator):
        """5.0.3, 4"""
        record_ = self.get(VALIDATOR, validator)
        if record_ is None:
            return
        params = self.params
        window = self.seconds // params.absence_window
        if record_.window != window:
            record_.window, record_.absences = window, 1
        else:
            record_.absences += 1
        if record_.absences > params.absences_tolerated:
            record_.absences = 0
            self.jail(record_.source)
        self.put(record_, VALIDATOR, validator)

    def jail(self, source):
        """5.0.3, 4"""
        stake = self.get(STAKE, source)
        if source == ZERO or stake.jailed_until != 0 or stake.expelled:
            return
        stake.jailed_until = self.seconds + self.params.jail_time
        stake.jailed += 1
        self.put(stake, STAKE, source)
        self.forfeit(source, self.params.absence_forfeit)

    def forfeit(self, source, thousandths):
        """4.4, 5.0.3: a part of each bond of the source, rounded up."""
        stake = self.get(STAKE, source)
        for key in self.keys(BOND_OF, source):
            payer_id = key[33:]
            bond = self.get(BOND_OF, source, payer_id)
            payer = self.get(PAYER, payer_id)
            of_units = -(-bond.units * thousandths // 1000)
            of_unbonding = -(-bond.unbonding * thousandths // 1000)
            bond.units -= of_units
            bond.unbonding -= of_unbonding
            if bond.unbonding == 0:
                self.delete_due(bond.free, DUE_UNBOND, source + payer_id)
                bond.free = 0
            lost = of_units + of_unbonding
            payer.units = max(0, payer.units - lost)
            payer.bonded -= lost
            payer.forfeited += lost
            stake.units -= of_units
            stake.forfeited += lost
            self.put_bond(bond, source, payer_id)
            self.put(payer, PAYER, payer_id)
        self.put(stake, STAKE, source)

    def put_bond(self, bond, source, payer_id):
        """4.4: an empty bond is deleted."""
        if bond.units == 0 and bond.unbonding == 0:
            self.delete(BOND_OF, source, payer_id)
        else:
            self.put(bond, BOND_OF, source, payer_id)

    # What is common to transactions: 5.0.1, 5.0.2.

    def source_signs(self, signer):
        """4.1, 5.0.1: name and record of the source of the signer's key."""
        name = signer
        if self.get(SOURCE, name) is None:
            name = self.get(ROTATED, signer)
        source = None if name is None else self.get(SOURCE, name)
        require(source is not None and source.key == signer, "unknown-source")
        return name, source

    def payer_signs(self, signer, body):
        """5.0.1"""
        payer = self.get(PAYER, signer)
        require(payer, "not-payer")
        require(body.sequence == payer.sequence + 1, "wrong-sequence")
        return payer

    def owner_signs(self, signer, body, only_takes=False):
        """5.0.1"""
        study = self.get(STUDY, body.study)
        require(study, "unknown-study")
        require(study.owner == signer, "not-owner")
        require(study.epoch == body.epoch, "wrong-epoch")
        require(only_takes or study.status != WITHDRAWN, "withdrawn")
        return study

    def source_of_study_signs(self, signer, body):
        """5.0.1"""
        name, source = self.source_signs(signer)
        study = self.get(STUDY, body.study)
        require(study, "unknown-study")
        require(study.source == name, "other-source")
        require(study.revision == body.revision, "wrong-revision")
        require(study.status != WITHDRAWN, "withdrawn")
        return name, source, study

    def spend(self, holder, cost, interval, depth):
        """5.0.2"""
        paid_until = max(self.time, holder.paid_until) + cost * interval
        require(paid_until <= self.time + depth, "no-allowance")
        holder.paid_until = paid_until

    def spend_of_source(self, name, source, cost):
        """5.0.2"""
        units = self.get(STAKE, name).units
        require(units > 0, "no-allowance")
        interval = max(1, DAY // (units * self.params.writes_per_unit))
        depth = min(self.params.saved_days * DAY, self.params.unbonding_time * SECOND)
        self.spend(source, cost, interval, depth)

    def spend_of_study(self, study, by_others=False):
        """5.0.2; 5.17: others than the owner have half the depth."""
        interval = DAY // self.params.writes_per_study
        depth = self.params.saved_writes * interval
        self.spend(study, 1, interval, depth // 2 if by_others else depth)

    def spend_of_member(self, member):
        """5.0.2"""
        interval = DAY // self.params.emergencies_per_member
        self.spend(member, 1, interval, self.params.emergencies_per_member * interval)

    def spend_of_payer(self, signer, payer):
        """5.0.1, 5.0.2: allowance and sequence; writes the record."""
        interval = DAY // self.params.writes_per_payer
        self.spend(payer, 1, interval, self.params.writes_per_payer * interval)
        payer.sequence += 1
        self.put(payer, PAYER, signer)

    def apply(self, tx):
        """5: refuse the transaction, or do what it says."""
        method = getattr(self, tx.kind.replace("-", "_"))
        method(tx.signer, tx.body)

    # Sources: 5.1 to 5.3.

    def key_is_taken(self, key):
        return self.get(SOURCE, key) is not None or self.get(ROTATED, key) is not None

    def define_source(self, signer, body):
        """5.1"""
        require(not self.key_is_taken(signer), "key-taken")
        stake = self.get(STAKE, signer)
        require(stake and stake.units > 0, "no-bond")
        validator = self.get(VALIDATOR, body.validator) or Record(
            source=ZERO, window=0, absences=0)
        require(validator.source == ZERO, "validator-taken")
        proved = b"\0".join((b"collimate/validator-proof/v1",
                             self.chain_id.encode("ascii"), signer))
        require(is_ed25519_signature(body.validator, proved, body.proof), "bad-proof")
        oids = [oid.encode("ascii") for oid in [alias(signer)] + body.oids]
        require(all(self.get(OID_OF, oid) is None for oid in oids), "oid-taken")
        none = Record(documents="", openings="", images="")
        self.put(Record(
            version=1, endpoints=body.endpoints, oids=body.oids, validator=body.validator,
            peer=body.peer, groups=body.groups, key=signer, earlier_endpoints=none,
            earlier_key=ZERO, earlier_until=0, defined=self.height, changed=self.height,
            studies=0, paid_until=0, receipts_until=0), SOURCE, signer)
        validator.source = signer
        self.put(validator, VALIDATOR, body.validator)
        for oid in oids:
            self.put(signer, OID_OF, oid)

    def keep_earlier(self, source):
        """5.2: endpoints and key become the earlier ones."""
        source.version += 1
        source.earlier_endpoints = source.endpoints
        source.earlier_key = source.key
        source.earlier_until = self.seconds + self.params.earlier_time
        source.changed = self.height

    def update_source(self, signer, body):
        """5.2"""
        name, source = self.source_signs(signer)
        require(body.version == source.version + 1, "wrong-version")
        self.spend_of_source(name, source, 1)
        self.keep_earlier(source)
        source.endpoints, source.peer, source.groups = body.endpoints, body.peer, body.groups
        self.put(source, SOURCE, name)

    def rotate_key(self, signer, body):
        """5.3"""
        name, source = self.source_signs(signer)
        require(body.version == source.version + 1, "wrong-version")
        new_key = sha256(body.key)
        require(not self.key_is_taken(new_key), "key-taken")
        proved = b"\0".join((b"collimate/rotate-key/v1", self.chain_id.encode("ascii"),
                             name + body.version.to_bytes(8, "big")))
        require(is_signature(load_key(body.key), proved, body.proof), "bad-proof")
        self.spend_of_source(name, source, 1)
        self.keep_earlier(source)
        source.key = new_key
        if body.compromised:
            source.earlier_key = ZERO
        self.put(source, SOURCE, name)
        self.put(name, ROTATED, new_key)

    # Payers: 5.4 to 5.6.

    def bond(self, signer, body):
        """5.4"""
        payer = self.payer_signs(signer, body)
        require(body.units + payer.bonded <= payer.units, "over-limit")
        stake = self.get(STAKE, body.source) or Record(
            units=0, forfeited=0, jailed_until=0, jailed=0, expelled=False)
        require(not stake.expelled, "expelled")
        payer.bonded += body.units
        self.spend_of_payer(signer, payer)
        bond = self.get(BOND_OF, body.source, signer) or Record(units=0, unbonding=0, free=0)
        bond.units += body.units
        stake.units += body.units
        self.put(bond, BOND_OF, body.source, signer)
        self.put(stake, STAKE, body.source)

    def unbond(self, signer, body):
        """5.5"""
        payer = self.payer_signs(signer, body)
        bond = self.get(BOND_OF, body.source, signer)
        require(bond and bond.units >= body.units, "over-limit")
        self.spend_of_payer(signer, payer)
        bond.units -= body.units
        bond.unbonding += body.units
        self.delete_due(bond.free, DUE_UNBOND, body.source + signer)
        bond.free = self.seconds + self.params.unbonding_time
        stake = self.get(STAKE, body.source)
        stake.units -= body.units
        self.put(bond, BOND_OF, body.source, signer)
        self.put(stake, STAKE, body.source)
        self.put_due(bond.free, DUE_UNBOND, body.source + signer)

    def put_due(self, time, kind, reference):
        """4.1, 0x0b"""
        self.put(Record(), DUE, bytes([kind]), time.to_bytes(8, "big"), reference)

    def delete_due(self, time, kind, reference):
        """4.4, 4.8, 5.5: a time of 0 is none."""
        if time != 0:
            self.delete(DUE, bytes([kind]), time.to_bytes(8, "big"), reference)

    def set_params(self, signer, body):
        """5.6"""
        payer = self.payer_signs(signer, body)
        present = self.one(PARAMS_KEY, PARAMS_RECORD)
        require(body.version == present.version + 1, "wrong-version")
        require(NEXT_KEY not in self.records, "change-pending")
        earliest = self.height + present.params.change_blocks
        latest = self.height + MAX_CHANGE_BLOCKS
        require(earliest <= body.height <= latest, "bad-height")
        payers = {key[1:] for key in self.keys(PAYER)}
        payers |= {entry.payer for entry in body.payers}
        require(len(payers) <= MAX_PAYERS, "too-many-payers")
        self.spend_of_payer(signer, payer)
        proposal = [body.version, body.params, body.payers, body.height]
        vote = Record(version=body.version,
                      proposal=sha256(b"collimate/proposal/v1\0", encode(proposal)))
        self.put(vote, VOTE, signer)
        if self.is_decided(vote):
            self.records[NEXT_KEY] = encode(Record(
                version=body.version, params=body.params, payers=body.payers,
                height=body.height))
            for key in self.keys(VOTE):
                self.delete(key)

    def is_decided(self, vote):
        """5.6: more than two thirds of the units of all payers."""
        units_for = units_of_all = 0
        for key in self.keys(PAYER):
            units = self.get(PAYER, key[1:]).units
            units_of_all += units
            if self.get(VOTE, key[1:]) == vote:
                units_for += units
        return 3 * units_for > 2 * units_of_all

    # The source's: 5.7 to 5.12.

    def unjail(self, signer, body):
        """5.7"""
        name, _ = self.source_signs(signer)
        stake = self.get(STAKE, name)
        require(stake.jailed_until != 0 and body.jailed == stake.jailed, "not-jailed")
        require(not stake.expelled, "expelled")
        require(self.seconds >= stake.jailed_until, "still-jailed")
        stake.jailed_until = 0
        self.put(stake, STAKE, name)

    def anchor_receipts(self, signer, body):
        """5.8"""
        name, source = self.source_signs(signer)
        require(body.start >= source.receipts_until and body.end <= self.seconds,
                "bad-period")
        self.spend_of_source(name, source, 1)
        source.receipts_until = body.end
        self.put(source, SOURCE, name)
        self.put(Record(start=body.start, number=body.number, root=body.root,
                        height=self.height),
                 RECEIPTS, name, body.end.to_bytes(8, "big"))

    def define_study(self, signer, body):
        """5.9"""
        name, source = self.source_signs(signer)
        require(self.get(STAKE, name).jailed_until == 0, "jailed")
        for entry in body.studies:
            require(entry.kind != GROUP_KIND
                    or entry.study == group_id(entry.study[:8], name, entry.owner),
                    "bad-group")
        require(all(self.get(STUDY, entry.study) is None for entry in body.studies),
                "study-exists")
        self.spend_of_source(name, source, len(body.studies))
        source.studies += len(body.studies)
        self.put(source, SOURCE, name)
        for entry in body.studies:
            self.put(Record(
                source=name, owner=entry.owner, kind=entry.kind, status=LIVE, revision=0,
                epoch=0, owner_epoch=0, grants=0, earlier_grants=0, defined=self.height,
                epoch_height=self.height, revision_height=self.height, paid_until=0),
                STUDY, entry.study)

    def put_revision(self, body, study):
        """5.0.1"""
        study.revision += 1
        study.revision_height = self.height
        self.put(study, STUDY, body.study)

    def amend_study(self, signer, body):
        """5.10"""
        name, source, study = self.source_of_study_signs(signer, body)
        self.spend_of_source(name, source, 1)
        self.put(source, SOURCE, name)
        self.put_revision(body, study)

    def hold_study(self, signer, body):
        """5.11"""
        name, source, study = self.source_of_study_signs(signer, body)
        require((study.status == HELD) != body.held, "no-change")
        if not body.held:
            self.spend_of_source(name, source, 1)
            self.put(source, SOURCE, name)
        study.status = HELD if body.held else LIVE
        self.put_revision(body, study)

    def withdraw_study(self, signer, body):
        """5.12"""
        name, source, study = self.source_of_study_signs(signer, body)
        source.studies -= 1
        self.put(source, SOURCE, name)
        study.status = WITHDRAWN
        self.put_revision(body, study)

    # The owner's: 5.13 to 5.16, 5.18.

    def new_epoch(self, study):
        """5.13"""
        study.epoch += 1
        study.earlier_grants += study.grants
        study.grants = 0
        study.epoch_height = self.height

    def change_owner(self, study_id_, study, owner):
        """5.13: the effect."""
        self.new_epoch(study)
        study.owner = owner
        study.owner_epoch = study.epoch
        self.put(study, STUDY, study_id_)
        self.delete(GUARDIANS, study_id_)
        self.delete_recovery(study_id_)

    def delete_recovery(self, study_id_):
        """4.8"""
        recovery = self.get(RECOVERY, study_id_)
        if recovery is not None:
            self.delete_due(recovery.when, DUE_RECOVERY, study_id_)
            self.delete(RECOVERY, study_id_)

    def transfer_study(self, signer, body):
        """5.13"""
        study = self.owner_signs(signer, body)
        require(body.owner != study.owner, "same-owner")
        self.spend_of_study(study)
        self.change_owner(body.study, study, body.owner)

    def make_room(self, study_id_, study):
        """5.14"""
        study.grants += 1
        if study.earlier_grants < MAX_GRANTS:
            return
        earlier = [key for key in self.keys(GRANT, study_id_)
                   if self.get(GRANT, key[1:]).epoch < study.epoch]
        for key in earlier[:MAX_CLEARED]:
            self.delete(key)
        study.earlier_grants -= MAX_CLEARED

    def allow_access(self, signer, body):
        """5.14"""
        study = self.owner_signs(signer, body)
        require(self.seconds <= body.not_after <= self.seconds + MAX_GRANT_LIFE, "bad-expiry")
        require(self.get(GRANT, body.study, body.commitment) is None, "commitment-used")
        require(study.grants < MAX_GRANTS, "too-many-grants")
        self.spend_of_study(study)
        self.make_room(body.study, study)
        self.put(study, STUDY, body.study)
        self.put(Record(epoch=study.epoch, not_after=body.not_after, granted=self.height,
                        revoked=0, scope=body.scope, tier=body.tier),
                 GRANT, body.study, body.commitment)

    def revoke_access(self, signer, body):
        """5.15"""
        study = self.owner_signs(signer, body, only_takes=True)
        if body.all:
            if study.grants == 0:
                self.spend_of_study(study)
            self.new_epoch(study)
            self.put(study, STUDY, body.study)
            return
        grant = self.get(GRANT, body.study, body.commitment)
        if grant is None:
            require(study.grants < MAX_GRANTS, "too-many-grants")
            self.spend_of_study(study)
            self.make_room(body.study, study)
            self.put(study, STUDY, body.study)
            grant = Record(epoch=study.epoch, not_after=0, granted=0, revoked=0, scope=0,
                           tier=0)
        require(grant.epoch == study.epoch and grant.revoked == 0, "already-revoked")
        grant.revoked = self.height
        self.put(grant, GRANT, body.study, body.commitment)

    def guardians(self, study_id_, study):
        """4.8: the guardians record that counts, or one without guardians."""
        guardians = self.get(GUARDIANS, study_id_)
        if guardians is not None and guardians.owner_epoch == study.owner_epoch:
            return guardians
        return Record(owner_epoch=study.owner_epoch, round=0, needed=0, guardians=[], delay=0)

    def recovery(self, study_id_, study):
        """4.8: the recovery record that counts, or None."""
        recovery = self.get(RECOVERY, study_id_)
        if recovery is None or recovery.round != self.guardians(study_id_, study).round:
            return None
        return recovery

    def set_guardians(self, signer, body):
        """5.16"""
        study = self.owner_signs(signer, body)
        guardians = self.guardians(body.study, study)
        require(body.round == guardians.round, "wrong-round")
        if body.guardians:
            require(body.delay >= self.params.recovery_time, "bad-delay")
        self.spend_of_study(study)
        self.put(study, STUDY, body.study)
        self.put(Record(owner_epoch=study.owner_epoch, round=guardians.round + 1,
                        needed=body.needed, guardians=body.guardians, delay=body.delay),
                 GUARDIANS, body.study)
        self.delete_recovery(body.study)

    def cancel_recovery(self, signer, body):
        """5.18"""
        study = self.owner_signs(signer, body, only_takes=True)
        guardians = self.guardians(body.study, study)
        require(body.round == guardians.round, "wrong-round")
        require(self.recovery(body.study, study), "no-recovery")
        guardians.round += 1
        self.put(guardians, GUARDIANS, body.study)
        self.delete_recovery(body.study)

    # Others than the owner: 5.17, 5.19.

    def recover(self, signer, body):
        """5.17"""
        study = self.get(STUDY, body.study)
        require(study, "unknown-study")
        require(study.status != WITHDRAWN, "withdrawn")
        require(body.owner_epoch == study.owner_epoch, "wrong-epoch")
        guardians = self.guardians(body.study, study)
        require(body.round == guardians.round, "wrong-round")
        guardian = commitment_of(b"guardian", body.blind, signer, body.study)
        require(guardian in guardians.guardians, "not-guardian")
        require(body.owner != study.owner, "same-owner")
        recovery = self.recovery(body.study, study) or Record(
            round=guardians.round, entries=[], owner=ZERO, when=0)
        require(recovery.when == 0, "recovery-pending")
        entries = {entry.guardian: entry for entry in recovery.entries}
        last = entries[guardian].attempt if guardian in entries else 0
        require(body.attempt == last + 1, "wrong-attempt")
        self.spend_of_study(study, by_others=True)
        self.put(study, STUDY, body.study)
        entries[guardian] = Row(guardian=guardian, attempt=body.attempt, owner=body.owner)
        recovery.entries = [entries[key] for key in sorted(entries)]
        agree = [entry for entry in recovery.entries if entry.owner == body.owner]
        if len(agree) >= guardians.needed:
            recovery.owner = body.owner
            recovery.when = self.seconds + guardians.delay
            self.put_due(recovery.when, DUE_RECOVERY, body.study)
        self.put(recovery, RECOVERY, body.study)

    def emergency_access(self, signer, body):
        """5.19"""
        study = self.get(STUDY, body.study)
        require(study, "unknown-study")
        require(study.status != WITHDRAWN, "withdrawn")
        require(study.status != HELD, "held")
        source = self.get(SOURCE, study.source)
        group = self.get(STUDY, body.group)
        require(body.group in source.groups and is_live_group(group), "not-admitted")
        commitment = commitment_of(b"grantee", body.blind, signer, body.group)
        grant = self.get(GRANT, body.group, commitment)
        require(grant and grant.epoch == group.epoch and grant.revoked == 0
                and grant.not_after >= self.seconds, "not-admitted")
        latest = self.seconds + self.params.emergency_time
        require(self.seconds <= body.not_after <= latest, "bad-expiry")
        before = self.get(EMERGENCY, body.study, signer)
        require(before is None or before.not_after < self.seconds, "emergency-active")
        member = self.get(MEMBER, body.group, signer) or Record(paid_until=0)
        self.spend_of_study(group, by_others=True)
        self.spend_of_member(member)
        self.put(group, STUDY, body.group)
        self.put(member, MEMBER, body.group, signer)
        self.put(Record(group=body.group, commitment=commitment, reason=body.reason,
                        height=self.height, not_after=body.not_after),
                 EMERGENCY, body.study, signer)


def is_live_group(group):
    """5.19, 6.2"""
    return group is not None and group.kind == GROUP_KIND and group.status == LIVE


# --- Decide: 6 ---------------------------------------------------------------

# The list under 8 of 6.2, in its order.
STEPS = ["earlier-owner", "revoked-all", "revoked", "revoked-all-seen", "revoked-seen",
         "expired", "not-member", "out-of-scope", "low-tier", "allowed"]


def decide(ledger, query):
    """6.2: the reason, and what it rests on.

    The query has source, study, requester, tier, scope, openings (blind,
    group, membership), seen (study, all, epoch, commitment), now and
    staleness in nanoseconds.
    """
    require(1 <= query.scope <= 7 and len(query.openings) <= MAX_OPENINGS, "no-decision")

    def decision(reason, keys=(), commitment=ZERO, group=ZERO):
        return SimpleNamespace(
            reason=reason, allowed=reason in ("owner", "allowed", "emergency"),
            height=ledger.height, commitment=commitment, group=group, keys=list(keys))

    if abs(query.now - ledger.time) > query.staleness:
        return decision("stale")
    if query.requester == ZERO:
        return decision("nobody")
    keys = [SOURCE + query.source]
    source = ledger.get(SOURCE, query.source)
    if source is None:
        return decision("unknown-source", keys)
    keys.append(STUDY + query.study)
    study = ledger.get(STUDY, query.study)
    if study is None:
        return decision("unknown-study", keys)
    if study.source != query.source:
        return decision("other-source", keys)
    if study.status != LIVE:
        return decision("held" if study.status == HELD else "withdrawn", keys)
    if query.requester == study.owner:
        return decision("owner", keys)

    best = None
    for judged in judge_all(ledger, query, source, study):
        if best is None or STEPS.index(judged.step) > STEPS.index(best.step):
            best = judged
        if best.step == "allowed":
            break
    if best is None:
        return decision("no-grant", keys)
    reason = "emergency" if best.emergency and best.step == "allowed" else best.step
    return decision(reason, keys + best.keys, best.commitment, best.group)


def judge_all(ledger, query, source, study):
    """6.2, 8 and 9: how far each grant, and then the emergency, comes."""
    for opening in query.openings:
        if opening.group == ZERO:
            commitment = commitment_of(b"grantee", opening.blind, query.requester, query.study)
            membership = None
        else:
            commitment = commitment_of(b"group", opening.blind, opening.group, query.study)
            membership = commitment_of(b"grantee", opening.membership, query.requester,
                                       opening.group)
        grant = ledger.get(GRANT, query.study, commitment)
        if grant is None:
            continue
        keys = [GRANT + query.study + commitment]
        step = (stopped(ledger, query, query.study, study, commitment, grant)
                or judge_reach(ledger, query, grant, opening.group, membership, keys))
        yield SimpleNamespace(step=step, commitment=commitment, group=opening.group,
                              keys=keys, emergency=False)
    emergency = ledger.get(EMERGENCY, query.study, query.requester)
    if emergency is None or emergency.not_after < ledger.seconds:
        return
    keys = [EMERGENCY + query.study + query.requester]
    if emergency.group not in source.groups:
        step = "not-member"
    else:
        step = judge_reach(ledger, query, None, emergency.group, emergency.commitment, keys)
    yield SimpleNamespace(step=step, commitment=emergency.commitment, group=emergency.group,
                          keys=keys, emergency=True)


def stopped(ledger, query, study_name, study, commitment, grant):
    """6.2, 8.1 to 8.6: what stops a grant of a study, or of a group, or None."""
    if grant.epoch < study.owner_epoch:
        return "earlier-owner"
    if grant.epoch != study.epoch:
        return "revoked-all"
    if grant.revoked != 0:
        return "revoked"
    seen = [one for one in query.seen if one.study == study_name]
    if any(one.all and one.epoch == grant.epoch for one in seen):
        return "revoked-all-seen"
    if any(not one.all and one.commitment == commitment for one in seen):
        return "revoked-seen"
    if ledger.seconds > grant.not_after:
        return "expired"
    return None


def judge_reach(ledger, query, grant, group_name, membership_name, keys):
    """6.2, 8.7 to 8.10; the grant is None for an emergency. Adds to the keys."""
    reach = [] if grant is None else [grant]
    if membership_name is not None:
        keys.append(STUDY + group_name)
        group = ledger.get(STUDY, group_name)
        if not is_live_group(group):
            return "not-member"
        keys.append(GRANT + group_name + membership_name)
        membership = ledger.get(GRANT, group_name, membership_name)
        if membership is None or stopped(ledger, query, group_name, group, membership_name,
                                         membership):
            return "not-member"
        reach.append(membership)
    if any(query.scope & ~one.scope for one in reach):
        return "out-of-scope"
    if any(query.tier < one.tier for one in reach):
        return "low-tier"
    return "allowed"


# --- App hash and proofs: 7 --------------------------------------------------

def leaves_of(records):
    """7.1: path and hash of the value, by path; the head record has no part in it."""
    return sorted((sha256(key), sha256(value)) for key, value in records.items()
                  if key != HEAD_KEY)


def bit(path, n):
    return path[n // 8] >> (7 - n % 8) & 1


def tree_hash(leaves, n=0):
    """7.1: the hash of the subtree of leaves that agree in n bits."""
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return sha256(b"\0", *leaves[0])
    left = [leaf for leaf in leaves if bit(leaf[0], n) == 0]
    right = leaves[len(left):]
    return sha256(b"\1", tree_hash(left, n + 1), tree_hash(right, n + 1))


PROOF = row(bitmap=blob(0, 2**32), depth=uint, siblings=blob(0, 2**32),
            other=optional(row(path=name32, value_hash=name32)))


def make_proof(records, key):
    """7.3: the one proof of a key, present or absent."""
    path, leaves, siblings = sha256(key), leaves_of(records), []
    while len(leaves) > 1:
        n = len(siblings)
        beside = [leaf for leaf in leaves if bit(leaf[0], n) != bit(path, n)]
        leaves = [leaf for leaf in leaves if bit(leaf[0], n) == bit(path, n)]
        siblings.append(tree_hash(beside, n + 1))
    bitmap = bytearray((len(siblings) + 7) // 8)
    for n, sibling in enumerate(siblings):
        if sibling != ZERO:
            bitmap[n // 8] |= 0x80 >> n % 8
    other = None if key in records or not leaves else list(leaves[0])
    return encode([bytes(bitmap), len(siblings),
                   b"".join(one for one in siblings if one != ZERO), other])


def check_proof(app_hash, key, value, proof):
    """7.3: empty if the proof holds, else what is wrong; no value means absence."""
    try:
        proof = PROOF(decode(proof))
    except Refused:
        return "encoding"
    depth, bitmap = proof.depth, proof.bitmap
    if depth > 256 or len(bitmap) != (depth + 7) // 8:
        return "form"
    bits = [bit(bitmap, n) for n in range(8 * len(bitmap))]
    if any(bits[depth:]) or (depth > 0 and not bits[depth - 1]):
        return "form"
    siblings = [proof.siblings[n:n + 32] for n in range(0, len(proof.siblings), 32)]
    if len(proof.siblings) != 32 * sum(bits) or ZERO in siblings:
        return "form"

    path, other = sha256(key), proof.other
    if value is not None:
        if other is not None:
            return "a proof of presence has no other leaf"
        x = sha256(b"\0", path, sha256(value))
    elif other is None:
        x = ZERO
    else:
        if other.path == path:
            return "the other leaf is the key's own"
        if any(bit(other.path, n) != bit(path, n) for n in range(depth)):
            return "the other leaf is not in the place of the key"
        x = sha256(b"\0", other.path, other.value_hash)
    for n in reversed(range(depth)):
        sibling = siblings.pop() if bits[n] else ZERO
        x = sha256(b"\1", sibling, x) if bit(path, n) else sha256(b"\1", x, sibling)
    return "" if x == app_hash else "it leads to another root"


# --- Snapshots: 7.4 -----------------------------------------------------------

SNAPSHOT_TAG, MAX_BITS, CHUNK_LEAVES, MAX_LEAVES = "collimate/snapshot/v1", 12, 8192, 2**48
MAX_CHUNK_BYTES, MAX_MANIFEST_BYTES = 16 * 2**20, 196608
MANIFEST = row(
    tag=text, chain_id=text, height=within(0, 2**63 - 1), time=sint, app_hash=name32,
    bits=within(0, MAX_BITS),
    subtrees=list_of(row(leaves=within(0, MAX_LEAVES), hash=name32), 1, 2**MAX_BITS))


def bits_of(leaves):
    """7.4: by how many bits of their paths so many leaves are divided."""
    return next(bits for bits in range(MAX_BITS + 1)
                if bits == MAX_BITS or leaves <= CHUNK_LEAVES << bits)


def subtree_leaves(leaves, bits):
    """7.4: the leaves of each subtree."""
    parts = [[] for _ in range(1 << bits)]
    for leaf in leaves:
        parts[int.from_bytes(leaf[0][:2], "big") >> (16 - bits)].append(leaf)
    return parts


def make_snapshot(records, chain_id, height, time):
    """7.4: manifest and chunks."""
    leaves = leaves_of(records)
    bits = bits_of(len(leaves))
    parts = subtree_leaves(leaves, bits)
    manifest = encode([SNAPSHOT_TAG, chain_id, height, time, tree_hash(leaves), bits,
                       [[len(part), tree_hash(part, bits)] for part in parts]])
    by_path = {sha256(key): encode(key) + encode(value) for key, value in records.items()}
    return manifest, [b"".join(by_path[path] for path, _ in part) for part in parts]


def join_subtrees(subtrees):
    """7.1: the number of leaves under some subtrees, and their hash together."""
    if len(subtrees) == 1:
        return subtrees[0].leaves, subtrees[0].hash
    half = len(subtrees) // 2
    left, right = join_subtrees(subtrees[:half]), join_subtrees(subtrees[half:])
    leaves = left[0] + right[0]
    if leaves <= 1:             # one leaf has its hash at whatever depth
        return leaves, max(left[1], right[1])
    return leaves, sha256(b"\1", left[1], right[1])


def parse_manifest(raw):
    """7.4"""
    require(len(raw) <= MAX_MANIFEST_BYTES, "too-large")
    manifest = MANIFEST(decode(raw, 2**MAX_BITS))
    leaves = sum(subtree.leaves for subtree in manifest.subtrees)
    require(manifest.tag == SNAPSHOT_TAG, "malformed")
    require(leaves <= MAX_LEAVES, "out-of-bounds")
    require(len(manifest.subtrees) == 1 << manifest.bits, "malformed")
    require(manifest.bits == bits_of(leaves), "malformed")
    require(all((one.leaves == 0) == (one.hash == ZERO) for one in manifest.subtrees),
            "malformed")
    require(join_subtrees(manifest.subtrees)[1] == manifest.app_hash, "wrong-proof")
    return manifest


def check_chunk(manifest, number, raw):
    """7.4: refuse the chunk unless it is the one of that number."""
    require(len(raw) <= MAX_CHUNK_BYTES, "too-large")
    reader, items = Reader(raw), []
    while reader.at < len(raw):
        items.append(blob(0, MAX_CHUNK_BYTES)(reader.item()))
    require(len(items) % 2 == 0, "malformed")
    require(all(key and key[0] < 0xf0 for key in items[::2]), "malformed")
    leaves = [(sha256(key), sha256(value)) for key, value in zip(items[::2], items[1::2])]
    paths = [path for path, _ in leaves]
    require(ascending(paths), "malformed")
    require(all(int.from_bytes(path[:2], "big") >> (16 - manifest.bits) == number
                for path in paths), "malformed")
    want = manifest.subtrees[number]
    require(len(leaves) == want.leaves, "malformed")
    require(tree_hash(leaves, manifest.bits) == want.hash, "wrong-proof")


# --- Light client: 8 ---------------------------------------------------------

MAX_INT = 2**63 - 1
BLOCK_ID = row(hash=name32, parts_total=within(0, 2**32 - 1), parts_hash=name32)
HEADER = row(
    block_version=uint, app_version=uint, chain_id=text, height=within(1, MAX_INT),
    time=within(1, MAX_INT), last_block_id=BLOCK_ID, last_commit_hash=name32,
    data_hash=name32, validators_hash=name32, next_validators_hash=name32,
    consensus_hash=name32, app_hash=name32, last_results_hash=name32,
    evidence_hash=name32, proposer=fixed(20))
COMMIT = row(
    round=within(0, 2**31 - 1), parts_total=within(0, 2**32 - 1), parts_hash=name32,
    votes=list_of(optional(row(time=within(1, MAX_INT), signature=fixed(64))), 0, 256))
LIGHT_BLOCK = row(
    header=HEADER, commit=COMMIT,
    validators=list_of(row(key=name32, power=within(1, MAX_INT)), 1, 256))
BUNDLE = row(
    blocks=list_of(LIGHT_BLOCK, 1, 16),
    entries=list_of(row(key=blob(1, 128), value=optional(blob(0, 2**32)),
                        proof=blob(1, 8320)), 1, 256))
MAX_BLOCK_BYTES, MAX_BUNDLE_BYTES, MAX_POWER = 65536, 1048576, 2**60 - 1


def check_light_form(block):
    """8.1, beyond the types."""
    require(len(encode(block)) <= MAX_BLOCK_BYTES, "too-large")
    require(1 <= len(block.header.chain_id.encode("utf-8")) <= 50, "out-of-bounds")
    require(len(block.commit.votes) == len(block.validators), "out-of-bounds")
    keys = {validator.key for validator in block.validators}
    require(len(keys) == len(block.validators), "out-of-bounds")
    require(power_of(block.validators) <= MAX_POWER, "out-of-bounds")


def parse_light_block(raw):
    require(len(raw) <= MAX_BLOCK_BYTES, "too-large")
    return LIGHT_BLOCK(decode(raw))


def parse_bundle(raw):
    """8.4"""
    require(len(raw) <= MAX_BUNDLE_BYTES, "too-large")
    return BUNDLE(decode(raw))


def varint(number):
    """8.2: the base-128 varint."""
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes(result) + bytes([number])


def pb_varint(field, number):
    """8.2: V"""
    return varint(8 * field) + varint(number) if number else b""


def pb_fixed(field, number):
    """8.2: F"""
    return varint(8 * field + 1) + number.to_bytes(8, "little") if number else b""


def pb_message(field, data):
    """8.2: M"""
    return varint(8 * field + 2) + varint(len(data)) + data


def pb_bytes(field, data):
    """8.2: B, but for the zero hashes of a block-id"""
    return pb_message(field, data) if data else b""


def pb_time(time):
    return pb_varint(1, time // SECOND) + pb_varint(2, time % SECOND)


def pb_block(hash_, parts_total, parts_hash):
    """8.2: block(id)"""
    hash_, parts_hash = (b"" if one == ZERO else one for one in (hash_, parts_hash))
    parts = pb_varint(1, parts_total) + pb_bytes(2, parts_hash)
    return pb_bytes(1, hash_) + pb_message(2, parts)


def merkle_root(leaves):
    """8.2: RFC 6962"""
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return sha256(b"\1", merkle_root(leaves[:split]), merkle_root(leaves[split:]))


def validators_hash(validators):
    """8.2"""
    return merkle_root([pb_message(1, pb_bytes(1, one.key)) + pb_varint(2, one.power)
                        for one in validators])


def header_hash(h):
    """8.2"""
    last = h.last_block_id
    leaves = [pb_varint(1, h.block_version) + pb_varint(2, h.app_version),
              pb_bytes(1, h.chain_id.encode("utf-8")), pb_varint(1, h.height),
              pb_time(h.time), pb_block(last.hash, last.parts_total, last.parts_hash)]
    for one in (h.last_commit_hash, h.data_hash, h.validators_hash, h.next_validators_hash,
                h.consensus_hash, h.app_hash, h.last_results_hash, h.evidence_hash,
                h.proposer):
        leaves.append(pb_bytes(1, one))
    return merkle_root(leaves)


def vote_bytes(block, time):
    """8.2: what a validator signs."""
    header, commit = block.header, block.commit
    voted = pb_block(header_hash(header), commit.parts_total, commit.parts_hash)
    vote = (pb_varint(1, 2) + pb_fixed(2, header.height) + pb_fixed(3, commit.round)
            + pb_message(4, voted) + pb_message(5, pb_time(time))
            + pb_bytes(6, header.chain_id.encode("utf-8")))
    return varint(len(vote)) + vote


def power_of(validators):
    return sum(validator.power for validator in validators)


def trust_genesis(chain_id, time, validators):
    """8.3; the order is that of the engine (8.2)."""
    ordered = sorted(validators, key=lambda one: (-one.power, sha256(one.key)[:20]))
    return SimpleNamespace(chain_id=chain_id, height=0, time=time, header_hash=None,
                           next_validators_hash=validators_hash(ordered), validators=ordered)


def trust_block(block):
    """8.3: what a light block makes trusted."""
    header = block.header
    return SimpleNamespace(
        chain_id=header.chain_id, height=header.height, time=header.time,
        header_hash=header_hash(header), next_validators_hash=header.next_validators_hash,
        validators=block.validators)


def verify_light_block(trusted, block, now, trusting_period, clock_drift):
    """8.3: refuse the block, or give what is trusted then."""
    header = block.header
    check_light_form(block)
    own_hash = validators_hash(block.validators)
    require(own_hash == header.validators_hash, "wrong-validators")
    require(header.chain_id == trusted.chain_id, "other-chain")
    require(now < trusted.time + trusting_period, "expired")
    require(header.time < now + clock_drift, "future")
    voters = [(validator, vote) for validator, vote in zip(block.validators, block.commit.votes)
              if vote is not None]
    third = []                  # of whose power a third must have voted
    if header_hash(header) != trusted.header_hash:
        require(header.height > trusted.height, "not-newer")
        require(header.time > trusted.time
                or (trusted.height == 0 and header.time == trusted.time), "not-newer")
        if header.height == trusted.height + 1:
            require(own_hash == trusted.next_validators_hash, "wrong-validators")
        else:
            third = trusted.validators
    all_voters = [voter for voter, _ in voters]
    require(is_third(all_voters, third), "not-trusted")
    require(is_two_thirds(all_voters, block.validators), "not-enough-power")
    for n, (validator, vote) in enumerate(voters):
        if is_third(all_voters[:n], third) and is_two_thirds(all_voters[:n], block.validators):
            break
        require(is_ed25519_signature(validator.key, vote_bytes(block, vote.time),
                                     vote.signature), "bad-signature")
    return trust_block(block)


def is_third(voters, validators):
    """8.3, 6: more than a third of the power, matched by key; of nobody's always."""
    keys = {voter.key for voter in voters}
    known = [one for one in validators if one.key in keys]
    return not validators or 3 * power_of(known) > power_of(validators)


def is_two_thirds(voters, validators):
    """8.3, 7"""
    return 3 * power_of(voters) > 2 * power_of(validators)


def verify_bundle(trusted, bundle, now, trusting_period, clock_drift):
    """8.4"""
    for block in bundle.blocks:
        trusted = verify_light_block(trusted, block, now, trusting_period, clock_drift)
    app_hash = bundle.blocks[-1].header.app_hash
    for entry in bundle.entries:
        require(check_proof(app_hash, entry.key, entry.value, entry.proof) == "",
                "wrong-proof")
    return trusted


# --- Vectors: 11 -------------------------------------------------------------

class Report:
    """Counts what was compared and prints what differs."""

    def __init__(self, name):
        self.name = name
        self.compared = self.differences = 0

    def same(self, where, got, want):
        self.compared += 1
        if got != want:
            self.differences += 1
            print(f"{self.name}: {where}: got {plain(got)}, want {plain(want)}")


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return "[" + ", ".join(map(plain, value)) + "]"
    return str(value)


def unhex(values):
    return [bytes.fromhex(value) for value in values or []]


def code_of(function, *arguments):
    """The code with which a call is refused, or empty."""
    try:
        function(*arguments)
    except Refused as refused:
        return refused.code
    return ""


def same_class(code):
    """9.1: a program may say malformed for not-canonical and the other way round."""
    return "malformed" if code == "not-canonical" else code


def replay_keys(report, vectors):
    for v in vectors:
        spki = bytes.fromhex(v["spki"])
        report.same(v["name"], code_of(load_key, spki), "")
        report.same(v["name"], sha256(spki).hex(), v["key_id"])
        report.same(v["name"], alias(sha256(spki)), v["alias"])


def replay_studies(report, vectors):
    for v in vectors:
        uid = v["study_instance_uid"]
        study = study_id(bytes.fromhex(v["salt"]), uid)
        report.same(uid, study.hex(), v["study_id"])
        for kind, want in v["documents"].items():
            got = alias(study) if kind == "study" else document_id(study, kind)
            report.same(f"{uid}, {kind}", got, want)


def replay_groups(report, vectors):
    for v in vectors:
        names = unhex([v["nonce"], v["source"], v["owner"]])
        report.same(v["study_id"], group_id(*names).hex(), v["study_id"])


def replay_commitments(report, vectors):
    for v in vectors:
        if v["of"] == "reason":
            names = [bytes.fromhex(v["blind"]), v["text"].encode("utf-8"), b""]
        else:
            names = unhex([v["blind"], v["key_id"], v["study_id"]])
        got = commitment_of(v["of"].encode("ascii"), *names)
        report.same(v["blind"], got.hex(), v["commitment"])


def replay_transactions(report, vectors):
    for v in vectors:
        raw, payload = unhex([v["raw"], v["payload"]])
        try:
            tx = parse_transaction(raw, v["chain_id"])
        except Refused as refused:
            report.same(v["name"], refused.code, "")
            continue
        report.same(v["name"], tx.signer.hex(), v["signer"])
        report.same(v["name"], tx.tx_id.hex(), v["tx_id"])
        report.same(v["name"], tx.payload.hex(), v["payload"])
        report.same(v["name"], tx.signed.hex(), v["sig_structure"])
        report.same(v["name"], encode([tx.kind, tx.body]), payload)
        if "ed25519_seed" in v:
            private = ed25519.Ed25519PrivateKey.from_private_bytes(
                bytes.fromhex(v["ed25519_seed"]))
            report.same(v["name"], sign_transaction(private, v["chain_id"], payload), raw)


def replay_invalid(report, vectors):
    for v in vectors:
        got = code_of(parse_transaction, bytes.fromhex(v["raw"]), v["chain_id"])
        report.same(v["name"], same_class(got), same_class(v["code"]))


def replay_state_tree(report, vectors):
    for v in vectors:
        records = {bytes.fromhex(one["key"]): bytes.fromhex(one["value"])
                   for one in v["records"]}
        app_hash = tree_hash(leaves_of(records))
        report.same(v["name"], app_hash.hex(), v["app_hash"])
        for p in v["proofs"]:
            where = f"{v['name']}, {p['name']}"
            key, proof = unhex([p["key"], p["proof"]])
            value = None if p["value"] is None else bytes.fromhex(p["value"])
            report.same(where, check_proof(app_hash, key, value, proof), p["reason"])
            if p["reason"] == "":
                report.same(where, records.get(key), value)
                report.same(where, make_proof(records, key), proof)


def numbered_record(number):
    """11: one of the records that snapshot.json counts."""
    return b"\x05" + sha256(b"record %d" % number), number.to_bytes(4, "big")


def replay_snapshot(report, vectors):
    for v in vectors:
        records = {bytes.fromhex(one["key"]): bytes.fromhex(one["value"])
                   for one in v["records"]}
        records |= dict(map(numbered_record, range(v["numbered"])))
        manifest, chunks = make_snapshot(records, v["chain_id"], v["height"],
                                         int(v["time_ns"]))
        report.same(f"{v['name']}, manifest", manifest.hex(), v["manifest"])
        report.same(f"{v['name']}, chunks", [sha256(chunk) for chunk in chunks],
                    unhex(v["chunks"]))
        parsed = parse_manifest(manifest)
        for number, chunk in enumerate(chunks):
            report.same(f"{v['name']}, chunk {number}",
                        code_of(check_chunk, parsed, number, chunk), "")
        for bad in v["refused_manifests"] or []:
            report.same(f"{v['name']}, a manifest with {bad['name']}: accepted",
                        code_of(parse_manifest, bytes.fromhex(bad["bytes"])) == "", False)
        for bad in v["refused_chunks"] or []:
            code = code_of(check_chunk, parsed, 0, bytes.fromhex(bad["bytes"]))
            report.same(f"{v['name']}, a chunk with {bad['name']}: accepted", code == "", False)


def replay_light(report, vectors):
    for v in vectors:
        if "genesis" in v:
            genesis = v["genesis"]
            trusted = trust_genesis(
                genesis["chain_id"], int(genesis["time"]),
                [Row(key=bytes.fromhex(one["key"]), power=int(one["power"]))
                 for one in genesis["validators"]])
        else:
            trusted = trust_block(parse_light_block(bytes.fromhex(v["trusted"])))
        times = [int(v[name]) for name in ("now", "trusting_period", "clock_drift")]
        got, want = {}, v.get("want", {})
        code = ""
        try:
            if "bundle" in v:
                bundle = parse_bundle(bytes.fromhex(v["bundle"]))
                trusted = verify_bundle(trusted, bundle, *times)
                block = bundle.blocks[-1]
            else:
                block = parse_light_block(bytes.fromhex(v["block"]))
                trusted = verify_light_block(trusted, block, *times)
            voted = next(vote.time for vote in block.commit.votes if vote is not None)
            got = {"height": trusted.height, "time": str(trusted.time),
                   "header_hash": trusted.header_hash.hex(),
                   "app_hash": block.header.app_hash.hex(),
                   "validators_hash": validators_hash(block.validators).hex(),
                   "vote_bytes": vote_bytes(block, voted).hex()}
        except Refused as refused:
            code = refused.code
        report.same(v["name"], same_class(code), same_class(v.get("code", "")))
        for name in want:
            report.same(f"{v['name']}, {name}", got.get(name), want[name])


def replay_genesis(ledger, step):
    params = step["params"]
    if params is not None:
        params = {number: params[name]
                  for number, name in enumerate(vars(DEFAULT_PARAMS), 1)}
    payers = [(bytes.fromhex(one["payer"]), one["units"]) for one in step["payers"] or []]
    ledger.begin(step["chain_id"], int(step["time_ns"]), unhex(step["validators"]), payers,
                 params)


def query_of(step):
    """The inputs of 6.1 in a step of rules.json."""
    names = unhex([step["source"], step["study"], step["requester"]])
    openings = [SimpleNamespace(**{name: bytes.fromhex(one[name]) for name in one})
                for one in step["openings"] or []]
    seen = [SimpleNamespace(study=bytes.fromhex(one["study"]), all=one["all"],
                            epoch=one["epoch"], commitment=bytes.fromhex(one["commitment"]))
            for one in step["seen"] or []]
    return SimpleNamespace(
        source=names[0], study=names[1], requester=names[2], openings=openings,
        seen=seen, scope=step["scope"], tier=step["tier"], now=int(step["now_ns"]),
        staleness=int(step["staleness_ns"]))


def replay_rules(report, vectors):
    for v in vectors:
        ledger = Ledger()
        for number, step in enumerate(v["steps"]):
            where = f"{v['name']}, step {number}"
            (kind, step), = step.items()
            if kind == "genesis":
                report.same(where, code_of(replay_genesis, ledger, step), step["result"])
            elif kind == "put":
                ledger.records[bytes.fromhex(step["key"])] = bytes.fromhex(step["value"])
            elif kind == "block":
                results = ledger.block(
                    step["height"], int(step["time_ns"]), unhex(step["equivocated"]),
                    unhex(step["absent"]), unhex(step["transactions"]))
                report.same(where, results, step["results"] or [])
                report.same(where + ", app hash", ledger.app_hash().hex(), step["app_hash"])
            else:
                got = decide(ledger, query_of(step))
                for name in ("reason", "allowed", "height"):
                    report.same(f"{where}, {name}", getattr(got, name), step[name])
                report.same(where + ", commitment", got.commitment.hex(), step["commitment"])
                report.same(where + ", group", got.group.hex(), step["group"])
                report.same(where + ", keys", got.keys, unhex(step["keys"]))


REPLAYS = {
    "keys": replay_keys,
    "studies": replay_studies,
    "groups": replay_groups,
    "commitments": replay_commitments,
    "transactions": replay_transactions,
    "invalid": replay_invalid,
    "state-tree": replay_state_tree,
    "snapshot": replay_snapshot,
    "light": replay_light,
    "rules": replay_rules,
}


def main(arguments):
    if len(arguments) != 1:
        print("usage: ledger_verify.py DIRECTORY", file=sys.stderr)
        return 2
    failed = False
    for path in sorted(pathlib.Path(arguments[0]).glob("*.json")):
        if path.stem not in REPLAYS:
            print(f"{path.name}: not known to this program")
            failed = True
            continue
        vectors = json.loads(path.read_text(encoding="utf-8"))
        report = Report(path.name)
        REPLAYS[path.stem](report, vectors)
        print(f"{path.name}: {len(vectors)} vectors, {report.compared} comparisons, "
              f"{report.differences} differences")
        failed = failed or report.differences > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
