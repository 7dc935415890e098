"use strict";
const assert = require("node:assert");
const test = require("node:test");
const counts = require("../lib/count.js");

const ended = (status, stdout) => ({ status, stdout, ended: `exit code ${status}` });
const suites = (results) =>
  JSON.stringify({ "test/A.t.sol:A": { duration: "1ms 2µs 3ns", test_results: results } });

test("forge: successes, failures and skipped tests are told apart", () => {
  const results = {
    "test_a()": { status: "Success" },
    "test_b()": { status: "Failure", reason: "no" },
    "test_c()": { status: "Skipped" },
  };
  const count = counts.forge(ended(1, suites(results)));
  assert.deepStrictEqual([count.passed, count.failed, count.skipped], [1, 1, 1]);
  assert.deepStrictEqual(count.failures, ["test/A.t.sol:A test_b(): no"]);
  assert.deepStrictEqual(count.suites, ["test/A.t.sol:A: 3 in 1ms 2µs"]);
});

test("forge: a failure shows the calls that lead to it", () => {
  const counterexample = {
    Sequence: [
      2,
      [
        { func_name: "stake", args: "1" },
        { func_name: "claim", args: "2" },
      ],
    ],
  };
  const count = counts.forge(ended(1, suites({ "invariant_a()": { status: "Failure", counterexample } })));
  assert.match(count.failures[0], /stake\(1\)\n\s+claim\(2\)/);
});

test("forge: only skipped tests are no tests", () => {
  const count = counts.forge(ended(0, suites({ "test_a()": { status: "Skipped" } })));
  assert.deepStrictEqual([count.passed, count.failed], [0, 1]);
});

test("cargo: binaries and doc tests are summed", () => {
  const result = (passed) =>
    `running ${passed} tests\ntest result: ok. ${passed} passed; 0 failed; 1 ignored; 0 measured\n`;
  const count = counts.cargo(ended(0, result(2) + result(3)));
  assert.deepStrictEqual([count.passed, count.failed, count.skipped], [5, 0, 2]);
});

test("cargo: a binary without a result is a failure, whatever the exit code", () => {
  const output = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\nrunning 2 tests\n";
  for (const status of [0, 101]) {
    const count = counts.cargo(ended(status, output));
    assert.deepStrictEqual([count.passed, count.failed], [1, 1]);
  }
});

test("cargo: an exit code that contradicts the counts is a failure", () => {
  const output = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";
  assert.strictEqual(counts.cargo(ended(101, output)).failed, 1);
});

test("cargo: what hung is named", () => {
  const slow = (name) => `test ${name} has been running for over 60 seconds\n`;
  const output = `running 3 tests\n${slow("a::quick")}${slow("a::stuck")}test a::quick ... ok\n`;
  const count = counts.cargo({ ...ended(null, output), ended: "killed after 600 s of silence" });
  assert.strictEqual(count.failures[0], "a::stuck: it had not ended");
  assert.strictEqual(count.failed, 1);
});

test("tap: cancelled tests have failed", () => {
  const count = counts.tap(
    ended(1, "not ok 1 - a\n# tests 3\n# pass 1\n# fail 1\n# cancelled 1\n# skipped 0\n# todo 0\n"),
  );
  assert.deepStrictEqual([count.passed, count.failed, count.failures], [1, 2, ["a"]]);
});

test("tap: an output without totals is a failure", () => {
  assert.strictEqual(counts.tap(ended(0, "ok 1 - a\n")).failed, 1);
});

test("a preparation counts only when it fails", () => {
  assert.deepStrictEqual(
    [counts.preparation(ended(0, "")).passed, counts.preparation(ended(1, "")).failed],
    [0, 1],
  );
});
