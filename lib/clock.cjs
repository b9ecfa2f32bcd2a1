'use strict';
// performance.now() against the clock that the audio thread is timed by.
//
// Both run at the same rate; where one starts and the other is known only by reading the two in turn. A reading that
// was interrupted is a wide one, so the narrowest seen is kept: a microsecond, mostly. It is given up when one cannot
// be true any more: one of the clocks (Bun's) goes on while the machine sleeps, the other does not.

const native = require('./native.cjs');

/** ms from performance.now() to the monotonic clock, and how wide the reading was; each worker has its own. */
let offset = 0;
let width = Number.POSITIVE_INFINITY;

function read() {
  const before = performance.now();
  const now = native.monotonicNow();
  const after = performance.now();
  const found = now - (before + after) / 2;
  const spread = after - before;
  if (spread <= width || Math.abs(found - offset) > spread + width) {
    offset = found;
    width = spread;
  }
}

/** A time of performance.now() as ms on the monotonic clock. */
function monotonic(performanceNow) {
  if (width === Number.POSITIVE_INFINITY) for (let n = 0; n < 8; n += 1) read();
  else read();
  return performanceNow + offset;
}

module.exports = { monotonic };
