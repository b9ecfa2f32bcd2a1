'use strict';
// The worker of engine.generate(): fills the ring with what the module at a URL exports, until another takes over.

const { workerData } = require('node:worker_threads');

const { url, id, control, position, ring, blockSize, wanted, every } = workerData;
const { data, writeIndex, readIndex, size, stride } = ring;
const OWNER = 0;
const LOCK = 1;
/** Longer than anybody holds the lock, unless it was ended while it did, ms. */
const PATIENCE_MS = 100;

const block = new Float32Array(blockSize * stride);
const state = {};

const distance = (from, to) => (to >= from ? to - from : to + size - from);
const available = () => distance(Atomics.load(readIndex, 0), Atomics.load(writeIndex, 0));

/**
 * Frames written into an empty ring but not shown yet, and where they end: a stream begins when all that is to be ahead is
 * there, or it would run dry at once. −1: nothing is held back.
 */
let held = -1;
let heldEnd = 0;

function lock() {
  const until = performance.now() + PATIENCE_MS;
  while (Atomics.compareExchange(control, LOCK, 0, id) !== 0 && performance.now() < until) {
    Atomics.wait(control, LOCK, Atomics.load(control, LOCK), 1);
  }
}

function unlock() {
  Atomics.store(control, LOCK, 0);
  Atomics.notify(control, LOCK);
}

/** Writes the block as that of this frame, unless another has taken over meanwhile. */
function commit(frame) {
  lock();
  try {
    if (Atomics.load(control, OWNER) !== id) return;
    let at = held < 0 ? Atomics.load(writeIndex, 0) : heldEnd;
    for (let n = 0; n < block.length; n += stride) {
      for (let channel = 0; channel < stride; channel += 1) data[at * stride + channel] = block[n + channel];
      at = at + 1 < size ? at + 1 : 0;
    }
    position[0] = frame + blockSize;
    if (held >= 0) {
      held += blockSize;
      heldEnd = at;
      if (held < wanted) return;
      held = -1;
    }
    Atomics.store(writeIndex, 0, at);
  } finally {
    unlock();
  }
}

function main(fill) {
  // From here on it is ours; whoever filled before sees it and leaves.
  lock();
  if (Atomics.load(control, OWNER) < id) Atomics.store(control, OWNER, id);
  if (available() === 0) [held, heldEnd] = [0, Atomics.load(writeIndex, 0)];
  unlock();
  const advance = () => {
    let left = size;
    while (left > 0 && available() + Math.max(held, 0) < wanted) {
      if (Atomics.load(control, OWNER) !== id) {
        clearInterval(timer);
        process.exit(0);
      }
      const frame = position[0];
      block.fill(0);
      fill(block, frame, state);
      commit(frame);
      left -= blockSize;
    }
    if (Atomics.load(control, OWNER) !== id) {
      clearInterval(timer);
      process.exit(0);
    }
  };
  const timer = setInterval(advance, every);
  advance();
}

import(url).then((module) => {
  const fill = module.default?.default ?? module.default;
  if (typeof fill !== 'function') {
    const error = new TypeError(
      `${url} must export a function (block, frame) as default, got ${typeof fill}`,
    );
    throw Object.assign(error, { code: 'ERR_INVALID_ARGUMENT' });
  }
  main(fill);
});
