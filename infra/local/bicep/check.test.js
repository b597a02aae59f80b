// Each template under testdata states its own findings: `// want: text` at the end of the guilty line.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { check } from './check.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const infra = path.resolve(here, '../..');
const testdata = path.join(here, 'testdata');

function wants(file) {
  return fs.readFileSync(file, 'utf8').split('\n').flatMap((text, i) => {
    const found = /\/\/ want: (.*)$/.exec(text);
    return found ? [{ line: i + 1, text: found[1] }] : [];
  });
}

const matches = (want, finding) => finding.message.includes(want.text) && want.line === finding.line;

test('the templates of this repository have no findings', () => {
  const files = ['main.bicep', 'main.bicepparam'].map((name) => path.join(infra, name));
  assert.deepEqual(check(files), []);
});

for (const name of fs.readdirSync(testdata).filter((n) => /\.bicep(param)?$/.test(n))) {
  test(`testdata/${name}`, () => {
    const file = path.join(testdata, name);
    // loops.bicep is the only caller of tables.bicep: how a parameter is filled is known from its callers.
    const from = name === 'tables.bicep' ? path.join(testdata, 'loops.bicep') : file;
    const findings = check([from]).filter((f) => f.file === file);
    const expected = wants(file);
    for (const want of expected) {
      assert.ok(findings.some((f) => matches(want, f)), `missing at line ${want.line}: ${want.text}\ngot ${JSON.stringify(findings, null, 1)}`);
    }
    for (const finding of findings) {
      const known = expected.some((w) => matches(w, finding));
      assert.ok(known, `unexpected: ${finding.line}:${finding.column} ${finding.message}`);
    }
  });
}

test('the command line exits 1 with file:line:col, and 2 without arguments', () => {
  const run = (...args) => spawnSync(process.execPath, [path.join(here, 'check.js'), ...args], { encoding: 'utf8', cwd: testdata });
  const broken = run('files.bicep');
  assert.equal(broken.status, 1);
  assert.match(broken.stderr, /^files\.bicep:1:\d+: modules\/gone\.bicep does not exist$/m);
  assert.equal(run().status, 2);
  assert.equal(run(path.join(infra, 'main.bicep')).status, 0);
});
