'use strict';
// ictus doctor

const { doctor, describe } = require('../doctor.cjs');

const COLOURS = { ok: 32, warn: 33, fail: 31, unknown: 36, fix: 1 };

const help = `ictus doctor [--measure SECONDS] [--json]

Looks at everything that matters to an audio thread (permissions, kernel, cores, servers, libraries), says what was
found, what is wanted, and what to type on this distribution; then has two threads woken every 1.33 ms, one with
real-time priority and one without, and draws how late they were. It changes nothing.

  --measure   seconds of measuring, 0 to 600, default 2; 0 leaves it out
  --json      the report as JSON, for a bug report or a script

Examples
  ictus doctor
  ictus doctor --measure 60     while everything runs that will run on stage
  ictus doctor --json | jq '.checks[] | select(.status != "ok")'

Exit codes: 0 ready, 1 a check failed.
`;

async function run(values, { out, err, colour, watched, number }) {
  const measure = number('measure', 0, 600) ?? 2;
  const tells = watched && measure > 0;
  if (tells) err(`measuring for ${measure} s …\r`);
  const report = await doctor({ measure });
  if (tells) err('\x1b[K');
  const paint = colour ? (status, text) => `\x1b[${COLOURS[status]}m${text}\x1b[0m` : undefined;
  out(`${values.json ? JSON.stringify(report, null, 2) : describe(report, paint)}\n`);
  return report.ok ? 0 : 1;
}

module.exports = { help, options: { measure: { type: 'string' }, json: { type: 'boolean' } }, run };
