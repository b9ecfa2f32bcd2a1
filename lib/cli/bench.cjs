'use strict';
// ictus bench: what this machine can do, measured on it. Voices against time, the smallest buffer that holds, latency of
// notes, and how late threads are woken, idle and under a load that is made here.

const { spawn } = require('node:child_process');
const { mkdirSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const { join } = require('node:path');
const { doctor } = require('../doctor.cjs');
const { Engine } = require('../engine.cjs');
const native = require('../native.cjs');
const { Sampler } = require('../sampler.cjs');
const { EDGES, decades, duration, histogram, table } = require('./draw.cjs');
const svg = require('./svg.cjs');

const RATE = 48_000;
const BLOCK = 64;
const BUFFERS = [32, 64, 128, 256, 512, 1024, 2048, 4096];
const VOICES = [8, 16, 32, 64, 128, 256, 512, 1024];

const help = `ictus bench [--quick] [--voices LIST] [--seconds N] [-o FOLDER] [--json]

Measures, on this machine:
  - how long a block of ${BLOCK} frames takes to render with 8, 16, 32, 64 … voices (offline, ${RATE} Hz, cubic);
  - the smallest buffer that an audio thread sustains with as many: no deadline missed on the clock backend, that is,
    without a sound card;
  - how long a note takes from noteOn() into a rendered block;
  - how late threads are woken with real-time priority and without, idle and while every core is kept busy.

A table goes to stdout; plots (SVG) and all figures (bench.json, worth attaching to a bug report) into a folder.
Close what you don't want measured. It takes about a minute and a half.

  --quick     a third of the time
  --voices    voice counts, separated by commas, 1 to 4096 each; default ${VOICES.join(',')}
  --seconds   length of each single measurement, 0.05 to 60, default 2
  -o, --output   folder, default ictus-bench; it is made
  --json      the figures as JSON on stdout, and files only with -o

Examples
  ictus bench
  ictus bench --quick -o /tmp/before-the-new-kernel
  ictus bench --voices 64,96,128 --json | jq .voices

Exit codes: 0 done, 1 it did not work.
`;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An engine on which this many voices sound for good: one looped recording, each voice at a pitch of its own. */
async function sounding(voices, options) {
  const engine = new Engine({ sampleRate: RATE, polyphony: voices, limiter: true, ...options });
  const sampler = new Sampler({ engine, polyphony: voices });
  const instrument = sampler.createInstrument('bench');
  const wave = Float32Array.from({ length: RATE }, (_, n) => 0.01 * Math.sin((2 * Math.PI * 220 * n) / RATE));
  await instrument.addSample(wave, { rootNote: 60, loop: { start: 0, end: RATE } });
  sampler.assign(0, instrument);
  for (let n = 0; n < voices; n += 1) {
    // Two octaves around the root, no two alike.
    sampler.noteOn(48 + (24 * (n + 0.5)) / voices, 64 + (n % 64));
  }
  return { engine, sampler };
}

/** The distribution of plain numbers, in the shape of stats(). */
function distribution(values) {
  const sorted = Float64Array.from(values).sort();
  const quantile = (q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  const rows = EDGES.map((upTo, n) => ({
    upTo,
    count: sorted.filter((value) => value <= upTo && (n === 0 || value > EDGES[n - 1])).length,
  }));
  const above = sorted.filter((value) => value > EDGES.at(-1)).length;
  if (above > 0) rows.push({ upTo: sorted.at(-1), count: above });
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, value) => sum + value, 0) / Math.max(sorted.length, 1),
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    max: sorted.at(-1) ?? 0,
    histogram: rows.filter(({ count }) => count > 0),
  };
}

/** µs to render a block with so many voices. */
async function processing(voices, seconds) {
  const { engine } = await sounding(voices, { backend: 'offline' });
  const block = new Float32Array(BLOCK * engine.channels);
  for (let n = 0; n < 200; n += 1) engine.render(BLOCK, block); // caches, and the compiler of JavaScript
  const times = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const start = performance.now();
    engine.render(BLOCK, block);
    times.push((performance.now() - start) * 1000);
  }
  const sounded = engine.stats().voices;
  await engine.close();
  if (sounded !== voices)
    throw new Error(`${sounded} voices sounded instead of ${voices}; please report this`);
  return distribution(times);
}

/** The smallest buffer with which no deadline is missed; null when none of them does it. */
async function smallestBuffer(voices, usPerBlock, seconds) {
  for (const bufferSize of BUFFERS) {
    // What takes longer than it lasts need not be tried.
    if ((usPerBlock / BLOCK) * bufferSize > (bufferSize / RATE) * 1e6) return null;
    // Twice: a virtual machine that stands still for a moment says nothing about the buffer.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const { engine } = await sounding(voices, { backend: 'clock', bufferSize });
      await sleep(100);
      engine.resetStats();
      await sleep(seconds * 1000);
      const { xruns, loadPeak, callbacks } = engine.stats();
      await engine.close();
      if (callbacks > 0 && xruns === 0 && loadPeak < 1) return bufferSize;
    }
  }
  return null;
}

/** µs from noteOn() until the note sounds in a block that is rendered. */
async function latency(seconds) {
  const engine = new Engine({ backend: 'clock', sampleRate: RATE, bufferSize: 128 });
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument('bench');
  await instrument.addSample(new Float32Array(RATE / 100).fill(0.01));
  sampler.assign(0, instrument);
  await sleep(50);
  const times = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await sleep(3 * Math.random());
    const before = engine.stats().voicesPeak;
    if (before > 0) engine.resetStats();
    const start = performance.now();
    const id = sampler.noteOn(60);
    while (engine.stats().voicesPeak === 0 && performance.now() - start < 1000);
    times.push((performance.now() - start) * 1000);
    sampler.release(id);
    // The ten milliseconds of the sample, and its end.
    while (engine.stats().voices > 0) await sleep(1);
  }
  const { bufferSize } = engine;
  await engine.close();
  return { bufferSize, ...distribution(times) };
}

/** Runs the body while every core has two programs that never sleep. */
async function loaded(body) {
  const busy = os
    .cpus()
    .flatMap(() => [0, 1].map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })));
  const stop = () => {
    for (const child of busy) child.kill('SIGKILL');
  };
  const ended = busy.map(
    (child) => new Promise((resolve) => child.once('exit', resolve).once('error', resolve)),
  );
  const signals = ['SIGINT', 'SIGTERM'];
  const interrupt = () => {
    stop();
    process.exit(130);
  };
  process.once('exit', stop);
  for (const signal of signals) process.once(signal, interrupt);
  try {
    await sleep(300); // until they have started
    return await body();
  } finally {
    stop();
    await Promise.all(ended);
    process.off('exit', stop);
    for (const signal of signals) process.off(signal, interrupt);
  }
}

function voiceCounts(text) {
  const counts = text.split(',').map(Number);
  if (counts.some((count) => !(Number.isInteger(count) && count >= 1 && count <= 4096))) return undefined;
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** All figures. `tell` hears what is being done. */
async function measure({ voices, seconds, tell }) {
  const machine = {
    ictus: native.version(),
    runtime: process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memory: os.totalmem(),
  };
  tell('looking at the machine');
  const { checks } = await doctor({ measure: 0 });
  const counts = [];
  for (const count of voices) {
    tell(`${count} voices`);
    const render = await processing(count, seconds);
    const bufferSize = await smallestBuffer(count, render.p50, seconds);
    counts.push({ voices: count, render, load: render.p50 / ((BLOCK / RATE) * 1e6), bufferSize });
    if (render.p50 > (BLOCK / RATE) * 1e6) break; // more of them take longer still
  }
  tell('latency of notes');
  const note = await latency(seconds);
  tell('waking threads, idle');
  const idle = await native.measureWakeups(seconds * 2);
  tell('waking threads, under load');
  const busy = await loaded(() => native.measureWakeups(seconds * 2));
  const { policy, priority, via, reason } = idle;
  return {
    date: new Date().toISOString(),
    machine,
    realtime: { policy, priority, via, reason },
    sampleRate: RATE,
    block: BLOCK,
    voices: counts,
    latency: note,
    wakeups: {
      idle: { realtime: idle.realtime, ordinary: idle.ordinary },
      loaded: { realtime: busy.realtime, ordinary: busy.ordinary },
    },
    checks,
  };
}

/** The four measurements of wake-ups that there are, by name. */
function wakeups({ wakeups: { idle, loaded: busy } }) {
  return [
    ['idle, real-time', idle.realtime],
    ['idle, ordinary', idle.ordinary],
    ['loaded, real-time', busy.realtime],
    ['loaded, ordinary', busy.ordinary],
  ].filter(([, found]) => found !== null);
}

function describe(figures) {
  const { machine, realtime } = figures;
  const priority =
    realtime.via === 'none'
      ? `none: ${realtime.reason}`
      : `${realtime.policy} ${realtime.priority}, ${realtime.via}`;
  const buffer = (frames) =>
    frames === null ? 'none' : `${frames} frames, ${duration((frames / RATE) * 1e6)}`;
  return [
    `ictus ${machine.ictus}, ${machine.runtime}, ${machine.system}`,
    `${machine.cpu}, ${machine.cores} cores`,
    `real-time priority: ${priority}`,
    '',
    `Rendering a block of ${BLOCK} frames (${duration((BLOCK / RATE) * 1e6)}), and the smallest buffer that holds`,
    '',
    ...table(
      ['voices', '50 %', '99 %', 'all', 'load', 'smallest buffer'],
      figures.voices.map(({ voices, render, load, bufferSize }) => [
        voices,
        duration(render.p50),
        duration(render.p99),
        duration(render.max),
        `${(load * 100).toPrecision(2)} %`,
        buffer(bufferSize),
      ]),
    ),
    '',
    `From noteOn() into a rendered block, buffers of ${figures.latency.bufferSize} frames`,
    '',
    ...histogram(figures.latency),
    '',
    'How late a thread is woken (every 1.33 ms)',
    '',
    ...table(
      ['', '50 %', '99 %', '99.9 %', 'all'],
      wakeups(figures).map(([name, { p50, p99, p999, max }]) => [
        name,
        ...[p50, p99, p999, max].map(duration),
      ]),
    ),
  ].join('\n');
}

/** 1, 2, 5, 10 … around the values. */
function steps(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const all = [];
  for (let power = -2; power < 8; power += 1) for (const digit of [1, 2, 5]) all.push(digit * 10 ** power);
  const first = Math.max(
    0,
    all.findLastIndex((step) => step <= low),
  );
  const last = all.findIndex((step) => step >= high);
  return all.slice(first, last < 0 ? all.length : last + 1);
}

function plots(figures) {
  const blockUs = (BLOCK / RATE) * 1e6;
  const counts = figures.voices.map(({ voices }) => voices);
  const line = (name, key) => ({
    name,
    points: figures.voices.map(({ voices, render }) => [voices, render[key]]),
  });
  const times = figures.voices.flatMap(({ render }) => [
    Math.max(render.p50, 0.01),
    render.p99,
    render.max,
    blockUs,
  ]);
  const processingPlot = svg.lines({
    title: `Rendering a block of ${BLOCK} frames: ${figures.machine.cpu}`,
    xTitle: 'voices',
    yTitle: 'time',
    series: [
      line('half of the blocks', 'p50'),
      line('99 %', 'p99'),
      line('all', 'max'),
      { name: 'what a block lasts', points: counts.map((count) => [count, blockUs]) },
    ],
    ticks: {
      x: counts.map((count) => [count, count]),
      y: steps(times).map((us) => [us, duration(us)]),
    },
  });
  /** The same buckets for all of them, from the first that any needs to the last. */
  const compared = (title, xTitle, named) => {
    const rows = named.map(([, found]) => decades(found));
    const edges = [...EDGES, Number.POSITIVE_INFINITY].filter((edge) =>
      rows.some((row) => row[0].upTo <= edge && row.at(-1).upTo >= edge),
    );
    const share = (row, edge, { count }) => (row.find(({ upTo }) => upTo === edge)?.count ?? 0) / count;
    return svg.bars({
      title,
      xTitle,
      labels: edges.map((edge) => (edge === Number.POSITIVE_INFINITY ? 'more' : duration(edge))),
      series: named.map(([name, found], n) => ({
        name,
        shares: edges.map((edge) => share(rows[n], edge, found)),
      })),
    });
  };
  return {
    'processing.svg': processingPlot,
    'latency.svg': compared('From noteOn() into a rendered block', 'at most', [
      [`buffers of ${figures.latency.bufferSize} frames`, figures.latency],
    ]),
    'jitter.svg': compared('How late a thread is woken', 'at most', wakeups(figures)),
  };
}

async function run(values, { out, err, watched, number, usage }) {
  const seconds = number('seconds', 0.05, 60) ?? (values.quick ? 0.6 : 2);
  const voices = voiceCounts(values.voices ?? VOICES.join(','));
  if (voices === undefined) {
    throw usage(`--voices must be whole numbers from 1 to 4096 separated by commas, got "${values.voices}"`);
  }
  const folder = values.output ?? (values.json ? undefined : 'ictus-bench');
  // Before a minute of measuring: a folder that cannot be made should be told at once.
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const tell = (what) => watched && err(`\r\x1b[K${what} …`);
  const figures = await measure({ voices, seconds, tell });
  if (watched) err('\r\x1b[K');
  out(`${values.json ? JSON.stringify(figures, null, 2) : describe(figures)}\n`);
  if (folder === undefined) return 0;
  const files = { 'bench.json': `${JSON.stringify(figures, null, 2)}\n`, ...plots(figures) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  if (watched) err(`${Object.keys(files).join(', ')} are in ${folder}\n`);
  return 0;
}

const options = {
  quick: { type: 'boolean' },
  voices: { type: 'string' },
  seconds: { type: 'string' },
  output: { type: 'string', short: 'o' },
  json: { type: 'boolean' },
};

module.exports = { help, options, run };
