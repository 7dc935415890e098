"use strict";
const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const root = path.join(__dirname, "..", "..");
const script = path.join(root, "tools", "storage-layout");
const variable = (label, slot, type) => ({ astId: 1, contract: "A.sol:A", label, offset: 0, slot, type });
const types = {
  t_address: { encoding: "inplace", label: "address", numberOfBytes: "20" },
  t_uint256: { encoding: "inplace", label: "uint256", numberOfBytes: "32" },
  "t_enum(Mode)3": { encoding: "inplace", label: "enum Mode", numberOfBytes: "1" },
};
const layout = (...storage) => ({ storage, types });
const owner = (slot) => variable("owner", slot, "t_address");
const mode = (slot) => variable("mode", slot, "t_enum(Mode)3");

function compare(from, to) {
  const input = JSON.stringify([{ contract: "A", from, to }]);
  const run = spawnSync(script, { cwd: root, input, encoding: "utf8" });
  assert.strictEqual(run.status, 0, run.stderr);
  return JSON.parse(run.stdout)[0].problems;
}

test("appended variables are no problem", () => {
  const more = variable("more", "2", "t_uint256");
  assert.deepStrictEqual(compare(layout(owner("0"), mode("1")), layout(owner("0"), mode("1"), more)), []);
});

test("what moves or changes is named", () => {
  const before = layout(owner("0"), mode("1"));
  const inserted = compare(before, layout(variable("first", "0", "t_uint256"), owner("1"), mode("2")));
  assert.deepStrictEqual(inserted.map((each) => each.variable), ["first", "owner", "mode"]);
  const retyped = compare(before, layout(variable("owner", "0", "t_uint256"), mode("1")));
  assert.strictEqual(retyped[0].variable, "owner");
  assert.match(retyped[0].problem, /changes its type: `address owner` becomes `uint256 owner`/);
  assert.deepStrictEqual(compare(before, layout(owner("0"))).map((each) => each.variable), ["mode"]);
});

test("where the library is missing that has an exit code of its own", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "layout-"));
  const copy = path.join(folder, "storage-layout");
  fs.copyFileSync(script, copy);
  const run = spawnSync("node", [copy], { cwd: folder, input: "[]", encoding: "utf8" });
  fs.rmSync(folder, { recursive: true });
  assert.strictEqual(run.status, 3);
  assert.match(run.stderr, /upgrades-core is not installed/);
});
