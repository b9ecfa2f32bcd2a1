// PCM on a real JACK server: what is written to a Speaker or a ring is, bit for bit, what leaves through it; a worker that
// is terminated takes nothing along; a server that dies is no crash.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { start, temporaryFolder } from './support/child.mjs';
import { noJack, record, withJack } from './support/jackd.mjs';
import { until } from './support/sound.mjs';
import { readIntegers } from './support/wav.mjs';

const options = { skip: noJack, timeout: 120_000 };
const folder = temporaryFolder();
const face = new URL('../lib/index.mjs', import.meta.url).href;

/** Values of 16 bits, both sides different, from silence to silence: no fade changes them. */
const piece = (frames) =>
  Int16Array.from({ length: frames * 2 }, (_, n) => {
    const frame = n >> 1;
    const edge = Math.min(1, frame / 100, (frames - 1 - frame) / 100);
    return Math.round(edge * 20000 * Math.sin(frame * (n % 2 ? 0.031 : 0.057)));
  });

/** Runs a program when the recorder listens; returns what was recorded and what the program said. */
async function capture(server, seconds, source) {
  const started = start(
    `import { createTransport, PcmRing, Speaker } from ${JSON.stringify(face)};
    const piece = ${piece};
    const engine = Engine.default({ backend: 'jack' });
    const go = new Promise((resolve) => process.once('SIGUSR2', resolve));
    const alive = setInterval(() => {}, 1000);
    console.log(engine.sampleRate);
    await go;
    clearInterval(alive);
    ${source}`,
    { env: server.env },
  );
  await until(() => started.said.stdout.includes('\n'), 'the player');
  const ports = server.ports().filter((port) => /out_\d+$/.test(port) && !port.startsWith('system'));
  assert.equal(ports.length, 2, `${server.ports()}`);
  const file = join(folder, `${server.name}.wav`);
  const recorder = await record(server, file, seconds, ...ports);
  started.child.kill('SIGUSR2');
  const { code, stderr, stdout } = await started.ended;
  await recorder.ended;
  assert.deepEqual([code, stderr], [0, '']);
  return { ...readIntegers(readFileSync(file)), lines: stdout.trim().split('\n') };
}

/** Whole frames from the first that sounds on. */
function fromFirstSound(values) {
  const at = values.findIndex((value) => value !== 0);
  return values.subarray(Math.floor(at / 2) * 2);
}

const expected = piece(48000).map((value) => value);

/** Fails unless the recording is the piece and nothing else. */
function assertPiece({ values }) {
  const heard = fromFirstSound(values);
  const wanted = fromFirstSound(Int32Array.from(expected, (value) => value * 65536));
  const wrong = wanted.findIndex((value, n) => value !== heard[n]);
  assert.equal(wrong, -1, `value ${wrong} is ${heard[wrong]}, expected ${wanted[wrong]}`);
  assert.ok(
    heard.subarray(wanted.length).every((value) => value === 0),
    'nothing else was heard',
  );
}

// With both cores at work the recorder itself may lose a block: once more then.
const twice = (attempt) => attempt().catch(attempt);

test('the bytes written to a Speaker are, bit for bit, the frames heard', options, () =>
  twice(() =>
    withJack({ period: 1024 }, async (server) => {
      const recorded = await capture(
        server,
        3,
        `const speaker = new Speaker({ sampleRate: 48000 });
        const bytes = Buffer.from(piece(48000).buffer);
        speaker.on('finish', () => {
          console.log(JSON.stringify(speaker.stats));
          setTimeout(() => process.exit(0), 300);
        });
        for (let at = 0, n = 0; at < bytes.length; n += 1) {
          const length = 1 + ((n * 7919) % 9000);
          speaker.write(bytes.subarray(at, at + length));
          at += length;
        }
        speaker.end();`,
      );
      assert.equal(recorded.lines[0], '48000');
      assert.deepEqual(JSON.parse(recorded.lines[1]), { frames: 48000, underruns: 0, buffered: 0 });
      assertPiece(recorded);
    }),
  ),
);

test("the frames of Kanon's ring, read in place, are the frames heard", options, () =>
  twice(() =>
    withJack({ period: 256 }, async (server) => {
      const recorded = await capture(
        server,
        3,
        `const pointers = new SharedArrayBuffer(8);
        const size = 16384;
        const ring = { data: new Float64Array(new SharedArrayBuffer(size * 16)), size, stride: 2,
          writeIdx: new Int32Array(pointers, 0, 1), readIdx: new Int32Array(pointers, 4, 1) };
        const all = piece(48000);
        let frame = 0;
        const fill = () => {
          let write = Atomics.load(ring.writeIdx, 0);
          const read = Atomics.load(ring.readIdx, 0);
          for (; frame < 48000 && (write + 1) % size !== read; frame += 1, write = (write + 1) % size) {
            ring.data[2 * write] = all[2 * frame] / 32768;
            ring.data[2 * write + 1] = all[2 * frame + 1] / 32768;
          }
          Atomics.store(ring.writeIdx, 0, write);
        };
        fill();
        const transport = createTransport('PULL', ring, 48000);
        await until(() => { fill(); return frame === 48000 && transport.stats.fill === 0; });
        await sleep(200);
        console.log(JSON.stringify(transport.stats));
        transport.stop();
        await engine.close();`,
      );
      // It ran dry once, at its end.
      assert.deepEqual(JSON.parse(recorded.lines[1]), { frames: 48000, underruns: 1, fill: 0, invalid: 0 });
      assertPiece(recorded);
    }),
  ),
);

test('a server that dies while a Speaker plays is no crash and no hang', options, () =>
  withJack({ period: 256 }, async (server) => {
    const started = start(
      `import { Speaker } from ${JSON.stringify(face)};
      const engine = Engine.default({ backend: 'jack' });
      engine.on('devicelost', () => console.log('lost'));
      const speaker = new Speaker({ sampleRate: 48000 });
      speaker.on('error', ({ code }) => console.log(code));
      let n = 0;
      const feed = () => { if (n++ < 40) speaker.write(Buffer.alloc(4 * 4800, 3), feed); else speaker.end(); };
      speaker.on('close', () => console.log('closed'));
      feed();
      console.log('plays');`,
      { env: server.env },
    );
    await until(() => started.said.stdout.includes('plays'), 'the player');
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.kill();
    const { code, signal, stdout } = await started.ended;
    assert.deepEqual([code, signal], [0, null], stdout);
    assert.match(stdout, /lost/);
    assert.match(stdout, /closed/);
  }),
);
