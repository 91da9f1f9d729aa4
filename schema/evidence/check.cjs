// Checks an evidence bundle with @sigstore/verify, which is not ours: signature, root and path are its work.
//
//   npm install @sigstore/verify && node check.cjs BUNDLE 'KEY of the ledger'
//
// KEY is a line NAME+HASH+KEY, from whoever you trust, not from the bundle. Witnesses are not looked at here.
"use strict";
const { createPublicKey } = require("node:crypto");
const { readFileSync, readdirSync } = require("node:fs");
const { dirname, join } = require("node:path");

// The two functions that its verifier of Rekor's log is made of; it exports no others for a log of another kind.
const verify = join(dirname(require.resolve("@sigstore/verify")), "tlog");
const { verifyCheckpoint } = require(join(verify, "checkpoint.js"));
const { verifyMerkleInclusion } = require(join(verify, "merkle.js"));

const [, , bundle, given] = process.argv;
const [, name, hash, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(given.trim());
const key = Buffer.from(encoded, "base64");
if (key.length !== 33 || key[0] !== 1) throw new Error("not the Ed25519 key of a signed note");
const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.subarray(1)]);
const log = {
  logID: Buffer.from(hash, "hex"),
  baseURL: name,
  publicKey: createPublicKey({ key: der, format: "der", type: "spki" }),
};

function check(entry, proof) {
  const end = proof.indexOf("\n\n");
  const [kind, index, ...hashes] = proof.slice(0, end).split("\n");
  const found = /^index (0|[1-9][0-9]*)$/.exec(index);
  if (end < 0 || kind !== "c2sp.org/tlog-proof@v1" || !found) throw new Error("not a proof");
  const said = {
    canonicalizedBody: entry,
    inclusionProof: {
      logIndex: found[1],
      hashes: hashes.map((line) => Buffer.from(line, "base64")),
      checkpoint: { envelope: proof.slice(end + 2) },
    },
  };
  const checkpoint = verifyCheckpoint(said, [log]);
  if (checkpoint.origin !== name || checkpoint.rest.length) throw new Error(`a checkpoint of ${checkpoint.origin}`);
  verifyMerkleInclusion(said, checkpoint);
}

const entries = readdirSync(join(bundle, "entries"));
const proofs = readdirSync(join(bundle, "proofs"));
if (!entries.length || entries.length !== proofs.length) throw new Error(`${entries.length} entries, ${proofs.length} proofs`);
for (const file of entries) {
  const proof = join(bundle, "proofs", file.replace(/\.json$/, ".tlog-proof"));
  try {
    check(readFileSync(join(bundle, "entries", file)), readFileSync(proof, "utf8"));
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    process.exit(1);
  }
}
console.log(`ok: ${entries.length} entries are under the checkpoint, which ${name} has signed`);
