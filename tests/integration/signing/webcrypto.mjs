// Signs and verifies bodies with WebCrypto over a canonical form (RFC 8785) of its own: what a DashClaw client in
// JavaScript does. Reads one job per line from stdin and writes one answer per line, all as JSON.

import { createInterface } from "node:readline";

const { subtle } = globalThis.crypto;
const NAMES = {
  "RSASSA-PKCS1-v1_5": { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  Ed25519: { name: "Ed25519" },
};

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  // The default order of sort() is that of UTF-16 code units, as the standard wants it.
  const pairs = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${pairs.join(",")}}`;
}

const bytes = (body) => new TextEncoder().encode(canonical(body));
const base64 = (data) => Buffer.from(data).toString("base64");

async function sign({ algorithm, key, bodies }) {
  const how = NAMES[algorithm];
  const imported = await subtle.importKey("jwk", key, how, false, ["sign"]);
  return Promise.all(bodies.map(async (text) => {
    const body = JSON.parse(text);
    const signature = await subtle.sign(how, imported, bytes(body));
    return JSON.stringify({ ...body, _signature: base64(signature) });
  }));
}

async function verify({ algorithm, key, bodies }) {
  const how = NAMES[algorithm];
  const der = Buffer.from(key.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
  const imported = await subtle.importKey("spki", der, how, false, ["verify"]);
  return Promise.all(bodies.map((text) => {
    const { _signature, ...body } = JSON.parse(text);
    return subtle.verify(how, imported, Buffer.from(_signature, "base64"), bytes(body));
  }));
}

const form = async ({ bodies }) => bodies.map((text) => base64(bytes(JSON.parse(text))));
const WORK = { sign, verify, form };

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const job = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await WORK[job.work](job))}\n`);
}
