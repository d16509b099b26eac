// Writes ABI, creation bytecode, and runtime code with the places of its immutables (32 bytes each)
// of the contracts that Python uses to portal/escrow/abi.
// `--check` writes nothing and fails when the committed files differ from this build.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CONTRACTS = ["Escrow", "Vault", "TestUSDT"];
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "..", "portal", "escrow", "abi");
const checkOnly = process.argv.includes("--check");

function artefact(name) {
  const built = JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
  const { object: runtime, immutableReferences = {} } = built.deployedBytecode;
  const places = Object.values(immutableReferences).flat();
  const immutables = places.map(({ start }) => start).sort((a, b) => a - b);
  const content = { contract: name, abi: built.abi, bytecode: built.bytecode.object, runtime, immutables };
  return `${JSON.stringify(content, null, 1)}\n`;
}

mkdirSync(target, { recursive: true });
let stale = [];
for (const name of CONTRACTS) {
  const path = join(target, `${name}.json`);
  const text = artefact(name);
  if (!checkOnly) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) stale.push(path);
}
if (stale.length) {
  console.error(`differs from the sources, run npm run build: ${stale.join(", ")}`);
  process.exit(1);
}
