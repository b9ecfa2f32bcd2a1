// Every file in examples/ runs to its end by itself, on the clock or offline, and says nothing on stderr. What is
// rendered is a valid WAV file that sounds and does not clip, with a well-formed picture beside it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { perform } from '../examples/support/piece.mjs';

const examples = fileURLToPath(new URL('../examples/', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'ictus-examples-test-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** Runs an example to its end. `interrupt`: the SIGINT of a Ctrl-C, 1.2 s after it has said this. */
function run(words, { interrupt, env: extra } = {}) {
  const [file, ...args] = words.split(' ');
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ICTUS_BACKEND, ICTUS_DEVICE, ...env } = process.env;
  const child = spawn(process.execPath, [join(examples, file), ...args], {
    cwd: work,
    env: { ...env, ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      said[name] += text;
      if (interrupt?.test(said.stdout)) {
        interrupt = undefined;
        setTimeout(() => child.kill('SIGINT'), 1200);
      }
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}

/** As `run`, for an example that must succeed quietly; resolves to what it said. */
async function succeed(words, options) {
  const { code, signal, stdout, stderr } = await run(words, options);
  assert.deepEqual([code, signal, stderr], [0, null, ''], stdout + stderr);
  return stdout;
}

/** Reads the 24-bit WAV file that the examples write, checking its header against its size. */
function readWav(name) {
  const file = readFileSync(join(work, name));
  assert.equal(file.toString('latin1', 0, 4) + file.toString('latin1', 8, 16), 'RIFFWAVEfmt ');
  assert.equal(file.readUInt32LE(4), file.length - 8, "RIFF's size");
  const [channels, sampleRate] = [file.readUInt16LE(22), file.readUInt32LE(24)];
  assert.deepEqual([file.readUInt16LE(20), file.readUInt16LE(34)], [1, 24], 'integers of 24 bits');
  assert.equal(file.readUInt16LE(32), channels * 3, 'bytes a frame');
  assert.equal(file.readUInt32LE(28), sampleRate * channels * 3, 'bytes a second');
  assert.equal(file.toString('latin1', 36, 40), 'data');
  const length = file.readUInt32LE(40);
  assert.equal(file.length, 44 + length + (length % 2));
  const values = Float32Array.from({ length: length / 3 }, (_, i) => file.readIntLE(44 + i * 3, 3) / 2 ** 23);
  return { channels, sampleRate, values, seconds: values.length / channels / sampleRate };
}

const peakOf = (values) => values.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
const decibels = (value) => 20 * Math.log10(value);

/** The loudness of each half second, in dBFS. */
function halfSeconds({ values, channels, sampleRate }) {
  const step = (sampleRate * channels) / 2;
  return Array.from({ length: Math.floor(values.length / step) }, (_, i) => {
    const part = values.subarray(i * step, (i + 1) * step);
    return decibels(Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length));
  });
}

/** Fails unless every tag is closed in its turn and nothing but tags and text is there. */
function assertWellFormed(name) {
  const svg = readFileSync(join(work, name), 'utf8');
  const tag = /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<&]*")*)\s*(\/?)>/g;
  const open = [];
  for (const [, end, element, , alone] of svg.matchAll(tag)) {
    if (end) assert.equal(open.pop(), element);
    else if (!alone) open.push(element);
  }
  assert.deepEqual(open, [], 'all are closed');
  assert.doesNotMatch(svg.replaceAll(tag, ''), /[<>&]/);
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
}

describe('live examples, on the clock', () => {
  test('note.mjs', async () => {
    await succeed('note.mjs --backend clock');
  });

  test('note.mjs takes its backend from ICTUS_BACKEND, too', async () => {
    const { code, stderr } = await run('note.mjs', { env: { ICTUS_BACKEND: 'offline' } });
    assert.equal(code, 1);
    assert.match(stderr, /plays live/);
  });

  test('drums.mjs', async () => {
    assert.match(await succeed('drums.mjs --backend clock --bars 1 --swing 0.66'), /^1 bars on clock/);
  });

  test('commonjs.cjs', async () => {
    assert.match(await succeed('commonjs.cjs --backend clock --seconds 0.4'), /63\.86/);
  });

  test('workers.mjs: no note is late while the main thread is busy', async () => {
    const said = await succeed('workers.mjs --backend clock --bars 1');
    assert.match(said, /late events 0, dropped events 0/);
  });

  test('speaker.mjs', async () => {
    const said = await succeed('speaker.mjs --backend clock --seconds 0.5');
    assert.match(said, /^22050 frames heard, underruns \d+/);
  });

  test('wav.mjs', async () => {
    assert.match(await succeed('wav.mjs --backend clock'), /^132300 frames of 1 × 16 bits at 44100 Hz heard/);
  });

  test('ring.mjs', async () => {
    assert.match(
      await succeed('ring.mjs --backend clock --seconds 0.5'),
      /^24000 frames computed in a worker/,
    );
  });

  test('kanon.mjs', async () => {
    assert.match(
      await succeed('kanon.mjs --backend clock --seconds 0.5'),
      /^24000 frames read where they lay/,
    );
  });

  test('demo.mjs', async () => {
    const said = await succeed('demo.mjs --backend clock --seconds 1.5');
    assert.match(said, /playing on clock/);
    assert.match(said, /audio thread: SCHED_/);
    assert.match(said, /late events 0, dropped events 0/);
  });

  test('demo.mjs fades out at Ctrl-C and ends with 130', async () => {
    const { code, signal, stdout, stderr } = await run('demo.mjs --backend clock', { interrupt: /Ctrl-C/ });
    assert.deepEqual([code, signal, stderr], [130, null, ''], stdout);
    assert.match(stdout, /fading out\n\d+ notes, at most [1-9]/, 'it was sounding');
  });
});

describe('into a file', () => {
  test('bounce.mjs', async () => {
    const said = await succeed('bounce.mjs --bars 2 --out two.wav');
    assert.match(said, /times real time/);
    const wav = readWav('two.wav');
    assert.deepEqual([wav.channels, wav.sampleRate], [2, 48000]);
    const bar = (60 / 104) * 4;
    assert.equal(wav.values.length / 2, Math.round((2 * bar + 0.5) * 48000));
    const peak = peakOf(wav.values);
    assert.ok(peak < 1 && peak > 0.3, `peak ${peak}`);
    assertWellFormed('two.svg');
  });

  test('demo.mjs --backend offline: the whole piece, with a peak from −3 to −1 dBFS and no gap', async () => {
    await succeed('demo.mjs --backend offline');
    const wav = readWav('out/demo.wav');
    assert.equal(wav.values.length / 2, Math.round(perform().duration * 48000));
    const peak = decibels(peakOf(wav.values));
    assert.ok(peak > -3 && peak < -1, `peak ${peak} dBFS`);
    const loudness = halfSeconds(wav);
    const music = loudness.slice(1, -8); // the last chord may die away
    assert.ok(Math.min(...music) > -45, `the quietest half second has ${Math.min(...music)} dBFS`);
    assert.ok(Math.max(...music) - Math.min(...music) > 12, 'it has dynamics');
    assertWellFormed('out/demo.svg');
  });

  test('demo.mjs without a device says so and renders', async () => {
    const said = await succeed('demo.mjs --backend alsa --device nowhere-at-all --seconds 2 --out short.wav');
    assert.match(said, /nowhere-at-all|cannot be opened/);
    assert.match(said, /times real time/);
    const wav = readWav('short.wav');
    assert.equal(wav.seconds, 2);
    assert.ok(peakOf(wav.values) > 0.01);
    assert.equal(wav.values.at(-1), 0, 'it ends in a fade');
    assertWellFormed('short.svg');
  });
});

describe('examples', () => {
  test('end with 2 at an option that they do not have', async () => {
    const { code, stderr } = await run('demo.mjs --bakcend clock');
    assert.equal(code, 2);
    assert.match(stderr, /--bakcend/);
  });

  test('are all tested here', () => {
    const source = readFileSync(fileURLToPath(import.meta.url), 'utf8');
    const files = readdirSync(examples).filter((name) => /\.[cm]js$/.test(name));
    assert.ok(files.length >= 4);
    for (const file of files) assert.ok(new RegExp(`(succeed|run)\\('${file}`).test(source), file);
  });

  test('the demo’s piece fills its bars, in order, within its length', () => {
    const { notes, duration, sections } = perform();
    assert.ok(duration > 40 && duration < 70);
    assert.deepEqual(
      sections.map(({ name }) => name),
      ['intro', 'theme', 'middle', 'variation', 'coda'],
    );
    for (const [i, { part, time, duration: length, note, velocity }] of notes.entries()) {
      assert.ok(time >= (notes[i - 1]?.time ?? 0) && time + length < duration, `note ${i} of the ${part}`);
      assert.ok(note >= 33 && note <= 96 && velocity >= 1 && velocity <= 127, `note ${i} of the ${part}`);
    }
    // Who plays it twice hears the same.
    assert.deepEqual(perform(), perform());
  });
});
