"use strict";
const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const root = path.join(__dirname, "..", "..");
const read = (file) => fs.readFileSync(path.join(root, file), "utf8");
const packages = JSON.parse(read("package.json"));

test("the npm lock names no registry", () => {
  assert.doesNotMatch(read("package-lock.json"), /"resolved"/);
});

test("every package is pinned to one version", () => {
  const all = { ...packages.devDependencies, ...packages.optionalDependencies };
  for (const [name, version] of Object.entries(all)) assert.match(version, /(^|@)\d+\.\d+\.\d+[\w.-]*$/, name);
});

test("all Foundry packages have one version", () => {
  const versions = Object.entries(packages.optionalDependencies)
    .filter(([name]) => name.startsWith("@foundry-rs/"))
    .map(([, version]) => version);
  assert.strictEqual(new Set(versions).size, 1);
});

function compile(sources) {
  const settings = { outputSelection: { "*": { "*": ["abi"] } } };
  const run = spawnSync(path.join(root, "tools", "solc"), ["--standard-json"], {
    input: JSON.stringify({ language: "Solidity", sources, settings }),
  });
  return JSON.parse(run.stdout);
}

test("abi/errand.sol is Solidity", () => {
  const output = compile({ "errand.sol": { content: read("abi/errand.sol") } });
  assert.deepStrictEqual(output.errors ?? [], []);
  assert.ok(output.contracts["errand.sol"].IRegistry.abi.length > 0);
});

test("a warning of ours is seen behind any number of forge-std's", () => {
  const head = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.36;\n";
  const tagged = "/// @solidity memory-safe-assembly\nassembly { }\n".repeat(300);
  const output = compile({
    "node_modules/forge-std/a.sol": { content: `${head}library A { function a() internal pure { ${tagged} } }` },
    "ours.sol": { content: `${head}contract B { function b() external pure { uint256 unused; } }` },
  });
  assert.deepStrictEqual(
    output.errors.map((error) => error.sourceLocation?.file),
    ["ours.sol"],
  );
});

test("make help lists every target", () => {
  const makefile = read("Makefile");
  const targets = /^\.PHONY: (.*)$/m.exec(makefile)[1].split(" ");
  const help = spawnSync("make", ["-s", "help"], { cwd: root, encoding: "utf8" }).stdout;
  for (const target of targets) assert.match(help, new RegExp(`make ${target} `));
});

test("setup names each tool that is missing or old, in one line each", (context) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "setup-"));
  context.after(() => fs.rmSync(folder, { recursive: true }));
  const link = (tool) => {
    const found = process.env.PATH.split(path.delimiter).map((each) => path.join(each, tool));
    fs.symlinkSync(
      found.find((file) => fs.existsSync(file)),
      path.join(folder, tool),
    );
  };
  ["bash", "dirname", "sed", "git", "make"].forEach(link);
  fs.writeFileSync(path.join(folder, "cargo"), "#!/bin/sh\necho cargo 1.9.99\n", { mode: 0o755 });
  fs.writeFileSync(path.join(folder, "node"), "#!/bin/sh\necho v20.0.0\n", { mode: 0o755 });

  const run = spawnSync(path.join(root, "tools", "setup"), { env: { PATH: folder }, encoding: "utf8" });

  assert.strictEqual(run.status, 1);
  const lines = run.stderr.trim().split("\n");
  assert.strictEqual(lines.length, 3, run.stderr);
  assert.match(lines[0], /cargo is 1\.9\.99, needed is 1\.\d+ or newer/);
  assert.match(lines[1], /npm is missing/);
  assert.match(lines[2], /cc is missing/);
});

test("what a page of the documentation links to is there", () => {
  const list = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"];
  const pages = spawnSync("git", list, { cwd: root, encoding: "utf8" }).stdout.trim().split("\n");
  const slug = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-");
  const anchors = (file) => [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => slug(heading));
  const broken = [];
  let links = 0;
  for (const page of pages) {
    for (const [, link] of read(page).matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      links += 1;
      const [place, anchor] = link.split("#");
      const file = place ? path.join(path.dirname(page), place) : page;
      const isThere = fs.existsSync(path.join(root, file)) && (!anchor || anchors(file).includes(anchor));
      if (!isThere) broken.push(`${page}: ${link}`);
    }
  }
  assert.deepStrictEqual(broken, []);
  assert.ok(links > 50, `${links} links were found`);
});
