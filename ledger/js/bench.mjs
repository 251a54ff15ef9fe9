// Times collimate-verify.mjs over the bundles of light.json that are as a wallet meets them: in Node
//
//	node ledger/js/bench.mjs
//
// or in a browser, from a page that imports run and hands it the vectors.

import * as verify from "./collimate-verify.mjs";

/**
 * Verifies each bundle again and again.
 * @param {object[]} vectors of light.json
 * @param {number} times
 * @returns {Promise<string[]>} a line for each bundle: the first time, which is what a wallet feels, and the median
 */
export async function run(vectors, times = 100) {
  const lines = [];
  for (const v of vectors.filter((o) => o.name.endsWith("of 100000 records"))) {
    const validators = v.genesis.validators.map((o) => ({ key: verify.fromHex(o.key), power: BigInt(o.power) }));
    const trusted = verify.trustGenesis(v.genesis.chain_id, BigInt(v.genesis.time), validators);
    const bytes = verify.fromHex(v.bundle);
    const policy = { trustingPeriod: BigInt(v.trusting_period), clockDrift: BigInt(v.clock_drift) };
    const took = [];
    for (let i = 0; i < times; i++) {
      const begun = performance.now();
      await verify.verifyBundle(trusted, bytes, policy, BigInt(v.now));
      took.push(performance.now() - begun);
    }
    const [first] = took;
    const median = took.sort((a, b) => a - b)[times >> 1];
    lines.push(`${v.name}, ${bytes.length} bytes: first ${first.toFixed(1)} ms, median ${median.toFixed(2)} ms`);
  }
  return lines;
}

if (globalThis.process?.argv?.[1]?.endsWith("bench.mjs")) {
  const { readFile } = await import("node:fs/promises");
  const vectors = JSON.parse(await readFile(new URL("../testdata/vectors/light.json", import.meta.url), "utf8"));
  console.log((await run(vectors)).join("\n"));
}
