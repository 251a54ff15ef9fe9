// Runs all vectors of docs/ledger-spec.md section 11 through collimate-verify.mjs:
//
//	node ledger/js/vectors.mjs [directory of the vectors]
//
// It prints how many there are in each file, and ends with status 1 at the first difference.

import { readFile, readdir } from "node:fs/promises";
import { createPrivateKey, sign } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as verify from "./collimate-verify.mjs";

const { fromHex, toHex } = verify;

/** Fails unless two values are the same; byte strings are given in hexadecimal. */
function same(what, got, want) {
  const of = (v) => v instanceof Uint8Array ? toHex(v) : v;
  if (of(got) !== of(want)) throw new Error(`${what}: got ${of(got)}, want ${of(want)}`);
}

/** Returns the code with which something is refused, undefined if it is not. */
async function codeOf(attempt) {
  try {
    await attempt();
    return undefined;
  } catch (e) {
    if (e instanceof verify.VerifyError) return e.code;
    throw e;
  }
}

/** Signs as an Ed25519 key with a seed does. RFC 8032 has one signature for each message. */
function signed(seed, message) {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), fromHex(seed)]);
  return new Uint8Array(sign(null, message, createPrivateKey({ key: der, format: "der", type: "pkcs8" })));
}

/** What each file's vectors demand. */
const files = {
  "keys.json"(v) {
    const id = verify.keyID(fromHex(v.spki));
    same("key id", id, v.key_id);
    same("alias", verify.alias(id), v.alias);
  },
  "studies.json"(v) {
    const id = verify.studyID(fromHex(v.salt), v.study_instance_uid);
    same("study id", id, v.study_id);
    for (const [kind, oid] of Object.entries(v.documents)) same(kind, verify.documentUniqueID(id, kind), oid);
  },
  "groups.json"(v) {
    same("study id", verify.groupID(fromHex(v.nonce), fromHex(v.source), fromHex(v.owner)), v.study_id);
  },
  "commitments.json"(v) {
    const blind = fromHex(v.blind);
    const of = { grantee: verify.commitment, group: verify.groupCommitment, guardian: verify.guardian }[v.of];
    same("commitment", of ? of(blind, fromHex(v.key_id), fromHex(v.study_id)) : verify.reason(blind, v.text), v.commitment);
  },
  async "transactions.json"(v) {
    const raw = fromHex(v.raw);
    const tx = await verify.parseTransaction(v.chain_id, raw);
    same("id", tx.id, v.tx_id);
    same("signer", tx.signer, v.signer);
    // The message is the protected header in its length, the payload, and the signature over both.
    const head = raw.subarray(2);
    const protectedBytes = head.subarray(head[0] === 0x58 ? 2 : head[0] === 0x59 ? 3 : 1).subarray(0, lengthOf(head));
    const structure = verify.sigStructure(v.chain_id, protectedBytes, fromHex(v.payload));
    same("sig structure", structure, v.sig_structure);
    if (v.ed25519_seed) same("signature", raw.subarray(-64), toHex(signed(v.ed25519_seed, structure)));
  },
  async "invalid.json"(v) {
    same("code", await codeOf(() => verify.parseTransaction(v.chain_id, fromHex(v.raw))), v.code);
  },
  // The rules need a state, which this program does not keep. Of a scenario it checks that the transactions are
  // signed and well formed, also those that the state refuses, and where the records stand that a decision rests on.
  async "rules.json"(v) {
    let chainID;
    const guardians = [];
    for (const { genesis, block, decide } of v.steps) {
      chainID = genesis?.chain_id ?? chainID;
      for (const [i, raw] of (block?.transactions ?? []).entries()) {
        const tx = await verify.parseTransaction(chainID, fromHex(raw));
        if (tx.kind === "set-guardians") guardians.push(...tx.body.guardians.map(toHex));
        if (tx.kind !== "recover" || block.results[i] !== "") continue;
        const guardian = toHex(verify.guardian(tx.body.blind, tx.signer, tx.body.study));
        if (!guardians.includes(guardian)) throw new Error("a recovery by no guardian");
      }
      const places = decide ? placesOf(decide) : [];
      for (const key of decide?.keys ?? []) {
        if (!places.includes(key)) throw new Error(`a decision rests on ${key}, which is none of ${places}`);
      }
    }
  },
  async "state-tree.json"(v) {
    same("app hash", verify.appHash(v.records.map((r) => [fromHex(r.key), fromHex(r.value)])), v.app_hash);
    for (const p of v.proofs) {
      const value = p.value === null ? null : fromHex(p.value);
      const [root, key, proof] = [v.app_hash, p.key, p.proof].map(fromHex);
      same(p.name, await codeOf(() => verify.verifyStateProof(root, key, value, proof)), p.reason ? "wrong-proof" : undefined);
    }
  },
  // Of a snapshot it checks that the manifest is of the state; chunks are for those who keep one.
  "snapshot.json"(v) {
    const records = v.records.map((r) => [fromHex(r.key), fromHex(r.value)]);
    for (let n = 0; n < v.numbered; n++) {
      const hash = verify.sha256(new TextEncoder().encode(`record ${n}`));
      records.push([Uint8Array.of(5, ...hash), Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n)]);
    }
    const [, chainID, height, time, appHash, , subtrees] = verify.decodeCBOR(fromHex(v.manifest));
    same("chain id", chainID, v.chain_id);
    same("height", height, BigInt(v.height));
    same("time", time, BigInt(v.time_ns));
    same("app hash", verify.appHash(records), toHex(appHash));
    same("leaves", subtrees.reduce((sum, [leaves]) => sum + leaves, 0n), BigInt(records.length));
  },
  async "light.json"(v) {
    let trusted;
    same("code", await codeOf(async () => ({ trusted } = await verified(v))), v.code);
    if (!v.want) return;
    same("height", trusted.height, BigInt(v.want.height));
    same("time", trusted.time, BigInt(v.want.time));
    same("header hash", trusted.hash, v.want.header_hash);
    same("app hash", trusted.appHash, v.want.app_hash);
    const bytes = fromHex(v.block ?? v.bundle);
    const block = v.block ? verify.decodeLightBlock(bytes) : verify.decodeBundle(bytes).blocks.at(-1);
    same("validators hash", verify.validatorsHash(block.validators), v.want.validators_hash);
    same("vote", verify.voteBytes(block, block.commit.votes.find((vote) => vote !== null).time), v.want.vote_bytes);
  },
  // The next are not of the specification; they serve to compare two programs.
  "names.json"(v) {
    const of = v.state_key ? verify.stateKey : verify;
    same(v.name, of[v.name](...v.arguments.map(fromHex), ...v.texts), v.want);
  },
  async "damaged-transactions.json"(v) {
    same("code", form(await codeOf(() => verify.parseTransaction(v.chain_id, fromHex(v.raw)))), form(v.code));
  },
  async "damaged-bundles.json"(v) {
    same("code", form(await codeOf(() => verified(v))), form(v.code));
  },
};

/** The keys of the state on which a decision may rest. */
function placesOf(decide) {
  const of = Object.fromEntries(["source", "study", "requester", "group", "commitment"].map((name) => [name, fromHex(decide[name])]));
  const { stateKey, commitment, groupCommitment } = verify;
  const keys = [
    stateKey.source(of.source), stateKey.study(of.study), stateKey.emergency(of.study, of.requester),
    stateKey.study(of.group), stateKey.grant(of.group, of.commitment),
  ];
  for (const o of decide.openings ?? []) {
    const [blind, group, membership] = [o.blind, o.group, o.membership].map(fromHex);
    keys.push(
      stateKey.grant(of.study, commitment(blind, of.requester, of.study)),
      stateKey.grant(of.study, groupCommitment(blind, group, of.study)),
      stateKey.study(group), stateKey.grant(group, commitment(membership, of.requester, group)),
    );
  }
  return keys.map(toHex);
}

/** Which of the codes of form is said may depend on the decoder, if several apply. */
function form(code) {
  return ["malformed", "not-canonical", "out-of-bounds"].includes(code) ? "one of form" : code;
}

/** Verifies the block or the bundle of a vector. */
async function verified(v) {
  const policy = { trustingPeriod: BigInt(v.trusting_period), clockDrift: BigInt(v.clock_drift) };
  const trusted = v.genesis ? trustedGenesis(v.genesis) : verify.trustBlock(verify.decodeLightBlock(fromHex(v.trusted)));
  if (v.bundle) return verify.verifyBundle(trusted, fromHex(v.bundle), policy, BigInt(v.now));
  const block = verify.decodeLightBlock(fromHex(v.block));
  return { trusted: await verify.verifyLightBlock(trusted, block, policy, BigInt(v.now)) };
}

function trustedGenesis(g) {
  const address = (o) => toHex(verify.sha256(o.key).subarray(0, 20));
  const validators = g.validators.map((o) => ({ key: fromHex(o.key), power: BigInt(o.power) }));
  // The engine's order, whatever that of the genesis file is.
  validators.sort((a, b) => (a.power === b.power ? (address(a) < address(b) ? -1 : 1) : a.power > b.power ? -1 : 1));
  return verify.trustGenesis(g.chain_id, BigInt(g.time), validators);
}

/** The length that the head of a byte string gives. */
function lengthOf(head) {
  if (head[0] === 0x58) return head[1];
  if (head[0] === 0x59) return head[1] * 256 + head[2];
  return head[0] - 0x40;
}

async function main(directory) {
  let total = 0;
  for (const name of (await readdir(directory)).filter((f) => f.endsWith(".json")).sort()) {
    if (!files[name]) {
      console.log(`${name}: not known to this program`);
      return 1;
    }
    const all = JSON.parse(await readFile(`${directory}/${name}`, "utf8"));
    for (const [i, v] of all.entries()) {
      try {
        await files[name](v);
      } catch (e) {
        console.log(`${name}, vector ${i + 1} (${v.name ?? "no name"}): ${e.stack}`);
        return 1;
      }
    }
    console.log(`${name}: ${all.length} vectors`);
    total += all.length;
  }
  console.log(`${total} vectors agree`);
  return total > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv[2] ?? fileURLToPath(new URL("../testdata/vectors", import.meta.url)));
