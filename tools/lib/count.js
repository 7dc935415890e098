// What a runner's output says about its tests. Each function answers {passed, failed, skipped, failures}:
// `failures` are lines for people. A runner is not believed: an output that breaks off, or an exit code that
// contradicts the counts, is a failure of its own, and so is a run of no tests.
"use strict";

/** @param {{stdout: string, ended: string, status: number|null}} run `ended` says how, for people. */
function concluded(count, run, { complete }) {
  if (!complete) {
    count.failed += 1;
    count.failures.push(`the runner ended (${run.ended}) before it had said everything`);
  } else if (run.status !== 0 && count.failed === 0) {
    count.failed += 1;
    count.failures.push(`the runner ended (${run.ended}) although no test failed`);
  } else if (run.status === 0 && count.failed > 0) {
    count.failures.push("the runner ended as if nothing had failed");
  }
  if (count.passed + count.failed === 0) {
    count.failed += 1;
    count.failures.push("no test ran");
  }
  return count;
}

/** `forge test --json`: one JSON object, suites by name. */
function forge(run) {
  const count = { passed: 0, failed: 0, skipped: 0, failures: [], suites: [] };
  let suites;
  try {
    suites = JSON.parse(run.stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
  } catch {
    const nothing = run.status === 0 && run.stdout.includes("No tests found");
    return concluded(count, run, { complete: nothing });
  }
  for (const [suite, { duration, test_results: results }] of Object.entries(suites)) {
    for (const [test, result] of Object.entries(results)) {
      if (result.status === "Success") count.passed += 1;
      else if (result.status === "Skipped") count.skipped += 1;
      else {
        count.failed += 1;
        count.failures.push(`${suite} ${test}: ${result.reason ?? "failed"}${example(result.counterexample)}`);
      }
    }
    count.suites.push(`${suite}: ${Object.keys(results).length} in ${duration.split(" ").slice(0, 2).join(" ")}`);
  }
  return concluded(count, run, { complete: true });
}

function example(counterexample) {
  if (!counterexample) return "";
  const calls = counterexample.Single ? [counterexample.Single] : (counterexample.Sequence?.[1] ?? []);
  const text = calls.map((call) => `${call.func_name ?? ""}(${call.args ?? call.calldata})`);
  return `\n      ${text.join("\n      ")}`;
}

/** `cargo test`: one `running N tests` and one `test result:` per binary and per crate of doc tests. */
function cargo(run) {
  const count = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const started = run.stdout.match(/^running \d+ tests?$/gm) ?? [];
  const results = [...run.stdout.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm)];
  for (const [, passed, failed, ignored] of results) {
    count.passed += Number(passed);
    count.failed += Number(failed);
    count.skipped += Number(ignored);
  }
  const failures = run.stdout.matchAll(/^test (.+) \.\.\. FAILED$/gm);
  count.failures.push(...[...failures].map(([, name]) => name));
  count.failures.push(...unended(run.stdout).map((name) => `${name}: it had not ended`));
  return concluded(count, run, { complete: started.length > 0 && started.length === results.length });
}

/** Tests that cargo called slow and of which no result came: what a run hung in that was killed. */
function unended(output) {
  const slow = [...output.matchAll(/^test (.+) has been running for over \d+ seconds$/gm)].map(([, name]) => name);
  return slow.filter((name) => !output.includes(`\ntest ${name} ... `));
}

/** `node --test --test-reporter=tap`: totals in comments at the end. */
function tap(run) {
  const count = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const total = (name) => /** @type {any} */ (new RegExp(`^# ${name} (\\d+)$`, "m").exec(run.stdout)?.[1]);
  const complete = total("tests") !== undefined && total("fail") !== undefined;
  if (complete) {
    count.passed = Number(total("pass"));
    count.failed = Number(total("fail")) + Number(total("cancelled"));
    count.skipped = Number(total("skipped")) + Number(total("todo"));
  }
  const failures = run.stdout.matchAll(/^\s*not ok \d+ - (.+)$/gm);
  count.failures.push(...[...failures].map(([, name]) => name));
  return concluded(count, run, { complete });
}

/** A check passes or fails as a whole. */
function check(run) {
  const passed = run.status === 0;
  return { passed: Number(passed), failed: Number(!passed), skipped: 0, failures: passed ? [] : [run.ended] };
}

/** A step that only prepares: it counts when it fails. */
function preparation(run) {
  return { ...check(run), passed: 0 };
}

module.exports = { forge, cargo, tap, check, preparation };
