/**
 * Checks what a Collimate node says, without trusting it: names, transactions, proofs about the state, and the
 * headers that the chain's validators signed. docs/ledger-spec.md specifies it; the numbers in parentheses are its
 * sections. One file without dependencies, for Node 20 and later and for browsers that have Ed25519 in WebCrypto.
 *
 * Importing it does nothing. No function keeps anything, reads a clock or opens a connection. Byte strings are
 * Uint8Array, integers of the ledger are bigint. What is refused throws a VerifyError, whose code is a name of the
 * specification; any other error is a fault of the caller, or of a browser that lacks an algorithm. What is decoded
 * refers to the bytes that were given: do not change them afterwards.
 *
 * @module collimate-verify
 */

/** Why something is refused. */
export class VerifyError extends Error {
  /**
   * @param {string} code a name of the specification (8.6, 9.1)
   * @param {string} detail for people
   */
  constructor(code, detail) {
    super(`${code}: ${detail}`);
    this.name = "VerifyError";
    this.code = code;
  }
}

/** The limits of the specification (8.6, 10). */
export const limits = Object.freeze({
  txBytes: 65536, chainIDBytes: 50, studiesPerTx: 256, urlBytes: 512, oids: 16, oidBytes: 64, groups: 16, guardians: 8,
  attempts: 16n, payers: 64, units: 2n ** 40n, peerBytes: 320, spkiBytes: 1100, signatureBytes: 1024,
  recoveryDelay: 31622400n,
  bundleBytes: 1 << 20, blockBytes: 65536, blocks: 16, entries: 256, validators: 256, keyBytes: 128, proofBytes: 8320,
  totalPower: (2n ** 63n - 1n) / 8n, nesting: 6, elements: 256, pairs: 16,
});

const maxInt64 = 2n ** 63n - 1n;
const maxUint64 = 2n ** 64n - 1n;

function refuse(code, detail) {
  throw new VerifyError(code, detail);
}

// ---------------------------------------------------------------------------------------------------------------
// Bytes

const encoder = new TextEncoder();

/** @param {string} hex lower-case digits @returns {Uint8Array} */
export function fromHex(hex) {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new TypeError("not lower-case hexadecimal");
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} lower-case digits */
export function toHex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

/** Compares bytewise, as the specification orders everything: negative, 0 or positive. */
function compare(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

const equal = (a, b) => compare(a, b) === 0;
const isZero = (a) => a.every((b) => b === 0);
const text = (s) => encoder.encode(s);
const byte = (b) => Uint8Array.of(b);

/** A tag of section 2, with its zero byte. */
const tagged = (tag, ...parts) => concat(text(tag), byte(0), ...parts);

/** The number that bytes stand for, most significant first. */
const toNumber = (bytes) => bytes.length === 0 ? 0n : BigInt("0x" + toHex(bytes));

// ---------------------------------------------------------------------------------------------------------------
// SHA-256 (FIPS 180-4). WebCrypto has it too, but only as a promise for each of the hundreds of hashes of a proof,
// which takes longer than the hashing.

const sha256Constants = Uint32Array.from([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const sha256Initial = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/** @param {Uint8Array} message @returns {Uint8Array} its SHA-256, 32 bytes */
export function sha256(message) {
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Int32Array.from(sha256Initial);
  const w = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + sha256Constants[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
  const sum = new Uint8Array(32);
  const out = new DataView(sum.buffer);
  state.forEach((word, i) => out.setInt32(4 * i, word));
  return sum;
}

/** HMAC-SHA256 with a key of at most 64 bytes. RFC 2104 */
function hmac(key, message) {
  const pad = (with_) => Uint8Array.from({ length: 64 }, (_, i) => (key[i] ?? 0) ^ with_);
  return sha256(concat(pad(0x5c), sha256(concat(pad(0x36), message))));
}

// ---------------------------------------------------------------------------------------------------------------
// Names (2)

/** The KeyID of a key (2.2). @param {Uint8Array} spki SubjectPublicKeyInfo in DER @returns {Uint8Array} */
export function keyID(spki) {
  parseKey(spki);
  return sha256(spki);
}

/** The alias of a 32-byte name (2.2). @param {Uint8Array} name @returns {string} an OID */
export function alias(name) {
  const uuid = name.slice(0, 16);
  uuid[6] = (uuid[6] & 0x0f) | 0x80;
  uuid[8] = (uuid[8] & 0x3f) | 0x80;
  return "2.25." + toNumber(uuid);
}

/** Whether an OID has the form of an alias. */
function isAlias(oid) {
  const digits = /^2\.25\.(0|[1-9][0-9]{0,38})$/.exec(oid)?.[1];
  if (digits === undefined) return false;
  const n = BigInt(digits);
  return n < 2n ** 128n && ((n >> 76n) & 15n) === 8n && ((n >> 62n) & 3n) === 2n;
}

/** The StudyID (2.3). @param {Uint8Array} salt 32 bytes @param {string} studyInstanceUID @returns {Uint8Array} */
export function studyID(salt, studyInstanceUID) {
  return hmac(salt, tagged("collimate/study/v1", text(studyInstanceUID)));
}

/**
 * The StudyID of a group (2.3).
 * @param {Uint8Array} nonce 8 bytes
 * @param {Uint8Array} source KeyID
 * @param {Uint8Array} owner KeyID
 * @returns {Uint8Array}
 */
export function groupID(nonce, source, owner) {
  return concat(nonce, sha256(tagged("collimate/group-id/v1", nonce, source, owner)).subarray(0, 24));
}

/**
 * The commitment of a grant to a key (2.4).
 * @param {Uint8Array} blind 32 bytes
 * @param {Uint8Array} grantee KeyID
 * @param {Uint8Array} study StudyID
 * @returns {Uint8Array}
 */
export function commitment(blind, grantee, study) {
  return sha256(tagged("collimate/grantee/v1", blind, grantee, study));
}

/** The commitment of a grant to a group (2.4), whose StudyID stands in place of the KeyID. @returns {Uint8Array} */
export function groupCommitment(blind, group, study) {
  return sha256(tagged("collimate/group/v1", blind, group, study));
}

/** The commitment of a guardian (2.4), of blind, KeyID and StudyID. @returns {Uint8Array} */
export function guardian(blind, key, study) {
  return sha256(tagged("collimate/guardian/v1", blind, key, study));
}

/**
 * The commitment to the reason of an emergency (2.4).
 * @param {Uint8Array} blind 32 bytes
 * @param {string} why
 * @returns {Uint8Array}
 */
export function reason(blind, why) {
  return sha256(tagged("collimate/reason/v1", blind, text(why)));
}

/** The documentUniqueId of a document (2.5). @param {Uint8Array} study @param {string} kind @returns {string} an OID */
export function documentUniqueID(study, kind) {
  return alias(kind === "study" ? study : sha256(tagged("collimate/document/v1", study, text(kind))));
}

// ---------------------------------------------------------------------------------------------------------------
// CBOR in core deterministic encoding (3.2). parse finds the items and refuses what is none (malformed). A shape
// below takes an item for what it should be; it refuses another type (malformed), and remembers whether the item
// is one that would be encoded otherwise (not-canonical), which is said once everything else is right.

const majors = { uint: 0, nint: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 };

const simples = { 20: false, 21: true, 22: null, 23: undefined };

/** Returns the item that the bytes are, a tree of { major, value, exact, raw }. */
function parse(bytes) {
  let at = 0;
  const malformed = (what) => refuse("malformed", what);
  const take = (n) => {
    if (n > bytes.length - at) malformed("the data ends too early");
    at += n;
    return bytes.subarray(at - n, at);
  };
  const item = (depth) => {
    const start = at;
    const [initial] = take(1);
    const major = initial >> 5, info = initial & 31;
    let argument = BigInt(info), exact = true;
    if (info >= 28) malformed("an indefinite length, or no CBOR");
    if (info >= 24) {
      const size = 1 << (info - 24);
      argument = toNumber(take(size));
      exact = argument >= (size === 1 ? 24n : 1n << BigInt(4 * size));
    }
    const done = (value) => ({ major, value, exact, raw: bytes.subarray(start, at) });
    const count = (most) => {
      if (depth === limits.nesting) malformed("nested too deep");
      if (argument > most) malformed("too many elements");
      return Number(argument);
    };
    switch (major) {
      case majors.uint:
        return done(argument);
      case majors.nint:
        return done(-1n - argument);
      case majors.bytes:
      case majors.text:
        if (argument > bytes.length) malformed("the data ends too early");
        return done(take(Number(argument)));
      case majors.array:
        return done(Array.from({ length: count(limits.elements) }, () => item(depth + 1)));
      case majors.map:
        return done(Array.from({ length: count(limits.pairs) }, () => [item(depth + 1), item(depth + 1)]));
      case majors.simple:
        if (info === 24 && argument < 32n) malformed("no CBOR");
        return done(info in simples ? simples[info] : NaN); // a float, or a value without meaning
      default:
        return malformed("a tag");
    }
  };
  const root = item(0);
  if (at < bytes.length) malformed("something follows the data");
  return root;
}

/** The text that bytes are. */
function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("malformed", "a text is not UTF-8");
  }
}

/** Reads bytes as a shape, exactly. */
function decode(bytes, shape, what) {
  const state = { exact: true };
  const value = shape(parse(bytes), state, what);
  if (!state.exact) refuse("not-canonical", `the ${what} would be encoded otherwise, or a field is missing or of the wrong length`);
  return value;
}

/** A shape for items of one major type. null is nobody's value, but has the type of any. */
const typed = (major, empty, read) => (item, state, what) => {
  if (item.major === majors.simple && item.value == null) {
    state.exact = false;
    return empty;
  }
  if (item.major !== major) refuse("malformed", `a ${what} of another type`);
  state.exact &&= item.exact;
  return read(item.value, state, what);
};

const uintUpTo = (most) => typed(majors.uint, 0n, (v, _, what) => {
  return v <= most ? v : refuse("malformed", `a ${what} too large`);
});
const uint = uintUpTo(maxUint64);
const uint32 = uintUpTo(2n ** 32n - 1n);
const bstr = typed(majors.bytes, new Uint8Array(0), (v) => v);
const tstr = typed(majors.text, "", utf8);

/** A signed integer up to a bound. */
const intUpTo = (most) => (item, state, what) => {
  if (item.major !== majors.nint) return uintUpTo(most)(item, state, what);
  state.exact &&= item.exact;
  return item.value >= -most - 1n ? item.value : refuse("malformed", `a ${what} too large`);
};
const int = intUpTo(maxInt64);
const int32 = intUpTo(2n ** 31n - 1n);

function bool(item, state, what) {
  if (item.major !== majors.simple || Number.isNaN(item.value)) refuse("malformed", `a ${what} of another type`);
  state.exact &&= item.value != null;
  return item.value ?? false;
}

/** A byte string of one length; a list of bytes would be encoded as one. */
const sized = (n) => (item, state, what) => {
  const isList = item.major === majors.array && item.value.every((e) => e.major === majors.uint && e.value < 256n);
  const value = isList ? Uint8Array.from(item.value, (e) => Number(e.value)) : bstr(item, state, what);
  if (isList || value.length !== n) state.exact = false;
  return value;
};

/** A KeyID has its length or is none. */
const id = (item, state, what) => {
  const value = bstr(item, state, what);
  if (item.value != null && value.length !== 32) refuse("malformed", "a key id that has not 32 bytes");
  return value;
};

const list = (shape) => typed(majors.array, [], (v, state, what) => v.map((e) => shape(e, state, what)));

/** An array with one element for each field, [[name, shape], ..]. */
const tuple = (...fields) => typed(majors.array, {}, (v, state) => {
  if (v.length !== fields.length) refuse("malformed", "a list of another length");
  return Object.fromEntries(fields.map(([name, shape], i) => [name, shape(v[i], state, name)]));
});

/** A map from labels to fields, [[label, name, shape], ..] in bytewise order of the labels. */
const record = (...fields) => typed(majors.map, {}, (pairs, state) => {
  const found = {};
  let before;
  for (const [key, value] of pairs) {
    const field = fields.find(([label]) => label === key.value);
    if (field === undefined) refuse("malformed", "an unknown field");
    if (field[1] in found) refuse("malformed", "a field twice");
    if (!key.exact || (before && compare(before, key.raw) > 0)) state.exact = false;
    found[field[1]] = field[2](value, state, field[1]);
    before = key.raw;
  }
  if (pairs.length < fields.length) state.exact = false;
  return found;
});

/** Whatever it is, as bytes; what is in it is not looked at. */
const raw = (item) => item.raw;

/** A shape, or null. */
const optional = (shape) => (item, state, what) => item.value === null ? null : shape(item, state, what);

/** Any value: integers as bigint, maps as Map. */
function anything(item, state) {
  state.exact &&= item.exact;
  if (item.major === majors.array) return item.value.map((e) => anything(e, state));
  if (item.value === undefined || Number.isNaN(item.value)) refuse("malformed", "a float, or a value without meaning");
  if (item.major === majors.text) return utf8(item.value);
  if (item.major !== majors.map) return item.value;
  const map = new Map();
  item.value.forEach(([key, value], i) => {
    const order = i === 0 ? -1 : compare(item.value[i - 1][0].raw, key.raw);
    if (order === 0) refuse("malformed", "a field twice");
    if (order > 0) state.exact = false;
    map.set(anything(key, state), anything(value, state));
  });
  return map;
}

/**
 * Decodes CBOR in core deterministic encoding (3.2) and nothing else: values of the state, for example.
 * @param {Uint8Array} bytes
 * @returns {*} bigint, Uint8Array, string, boolean, null, Array or Map
 */
export function decodeCBOR(bytes) {
  return decode(bytes, anything, "data");
}

/** The head of an item of at most 32 bits. */
function head(major, n) {
  if (n < 24) return byte((major << 5) | n);
  if (n < 0x100) return Uint8Array.of((major << 5) | 24, n);
  if (n < 0x10000) return Uint8Array.of((major << 5) | 25, n >> 8, n);
  return Uint8Array.of((major << 5) | 26, n >> 24, n >> 16, n >> 8, n);
}

const bytesItem = (b) => concat(head(majors.bytes, b.length), b);
const textItem = (s) => concat(head(majors.text, text(s).length), text(s));

// ---------------------------------------------------------------------------------------------------------------
// Keys and signatures (2.2, 3.4, 3.5)

const curves = {
  "P-256": {
    alg: -7n, hash: "SHA-256", size: 32, prefix: fromHex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  "P-384": {
    alg: -35n, hash: "SHA-384", size: 48, prefix: fromHex("3076301006072a8648ce3d020106052b81040022036200"),
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
};
const ed25519Prefix = fromHex("302a300506032b6570032100");
const order25519 = 2n ** 252n + 27742317777372353535851937790883648493n;
/** The y of the points of order 1, 2, 4 and 8. */
const smallOrder = [
  1n, 2n ** 255n - 20n, 0n, 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
];
const rsaAlgorithm = fromHex("300d06092a864886f70d0101010500");

const startsWith = (bytes, prefix) => bytes.length >= prefix.length && equal(bytes.subarray(0, prefix.length), prefix);

/**
 * Reads a key in the one encoding that it has: what COSE and WebCrypto call its algorithm, and what a signature by
 * it must look like.
 */
function parseKey(spki) {
  if (startsWith(spki, ed25519Prefix) && spki.length === 44 && isSoundEd25519(spki.subarray(12))) {
    const isForm = (sig) => sig.length === 64 && toNumber(sig.slice(32).reverse()) < order25519;
    return { alg: -8n, key: { name: "Ed25519" }, with: { name: "Ed25519" }, isForm };
  }
  for (const [namedCurve, c] of Object.entries(curves)) {
    if (!startsWith(spki, c.prefix)) continue;
    const point = spki.subarray(c.prefix.length);
    const x = toNumber(point.subarray(1, 1 + c.size)), y = toNumber(point.subarray(1 + c.size));
    const isPoint = point.length === 1 + 2 * c.size && point[0] === 4 && x < c.p && y < c.p;
    if (!isPoint || (y * y - x * x * x + 3n * x - c.b) % c.p !== 0n) break;
    return {
      alg: c.alg, key: { name: "ECDSA", namedCurve }, with: { name: "ECDSA", hash: c.hash },
      isForm: (sig) => {
        const r = toNumber(sig.subarray(0, c.size)), s = toNumber(sig.subarray(c.size));
        return sig.length === 2 * c.size && r > 0n && r < c.n && s > 0n && s <= c.n / 2n;
      },
    };
  }
  const rsa = parseRSA(spki);
  if (rsa === undefined) refuse("unsupported-key", "not P-256, P-384, RSA of 2048 to 8192 bits or Ed25519 in its one encoding");
  const { n, e } = rsa, size = Math.ceil(n.toString(16).length / 2);
  return {
    alg: -37n, key: { name: "RSA-PSS", hash: "SHA-256" }, with: { name: "RSA-PSS", saltLength: 32 },
    isForm: (sig) => sig.length === size && toNumber(sig) < n,
  };
}

/** Whether a key is not of small order, which anybody can sign for, and not a second encoding of another. */
function isSoundEd25519(key) {
  const y = toNumber(key.slice().reverse()) % 2n ** 255n; // without the sign of x
  return y < 2n ** 255n - 19n && !smallOrder.includes(y);
}

/** Reads an RSA key, or returns undefined. DER is checked by writing it again. */
function parseRSA(spki) {
  let at = 0;
  const open = (tag) => {
    if (spki[at++] !== tag) return -1;
    let n = spki[at++];
    if (n >= 0x80) {
      const size = n & 0x7f;
      n = 0;
      for (let i = 0; i < size && i < 3; i++) n = n * 256 + spki[at++];
    }
    return at + n <= spki.length ? n : -1;
  };
  const integer = () => {
    const n = open(2);
    if (n < 0) return -1n;
    at += n;
    return toNumber(spki.subarray(at - n, at));
  };
  if (open(0x30) < 0) return undefined;
  at += rsaAlgorithm.length;
  if (open(3) < 0) return undefined;
  at++;
  if (open(0x30) < 0) return undefined;
  const n = integer(), e = integer();
  const bits = n > 0n ? n.toString(2).length : 0;
  if (bits < 2048 || bits > 8192 || n % 2n === 0n || e < 3n || e % 2n === 0n || e >= 2n ** 31n) return undefined;
  const der = (tag, ...parts) => {
    const body = concat(...parts), size = body.length;
    const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 255];
    return concat(Uint8Array.of(tag, ...length), body);
  };
  const number = (v) => {
    const hex = v.toString(16), even = hex.length % 2 ? "0" + hex : hex;
    return der(2, fromHex(even[0] >= "8" ? "00" + even : even));
  };
  const again = der(0x30, rsaAlgorithm, der(3, byte(0), der(0x30, number(n), number(e))));
  return equal(again, spki) ? { n, e } : undefined;
}

/** Whether a signature over a message is good. WebCrypto applies RFC 8032, RFC 8017 and FIPS 186-5. */
async function isSignedBy(format, keyBytes, key, with_, signature, message) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) throw new Error("there is no WebCrypto: load the page over HTTPS");
  try {
    const imported = await subtle.importKey(format, keyBytes, key, false, ["verify"]);
    return await subtle.verify(with_, imported, signature, message);
  } catch (e) {
    if (e.name === "DataError" || e.name === "OperationError") return false; // a key that none can be
    throw e; // an algorithm that this browser does not have
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The kinds of transactions (5)

function outOfBounds(detail) {
  refuse("out-of-bounds", detail);
}

function within(value, least, most, what) {
  if (value < least || value > most) outOfBounds(`the ${what} is not ${least} to ${most}`);
}

const notZero = (bytes, what) => isZero(bytes) && outOfBounds(`the ${what} is zero`);

/** Checks that a list is in strictly ascending order of bytes. */
function ascending(all, what) {
  for (let i = 1; i < all.length; i++) {
    if (compare(all[i - 1], all[i]) >= 0) outOfBounds(`the ${what} are not in ascending order without repetition`);
  }
}

/** Whether a text is a host, then a port, which may be left out where it need not be there. */
function isAuthority(s, needsPort) {
  const found = /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::([1-9][0-9]*))?$/.exec(s);
  if (found === null) return false;
  return found[1] === undefined ? !needsPort : Number(found[1]) <= 65535;
}

function checkURL(url) {
  const [, authority, rest] = /^https:\/\/([^/?]*)(.*)$/s.exec(url) ?? [];
  const isPath = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;
  if (text(url).length > limits.urlBytes) outOfBounds("a URL is too long");
  if (authority === undefined || !isAuthority(authority, false) || !isPath.test(rest)) outOfBounds("not a URL of https");
}

function checkEndpoints(e) {
  checkURL(e.iti43);
  if (e.openings !== "") checkURL(e.openings);
  if (e.rad69 !== "") checkURL(e.rad69);
}

function checkOIDs(oids) {
  if (oids.length > limits.oids) outOfBounds("too many OIDs");
  for (const oid of oids) {
    const isOID = /^(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*$/.test(oid);
    if (!isOID || oid.length > limits.oidBytes || isAlias(oid)) outOfBounds("not an OID, or of the form of an alias");
  }
  ascending(oids.map(text), "OIDs");
}

function checkPeer(peer) {
  const [, at] = /^[1-9A-HJ-NP-Za-km-z]{1,64}@(.*)$/s.exec(peer) ?? [];
  if (peer === "") return;
  if (peer.length > limits.peerBytes || at === undefined || !isAuthority(at, true)) outOfBounds("not a peer");
}

function checkGroups(groups) {
  if (groups.length > limits.groups) outOfBounds("too many groups");
  ascending(groups, "groups");
}

const endpoints = record([1n, "iti43", tstr], [2n, "openings", tstr], [3n, "rad69", tstr]);
const study = sized(32);
const hash = sized(32);

/** The bounds of the params, by label (4.3). */
const paramBounds = [
  [1n, 1000000n], [1n, 366n], [1n, 1000000n], [2n, 10000n], [1n, 1000000n],
  [1n, 315360000n], [1n, 31536000n], [1n, 31536000n], [1n, 604800n], [1n, 1000000n],
  [1n, 3600n], [60n, 31536000n], [1n, 1000000n], [1n, 31536000n], [0n, 1000n],
  [1n, 1000000n],
];
const paramNames = [
  "writesPerUnit", "savedDays", "writesPerStudy", "savedWrites", "writesPerPayer",
  "unbondingTime", "earlierTime", "recoveryTime", "emergencyTime", "changeBlocks",
  "absenceTime", "absenceWindow", "absencesTolerated", "jailTime", "absenceForfeit",
  "emergenciesPerMember",
];
const params = record(...paramNames.map((name, i) => [BigInt(i + 1), name, uint]));

function checkBond(b) {
  notZero(b.source, "source");
  within(b.units, 1n, limits.units, "number of units");
}

/** The shape of each kind's body, and what else its form demands. */
const kinds = {
  "define-source": [
    record(
      [1n, "endpoints", endpoints], [2n, "oids", list(tstr)], [3n, "validatorKey", sized(32)],
      [4n, "proof", sized(64)], [5n, "peer", tstr], [6n, "groups", list(study)],
    ),
    (b) => {
      checkEndpoints(b.endpoints);
      checkOIDs(b.oids);
      checkPeer(b.peer);
      checkGroups(b.groups);
      if (!isSoundEd25519(b.validatorKey)) refuse("unsupported-key", "the validator key is no sound Ed25519 key");
    },
  ],
  "update-source": [
    record([1n, "version", uint], [2n, "endpoints", endpoints], [3n, "peer", tstr], [4n, "groups", list(study)]),
    (b) => {
      checkEndpoints(b.endpoints);
      checkPeer(b.peer);
      checkGroups(b.groups);
    },
  ],
  "rotate-key": [
    record([1n, "version", uint], [2n, "spki", bstr], [3n, "proof", bstr], [4n, "compromised", bool]),
    (b) => {
      within(b.spki.length, 1, limits.spkiBytes, "size of the key");
      within(b.proof.length, 1, limits.signatureBytes, "size of the proof");
      if (!parseKey(b.spki).isForm(b.proof)) refuse("bad-signature", "the proof is no signature by the new key");
    },
  ],
  "bond": [record([1n, "source", id], [2n, "units", uint], [3n, "sequence", uint]), checkBond],
  "unbond": [record([1n, "source", id], [2n, "units", uint], [3n, "sequence", uint]), checkBond],
  "set-params": [
    record(
      [1n, "version", uint], [2n, "params", params], [3n, "payers", list(tuple(["key", id], ["units", uint]))],
      [4n, "height", uint], [5n, "sequence", uint],
    ),
    (b) => {
      paramNames.forEach((name, i) => within(b.params[name], ...paramBounds[i], name));
      if (b.payers.length > limits.payers) outOfBounds("too many payers");
      for (const p of b.payers) {
        notZero(p.key, "payer");
        within(p.units, 0n, limits.units, "number of units");
      }
      ascending(b.payers.map((p) => p.key), "payers");
    },
  ],
  "unjail": [record([1n, "jailing", uint]), () => {}],
  "anchor-receipts": [
    record([1n, "from", int], [2n, "to", int], [3n, "count", uint], [4n, "root", hash]),
    (b) => (b.from <= 0n || b.from >= b.to) && outOfBounds("the period is empty or begins before 1970"),
  ],
  "define-study": [
    record([1n, "studies", list(tuple(["study", study], ["owner", id], ["kind", uint]))]),
    (b) => {
      within(b.studies.length, 1, limits.studiesPerTx, "number of studies");
      for (const s of b.studies) {
        notZero(s.owner, "owner");
        within(s.kind, 1n, 255n, "kind of a study");
      }
      ascending(b.studies.map((s) => s.study), "studies");
    },
  ],
  "amend-study": [record([1n, "study", study], [2n, "revision", uint]), () => {}],
  "hold-study": [record([1n, "study", study], [2n, "revision", uint], [3n, "held", bool]), () => {}],
  "withdraw-study": [record([1n, "study", study], [2n, "revision", uint]), () => {}],
  "transfer-study": [
    record([1n, "study", study], [2n, "epoch", uint], [3n, "newOwner", id]),
    (b) => notZero(b.newOwner, "new owner"),
  ],
  "allow-access": [
    record(
      [1n, "study", study], [2n, "epoch", uint], [3n, "commitment", hash],
      [4n, "notAfter", int], [5n, "scope", uint], [6n, "tier", uint],
    ),
    (b) => {
      notZero(b.commitment, "commitment");
      if (b.notAfter <= 0n) outOfBounds("the grant has no end, or one before 1970");
      within(b.scope, 1n, 7n, "scope");
      within(b.tier, 0n, 3n, "tier");
    },
  ],
  "revoke-access": [
    record([1n, "study", study], [2n, "epoch", uint], [3n, "commitment", hash], [4n, "all", bool]),
    (b) => b.all !== isZero(b.commitment) && outOfBounds("name either one commitment or all"),
  ],
  "set-guardians": [
    record(
      [1n, "study", study], [2n, "epoch", uint], [3n, "round", uint],
      [4n, "threshold", uint], [5n, "guardians", list(hash)], [6n, "delay", uint],
    ),
    (b) => {
      const n = b.guardians.length;
      if (n > limits.guardians) outOfBounds("too many guardians");
      b.guardians.forEach((g) => notZero(g, "guardian"));
      ascending(b.guardians, "guardians");
      within(b.threshold, n ? 1n : 0n, BigInt(n), "number that must agree");
      within(b.delay, 0n, n ? limits.recoveryDelay : 0n, "delay");
    },
  ],
  "recover": [
    record(
      [1n, "study", study], [2n, "ownerSince", uint], [3n, "round", uint],
      [4n, "newOwner", id], [5n, "blind", hash], [6n, "attempt", uint],
    ),
    (b) => {
      notZero(b.newOwner, "new owner");
      within(b.attempt, 1n, limits.attempts, "attempt");
    },
  ],
  "cancel-recovery": [record([1n, "study", study], [2n, "epoch", uint], [3n, "round", uint]), () => {}],
  "emergency-access": [
    record(
      [1n, "study", study], [2n, "group", study], [3n, "blind", hash],
      [4n, "reason", hash], [5n, "notAfter", int],
    ),
    (b) => b.notAfter <= 0n && outOfBounds("the emergency has no end, or one before 1970"),
  ],
};

// ---------------------------------------------------------------------------------------------------------------
// Transactions (3)

const message = tuple(["protected", bstr], ["unprotected", raw], ["payload", bstr], ["signature", bstr]);
const payload = tuple(["kind", tstr], ["body", raw]);
const protectedHeader = record([1n, "alg", int], [-65537n, "spki", bstr]);
const tagSign1 = 0xd2;

/**
 * What a transaction's signature is over (3.3), the Sig_structure of RFC 9052.
 * @param {string} chainID
 * @param {Uint8Array} protectedBytes
 * @param {Uint8Array} payloadBytes
 * @returns {Uint8Array}
 */
export function sigStructure(chainID, protectedBytes, payloadBytes) {
  const aad = tagged("collimate/tx/v1", text(chainID));
  return concat(head(majors.array, 4), textItem("Signature1"), bytesItem(protectedBytes), bytesItem(aad), bytesItem(payloadBytes));
}

/** Whether a text is a chain id (2.1). */
const isChainID = (s) => /^[A-Za-z0-9._-]{1,50}$/.test(s);

/**
 * Reads a transaction and verifies its signature for one chain (3). What needs the state is not checked.
 * @param {string} chainID
 * @param {Uint8Array} bytes
 * @returns {Promise<{id: Uint8Array, signer: Uint8Array, kind: string, body: object}>} TxID, KeyID, fields
 */
export async function parseTransaction(chainID, bytes) {
  if (bytes.length > limits.txBytes) refuse("too-large", `more than ${limits.txBytes} bytes`);
  if (bytes[0] !== tagSign1) refuse("malformed", "not a tagged COSE_Sign1 message");
  const m = decode(bytes.subarray(1), message, "message");
  if (!equal(m.unprotected, byte(0xa0))) refuse("malformed", "the unprotected header is not an empty map");
  if (!m.protected.length || !m.payload.length || !m.signature.length) refuse("malformed", "header, payload or signature is empty");
  if (m.signature.length > limits.signatureBytes) outOfBounds("the signature is too long");

  const { kind, body: bodyBytes } = decode(m.payload, payload, "payload");
  if (!Object.hasOwn(kinds, kind)) refuse("unknown-kind", "no such kind of transaction");
  const [shape, form] = kinds[kind];
  const body = decode(bodyBytes, shape, `${kind} body`);
  form(body);

  if (!isChainID(chainID)) outOfBounds("the chain id is none");
  const { alg, spki } = decode(m.protected, protectedHeader, "protected header");
  if (spki.length > limits.spkiBytes) outOfBounds("the signer's key is too long");
  const key = parseKey(spki);
  if (alg !== key.alg) refuse("unsupported-key", "the algorithm is not that of the signer's key");
  if (!key.isForm(m.signature)) refuse("bad-signature", "the signature has not its one form");
  const signed = sigStructure(chainID, m.protected, m.payload);
  if (!(await isSignedBy("spki", spki, key.key, key.with, m.signature, signed))) {
    refuse("bad-signature", "the signature is not the signer's for this chain");
  }
  return { id: sha256(bytes), signer: sha256(spki), kind, body };
}

// ---------------------------------------------------------------------------------------------------------------
// Proofs about the state (7)

const leaf = tuple(["path", hash], ["valueHash", hash]);
const stateProof = tuple(["bitmap", bstr], ["depth", uint], ["siblings", bstr], ["other", optional(leaf)]);

const bitAt = (bytes, i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1;
const zeroHash = new Uint8Array(32);

/**
 * Verifies that a key has a value in the state of an app hash, or that it has none (7.3).
 * @param {Uint8Array} appHash
 * @param {Uint8Array} key
 * @param {?Uint8Array} value null: the key is absent
 * @param {Uint8Array} proof
 */
export function verifyStateProof(appHash, key, value, proof) {
  const wrong = (detail) => refuse("wrong-proof", detail);
  if (proof.length > limits.proofBytes) wrong("the proof is too long");
  let p;
  try {
    p = decode(proof, stateProof, "proof");
  } catch (e) {
    throw e instanceof VerifyError ? new VerifyError("wrong-proof", e.message) : e;
  }
  if (p.depth > 256n) wrong("deeper than a path");
  const depth = Number(p.depth), path = sha256(key);
  if (p.bitmap.length !== (depth + 7) >> 3) wrong("the bitmap has another length");
  for (let i = depth; i < 8 * p.bitmap.length; i++) {
    if (bitAt(p.bitmap, i)) wrong("the bitmap has bits below the depth");
  }
  if (depth > 0 && !bitAt(p.bitmap, depth - 1)) wrong("deeper than needed");

  let at = zeroHash;
  if (value !== null) {
    if (p.other !== null) wrong("another leaf besides the value");
    at = leafHash(path, sha256(value));
  } else if (p.other !== null) {
    if (equal(p.other.path, path)) wrong("the key is there");
    for (let i = 0; i < depth; i++) {
      if (bitAt(p.other.path, i) !== bitAt(path, i)) wrong("another leaf in another place");
    }
    at = leafHash(p.other.path, p.other.valueHash);
  }
  let end = p.siblings.length;
  for (let i = depth - 1; i >= 0; i--) {
    let sibling = zeroHash;
    if (bitAt(p.bitmap, i)) {
      if (end < 32) wrong("a sibling is missing");
      sibling = p.siblings.subarray(end - 32, end);
      end -= 32;
      if (isZero(sibling)) wrong("an empty sibling");
    }
    at = bitAt(path, i) ? innerHash(sibling, at) : innerHash(at, sibling);
  }
  if (end !== 0) wrong("too many siblings");
  if (!equal(at, appHash)) wrong("not of this app hash");
}

/**
 * The app hash of a whole state (7.1), for who holds all of it.
 * @param {[Uint8Array, Uint8Array][]} records keys and values, no key twice
 * @returns {Uint8Array}
 */
export function appHash(records) {
  const subtree = (leaves, depth) => {
    if (leaves.length === 0) return zeroHash;
    if (leaves.length === 1) return leafHash(leaves[0].path, leaves[0].valueHash);
    const side = (b) => subtree(leaves.filter((l) => bitAt(l.path, depth) === b), depth + 1);
    return innerHash(side(0), side(1));
  };
  return subtree(records.map(([key, value]) => ({ path: sha256(key), valueHash: sha256(value) })), 0);
}

const leafHash = (path, valueHash) => sha256(concat(byte(0), path, valueHash));
const innerHash = (left, right) => sha256(concat(byte(1), left, right));

/** Keys of the state (4.1) that a bundle may be about. The arguments are 32 bytes each, an OID is a text. */
export const stateKey = Object.freeze({
  params: () => concat(byte(0x01), text("params")),
  validator: (key) => concat(byte(0x02), key),
  source: (source) => concat(byte(0x03), source),
  oid: (oid) => concat(byte(0x04), text(oid)),
  study: (of) => concat(byte(0x05), of),
  grant: (of, commitmentOf) => concat(byte(0x06), of, commitmentOf),
  rotated: (key) => concat(byte(0x07), key),
  guardians: (of) => concat(byte(0x0d), of),
  recovery: (of) => concat(byte(0x0e), of),
  emergency: (of, key) => concat(byte(0x0f), of, key),
});

// ---------------------------------------------------------------------------------------------------------------
// Light blocks (8.1, 8.2): what the engine hashes and signs is protobuf

function varint(n) {
  const out = [];
  for (; n >= 128n; n >>= 7n) out.push(Number(n & 127n) | 128);
  out.push(Number(n));
  return Uint8Array.from(out);
}

const none = new Uint8Array(0);
const wireTag = (field, wire) => byte((field << 3) | wire);
const pbVarint = (field, n) => n === 0n ? none : concat(wireTag(field, 0), varint(n));
const pbMessage = (field, m) => concat(wireTag(field, 2), varint(BigInt(m.length)), m);
const pbBytes = (field, b) => b.length === 0 ? none : pbMessage(field, b);

function pbFixed64(field, n) {
  if (n === 0n) return none;
  const b = new Uint8Array(8);
  new DataView(b.buffer).setBigInt64(0, n, true);
  return concat(wireTag(field, 1), b);
}

const pbTime = (nanos) => concat(pbVarint(1, nanos / 1000000000n), pbVarint(2, nanos % 1000000000n));
const orNone = (h) => isZero(h) ? none : h;
const pbParts = (b) => concat(pbVarint(1, b.partsTotal), pbBytes(2, orNone(b.partsHash)));
const pbBlockID = (b) => concat(pbBytes(1, orNone(b.hash)), pbMessage(2, pbParts(b)));

/** The Merkle tree hash of one or more leaves. RFC 6962 section 2.1 */
function merkleRoot(leaves) {
  if (leaves.length === 1) return sha256(concat(byte(0), leaves[0]));
  let split = 1;
  while (2 * split < leaves.length) split *= 2;
  return innerHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/**
 * The hash of a header (8.2).
 * @param {object} h header of a light block
 * @returns {Uint8Array}
 */
export function headerHash(h) {
  return merkleRoot([
    concat(pbVarint(1, h.blockVersion), pbVarint(2, h.appVersion)),
    pbBytes(1, text(h.chainID)),
    pbVarint(1, h.height),
    pbTime(h.time),
    pbBlockID(h.lastBlockID),
    ...headerHashes.map((name) => pbBytes(1, h[name])),
    pbBytes(1, h.proposerAddress),
  ]);
}

/** The hash under which a header names its validators (8.2). @param {{key: Uint8Array, power: bigint}[]} validators */
export function validatorsHash(validators) {
  return merkleRoot(validators.map((v) => concat(pbMessage(1, pbBytes(1, v.key)), pbVarint(2, v.power))));
}

/** What a validator signs to vote for a block at a time (8.2). @returns {Uint8Array} */
export function voteBytes(block, time, hashOfHeader = headerHash(block.header)) {
  const { header: h, commit: c } = block;
  const vote = concat(
    pbVarint(1, 2n), // precommit
    pbFixed64(2, h.height),
    pbFixed64(3, c.round),
    pbMessage(4, pbBlockID({ hash: hashOfHeader, partsTotal: c.partsTotal, partsHash: c.partsHash })),
    pbMessage(5, pbTime(time)),
    pbBytes(6, text(h.chainID)),
  );
  return concat(varint(BigInt(vote.length)), vote);
}

const headerHashes = [
  "lastCommitHash", "dataHash", "validatorsHash", "nextValidatorsHash",
  "consensusHash", "appHash", "lastResultsHash", "evidenceHash",
];
const blockID = tuple(["hash", hash], ["partsTotal", uint32], ["partsHash", hash]);
const header = tuple(
  ["blockVersion", uint], ["appVersion", uint], ["chainID", tstr], ["height", int], ["time", int],
  ["lastBlockID", blockID], ...headerHashes.map((name) => [name, hash]), ["proposerAddress", sized(20)],
);
const vote = tuple(["time", int], ["signature", sized(64)]);
const commit = tuple(["round", int32], ["partsTotal", uint32], ["partsHash", hash], ["votes", list(optional(vote))]);
const validator = tuple(["key", sized(32)], ["power", int]);
const lightBlock = tuple(["header", header], ["commit", commit], ["validators", list(validator)]);
const entry = tuple(["key", bstr], ["value", optional(bstr)], ["proof", bstr]);
const bundleShape = tuple(["blocks", list(lightBlock)], ["entries", list(entry)]);

/**
 * Decodes a light block (8.1). It has been checked for its form and for nothing else.
 * @param {Uint8Array} bytes
 * @returns {{header: object, commit: object, validators: {key: Uint8Array, power: bigint}[]}}
 */
export function decodeLightBlock(bytes) {
  if (bytes.length > limits.blockBytes) refuse("too-large", `more than ${limits.blockBytes} bytes`);
  const block = decode(bytes, lightBlock, "light block");
  checkBlock(block);
  return block;
}

/**
 * Decodes a bundle (8.4). It has been checked for its form and for nothing else.
 * @param {Uint8Array} bytes
 * @returns {{blocks: object[], entries: {key: Uint8Array, value: ?Uint8Array, proof: Uint8Array}[]}}
 */
export function decodeBundle(bytes) {
  if (bytes.length > limits.bundleBytes) refuse("too-large", `more than ${limits.bundleBytes} bytes`);
  const bundle = decode(bytes, bundleShape, "bundle");
  within(bundle.blocks.length, 1, limits.blocks, "number of blocks");
  within(bundle.entries.length, 1, limits.entries, "number of entries");
  bundle.blocks.forEach(checkBlock);
  for (const e of bundle.entries) {
    within(e.key.length, 1, limits.keyBytes, "size of a key");
    within(e.proof.length, 1, limits.proofBytes, "size of a proof");
  }
  return bundle;
}

function checkBlock({ header: h, commit: c, validators }) {
  within(text(h.chainID).length, 1, limits.chainIDBytes, "size of the chain id");
  within(h.height, 1n, maxInt64, "height");
  within(h.time, 1n, maxInt64, "time");
  within(c.round, 0n, maxInt64, "round");
  if (c.votes.length !== validators.length) outOfBounds("not as many votes as validators");
  for (const v of c.votes) if (v !== null) within(v.time, 1n, maxInt64, "time of a vote");
  checkValidators(validators);
}

function checkValidators(validators) {
  within(validators.length, 1, limits.validators, "number of validators");
  const seen = new Set();
  let total = 0n;
  for (const v of validators) {
    within(v.power, 1n, limits.totalPower - total, "power of a validator");
    total += v.power;
    seen.add(toHex(v.key));
  }
  if (seen.size < validators.length) outOfBounds("a validator has the key of another");
}

// ---------------------------------------------------------------------------------------------------------------
// Trust (8.3)

/**
 * What a client takes for the truth: a genesis, or a header.
 * @typedef {object} Trusted
 * @property {string} chainID
 * @property {bigint} height 0 for a genesis
 * @property {bigint} time Unix time in nanoseconds
 * @property {Uint8Array} hash of the header; zeros for a genesis
 * @property {Uint8Array} appHash of the state after the block before; zeros for a genesis
 * @property {Uint8Array} nextValidatorsHash
 * @property {{key: Uint8Array, power: bigint}[]} validators of this block; for a genesis those of the first
 */

/**
 * How far a client trusts.
 * @typedef {object} Policy
 * @property {bigint} trustingPeriod nanoseconds after its time for which a header is trusted
 * @property {bigint} clockDrift nanoseconds that a header may be ahead of the clock
 */

/**
 * Trusts the validators with which a chain begins.
 * @param {string} chainID
 * @param {bigint} time Unix time in nanoseconds
 * @param {{key: Uint8Array, power: bigint}[]} validators in the order of 8.2
 * @returns {Trusted}
 */
export function trustGenesis(chainID, time, validators) {
  checkValidators(validators);
  within(text(chainID).length, 1, limits.chainIDBytes, "size of the chain id");
  const nextValidatorsHash = validatorsHash(validators);
  return { chainID, height: 0n, time, hash: zeroHash, appHash: zeroHash, nextValidatorsHash, validators };
}

/**
 * Trusts a light block because the caller does: one that was verified and kept, or whose hash came from somebody
 * whom the client's owner believes. It checks that the block is whole, not who voted for it.
 * @param {object} block of decodeLightBlock
 * @returns {Trusted}
 */
export function trustBlock(block) {
  checkBlock(block);
  const h = block.header;
  if (!equal(validatorsHash(block.validators), h.validatorsHash)) refuse("wrong-validators", "not those that the header names");
  return {
    chainID: h.chainID, height: h.height, time: h.time, hash: headerHash(h), appHash: h.appHash,
    nextValidatorsHash: h.nextValidatorsHash, validators: block.validators,
  };
}

/**
 * Returns what may be trusted instead of what is, after a later block.
 * @param {Trusted} trusted
 * @param {object} block of decodeLightBlock
 * @param {Policy} policy
 * @param {bigint} now Unix time in nanoseconds
 * @returns {Promise<Trusted>}
 */
export async function verifyLightBlock(trusted, block, policy, now) {
  const next = trustBlock(block);
  const isSame = equal(next.hash, trusted.hash);
  if (next.chainID !== trusted.chainID) refuse("other-chain", "the header is of another chain");
  if (now >= trusted.time + policy.trustingPeriod) refuse("expired", "get a recent header from a party that you believe");
  if (next.time >= now + policy.clockDrift) refuse("future", "the header is ahead of the clock");
  if (!isSame) {
    if (next.height <= trusted.height) refuse("not-newer", "the height is not above the trusted one");
    const sameTime = next.time === trusted.time && trusted.height > 0n; // block 1 has the time of the genesis
    if (next.time < trusted.time || sameTime) refuse("not-newer", "the time is not after the trusted one");
  }
  await verifyVotes(block, next.hash, quorum(trusted, block));
  return next;
}

/**
 * Returns how many votes, from the first on, are enough: of two thirds of the power of the block's validators, and unless
 * these follow from the trusted ones, of a third of the power of those. The votes beyond show nothing more.
 */
function quorum(trusted, block) {
  const { header, commit, validators } = block;
  const known = new Map();
  let trustedPower = 0n, total = 0n, voted = 0n, votedOfTrusted = 0n;
  if (header.height > trusted.height + 1n) {
    for (const v of trusted.validators) {
      known.set(toHex(v.key), v.power);
      trustedPower += v.power;
    }
  } else if (header.height === trusted.height + 1n && !equal(header.validatorsHash, trusted.nextValidatorsHash)) {
    refuse("wrong-validators", "not those that the header before names");
  }
  for (const v of validators) total += v.power;
  for (const [i, v] of validators.entries()) {
    if (commit.votes[i] === null) continue;
    voted += v.power;
    if (trustedPower > 0n) votedOfTrusted += known.get(toHex(v.key)) ?? 0n;
    if (3n * voted > 2n * total && (trustedPower === 0n || 3n * votedOfTrusted > trustedPower)) return i + 1;
  }
  if (trustedPower > 0n && 3n * votedOfTrusted <= trustedPower) {
    refuse("not-trusted", "a third or less of the trusted power voted: verify a block between first");
  }
  return refuse("not-enough-power", "two thirds or less of the power voted");
}

/** Verifies those of the first n votes that are there. */
async function verifyVotes(block, hashOfHeader, n) {
  const ed25519 = { name: "Ed25519" };
  const good = await Promise.all(block.commit.votes.slice(0, n).map((v, i) => {
    if (v === null) return true;
    const { key } = block.validators[i];
    return isSignedBy("raw", key, ed25519, ed25519, v.signature, voteBytes(block, v.time, hashOfHeader));
  }));
  if (!good.every((g) => g)) refuse("bad-signature", "a vote is not signed by its validator");
}

/**
 * Verifies a bundle (8.4): its blocks one after the other, beginning with what is trusted, and its entries
 * against the app hash of the last. The entries held after the block before that header. Whether that is recent
 * enough is for the caller to decide, by the time of what is returned: a node can always show an old state.
 * @param {Trusted} trusted
 * @param {Uint8Array} bytes
 * @param {Policy} policy
 * @param {bigint} now Unix time in nanoseconds
 * @returns {Promise<{trusted: Trusted, entries: {key: Uint8Array, value: ?Uint8Array}[]}>}
 */
export async function verifyBundle(trusted, bytes, policy, now) {
  const bundle = decodeBundle(bytes);
  for (const block of bundle.blocks) trusted = await verifyLightBlock(trusted, block, policy, now);
  for (const e of bundle.entries) verifyStateProof(trusted.appHash, e.key, e.value, e.proof);
  return { trusted, entries: bundle.entries.map(({ key, value }) => ({ key, value })) };
}
