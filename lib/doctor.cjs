'use strict';
// doctor(): is this machine ready for real-time audio? The native side looks and measures; the words are put together
// here, for `String(report)` and, in colour, for the terminal.

const { histogram } = require('./cli/draw.cjs');
const native = require('./native.cjs');

const MARKS = { ok: '✓', warn: '!', fail: '✗', unknown: '?' };
const INDENT = ' '.repeat(15);

/** `paint(status, text)` colours; as it is, it does not. */
function describe(report, paint = (_, text) => text) {
  const lines = [];
  for (const { id, status, found, wanted, fix } of report.checks) {
    lines.push(paint(status, `${MARKS[status]} ${id.padEnd(13)}`) + found);
    if (status !== 'ok') lines.push(`${INDENT}wanted: ${wanted}`);
    if (fix !== undefined) {
      for (const command of fix.split('\n')) lines.push(`${INDENT}${paint('fix', command)}`);
    }
  }
  const { jitter, jitterWithout } = report;
  if (jitter !== null) {
    const granted = report.checks.find((check) => check.id === 'realtime')?.found ?? '';
    lines.push('', 'How late a thread is woken that sleeps until the next block of 64 frames (1.33 ms):');
    if (jitterWithout !== null) {
      lines.push('', `with real-time priority (${granted.split(',')[0]})`, ...histogram(jitter));
      lines.push('', 'without it', ...histogram(jitterWithout));
    } else {
      lines.push('', 'without real-time priority, which was denied', ...histogram(jitter));
    }
  }
  const count = (status) => report.checks.filter((check) => check.status === status).length;
  const [failed, warned] = [count('fail'), count('warn')];
  const verdict = report.ok
    ? warned === 0
      ? 'ready for real-time audio'
      : `ready for real-time audio; ${warned} ${warned === 1 ? 'thing' : 'things'} could be better`
    : `not ready for real-time audio: ${failed} ${failed === 1 ? 'check' : 'checks'} failed`;
  lines.push('', paint(report.ok ? 'ok' : 'fail', verdict));
  return lines.join('\n');
}

async function doctor(options) {
  const report = await native.examine(options);
  // Not enumerable: a report is data, and is compared and printed as such.
  Object.defineProperty(report, 'toString', {
    value() {
      return describe(this);
    },
  });
  return report;
}

module.exports = { doctor, describe };
