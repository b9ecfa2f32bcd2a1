// Every audio server that Linux has: what leaves through PulseAudio, through both faces of PipeWire and through ALSA is
// what render() gives, bit for bit; and a server that goes and comes back costs no note that was scheduled.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ask, start, temporaryFolder } from './support/child.mjs';
import { noJack, record, withJack } from './support/jackd.mjs';
import { play, prepare } from './support/piece.mjs';
import { fromFirstSound, player } from './support/player.mjs';
import {
  alsaOverJack,
  noAlsaOverJack,
  noPipeWire,
  noPipeWireJack,
  noPulse,
  withPipeWire,
  withPulse,
} from './support/servers.mjs';
import { assertSameBits, firstSound, largestStep, offline, retried, until } from './support/sound.mjs';
import { readIntegers, toIntegers } from './support/wav.mjs';

const folder = temporaryFolder();
const limit = { timeout: 120_000 };

/** The piece as an offline engine renders it, from its first sound to its last. */
async function rendered() {
  const { engine, sampler, instrument } = await offline();
  sampler.assign(0, null);
  instrument.unload();
  await prepare(sampler);
  play(sampler, 0.5);
  const whole = fromFirstSound(engine.render(engine.sampleRate * 2));
  const piece = whole.subarray(0, Math.round(1.4 * engine.sampleRate) * 2);
  assert.ok(
    piece.some((value) => value > 0.1) && piece.at(-1) === 0,
    'a piece from its first frame to silence',
  );
  return piece;
}

const piece = `await new Promise((resolve) => setTimeout(resolve, 200));
  play(sampler, Math.ceil(engine.currentTime + 0.5));
  await sleep(3500);
  if (engine.stats().lateEvents + engine.stats().droppedEvents > 0) console.error('late');`;

/** What the sink has played of the piece. */
async function captured(server, options) {
  const stop = await server.record();
  const one = player(server, piece, options);
  const ready = await one.ready;
  one.child.kill('SIGUSR2');
  const { code, stderr } = await one.ended;
  const values = await stop();
  assert.deepEqual([code, stderr], [0, '']);
  return { ready, values: fromFirstSound(values) };
}

test('what leaves through PulseAudio is what render() gives, bit for bit', {
  ...limit,
  skip: noPulse,
}, async () => {
  const expected = await rendered();
  await retried(() =>
    withPulse(async (server) => {
      const { ready, values } = await captured(server, { backend: 'pulseaudio' });
      assert.deepEqual([ready.backend, ready.sampleRate, ready.device], ['pulseaudio', 48000, 'Null Output']);
      assertSameBits(values.subarray(0, expected.length), expected);
    }),
  );
});

test('what leaves through PipeWire as PulseAudio is what render() gives, bit for bit', {
  ...limit,
  skip: noPipeWire,
}, async () => {
  const expected = await rendered();
  await retried(() =>
    withPipeWire(async (server) => {
      const { ready, values } = await captured(server, {});
      assert.equal(ready.backend, 'pulseaudio', 'auto finds it where no JACK runs');
      assertSameBits(values.subarray(0, expected.length), expected);
    }),
  );
});

test('what leaves through PipeWire as JACK is what render() gives, bit for bit', {
  ...limit,
  skip: noPipeWireJack,
}, async () => {
  const expected = await rendered();
  await retried(() =>
    withPipeWire(async (server) => {
      const { ready, values } = await captured({ ...server, env: server.jackEnv }, { backend: 'jack' });
      assert.deepEqual([ready.backend, ready.sampleRate], ['jack', 48000]);
      assertSameBits(values.subarray(0, expected.length), expected);
    }),
  );
});

test('what leaves through ALSA into JACK is what render() gives, bit for bit', {
  ...limit,
  skip: noAlsaOverJack,
}, async () => {
  const expected = toIntegers(await rendered());
  await retried(() =>
    withJack({ period: 512 }, async (server) => {
      const one = player({ ...server, env: alsaOverJack(server, folder) }, piece, { backend: 'alsa' });
      assert.equal((await one.ready).backend, 'alsa');
      const ports = server.ports().filter((port) => /:out_00\d$/.test(port) || /alsa-jack.*:out/.test(port));
      assert.equal(ports.length, 2, `${server.ports()}`);
      const file = join(folder, 'alsa.wav');
      const recorder = await record(server, file, 4, ...ports);
      one.child.kill('SIGUSR2');
      await recorder.ended;
      const { code, stderr } = await one.ended;
      assert.deepEqual([code, stderr], [0, '']);
      const heard = fromFirstSound(readIntegers(readFileSync(file)).values);
      const different = expected.findIndex((value, n) => value !== heard[n]);
      assert.equal(
        different,
        -1,
        `value ${different} is ${heard[different]}, expected ${expected[different]}`,
      );
    }),
  );
});

test('devices() lists the sinks of PulseAudio, and the clock', { ...limit, skip: noPulse }, () =>
  withPulse(async (server) => {
    server.pactl('load-module', 'module-null-sink', 'sink_name=speakers', 'rate=44100', 'channels=6');
    const found = await ask(
      `import { devices } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url).href)};
      console.log(JSON.stringify(await devices()));`,
      { env: server.env },
    );
    const sinks = found.filter(({ backend }) => backend === 'pulseaudio');
    assert.deepEqual(
      sinks.map(({ id, isDefault, channels, sampleRates }) => ({ id, isDefault, channels, sampleRates })),
      [
        { id: 'test_sink', isDefault: true, channels: 2, sampleRates: [48000] },
        { id: 'speakers', isDefault: false, channels: 6, sampleRates: [44100] },
      ],
    );
    assert.ok(sinks.every(({ name, bufferSizes }) => name.length > 0 && bufferSizes === null));
    const clock = found.find(({ backend }) => backend === 'clock');
    assert.ok(clock.isDefault && clock.bufferSizes.min <= 8 && clock.sampleRates.includes(48000));
    // Its own rate, its own channels, a part of its id, and a part that fits both.
    const opened = await ask(
      `const engine = new Engine({ backend: 'pulseaudio', device: 'speaker', channels: 6 });
      const told = [engine.sampleRate, engine.channels];
      await engine.close();
      try {
        new Engine({ backend: 'pulseaudio', device: 's' });
      } catch (error) {
        told.push(error.code, error.message);
      }
      console.log(JSON.stringify(told));`,
      { env: server.env },
    );
    assert.deepEqual(opened.slice(0, 3), [44100, 6, 'ERR_NO_DEVICE']);
    assert.match(opened[3], /'s' is part of the names of several output devices: .*test_sink.*speakers/);
  }),
);

/** A program whose device goes away in the middle of a long note, and comes back; the same on every server. */
const outage = `const events = [];
  for (const name of ['devicelost', 'devicerestored', 'error'])
    engine.on(name, (event) => events.push([name, event.backend ?? '']));
  const held = sampler.createInstrument();
  held.setEnvelope({ attack: 0.05 });
  await held.addSample(constant(1000, 0.5), { loop: { start: 0, end: 1000 } });
  sampler.assign(9, held);
  const ended = [];
  sampler.on('noteend', ({ id }) => ended.push(id));
  sampler.noteOn(60, 127, undefined, 9);
  await until(() => engine.stats().voices > 0);
  console.log('plays');
  await until(() => events.length > 0);
  const lost = { at: performance.now(), time: engine.currentTime };
  await sleep(500);
  const rate = (engine.currentTime - lost.time) / ((performance.now() - lost.at) / 1000);
  const later = sampler.noteOn(62, 1, engine.currentTime + 0.1, 9);
  sampler.release(later, engine.currentTime + 0.2);
  await until(() => ended.includes(later));
  console.log('lost');
  await until(() => events.length > 1);
  await sleep(1500);
  console.log(JSON.stringify({ events, rate, voices: engine.stats().voices, state: engine.state, backend: engine.backend,
    latency: engine.outputLatency }));`;

/** Plays it and says what the program told and what was heard of the device that came back. */
async function suffered(server, options, kill, restart) {
  const one = player(server, outage, options);
  await one.ready;
  one.child.kill('SIGUSR2');
  await until(() => one.said.stdout.includes('plays'), 'the note');
  await kill();
  await until(() => one.said.stdout.includes('lost\n'), 'the loss');
  const heard = await restart();
  const { code, stderr, stdout } = await one.ended;
  assert.deepEqual([code, stderr], [0, '']);
  const told = JSON.parse(stdout.trim().split('\n').at(-1));
  assert.deepEqual(told.events, [
    ['devicelost', ''],
    ['devicerestored', options.backend],
  ]);
  assert.ok(told.rate > 0.9 && told.rate < 1.1, `the clock went on at ${told.rate} of its rate`);
  assert.deepEqual([told.voices, told.state, told.backend], [1, 'running', options.backend]);
  return { told, heard };
}

test(
  'PulseAudio killed in the middle of a note: the clock goes on, and the note fades in again',
  {
    ...limit,
    skip: noPulse,
  },
  () =>
    retried(() =>
      withPulse(async (server) => {
        const { heard } = await suffered(server, { backend: 'pulseaudio' }, server.kill, async () => {
          await server.restart();
          return server.record();
        });
        const values = await heard();
        const left = values.filter((_, n) => n % 2 === 0);
        const level = 0.5 * Math.SQRT1_2;
        const sound = left.subarray(Math.max(0, firstSound(left)));
        assert.ok(Math.abs(Math.max(...sound.subarray(0, 48_000)) / level - 1) < 1e-6, 'it sounds again');
        // The recorder may have come after the fade-in of 20 ms; the fade-out at the end takes 5 ms.
        assert.ok(largestStep(sound) < level / 48, `a step of ${largestStep(sound) / level} of the level`);
      }),
    ),
);

test(
  'JACK killed in the middle of a note: the clock goes on, and it comes back with the server',
  {
    ...limit,
    skip: noJack,
  },
  () =>
    retried(() =>
      withJack({ period: 256 }, async (server) => {
        const { told } = await suffered(
          server,
          { backend: 'jack' },
          () => server.kill(),
          () => server.restart(),
        );
        assert.ok(told.latency >= 0);
      }),
    ),
);

test('without any server the error of every backend says what to do', {
  ...limit,
  skip: noPulse,
}, async () => {
  const env = {
    PULSE_SERVER: 'unix:/nonexistent',
    JACK_DEFAULT_SERVER: 'ictus-nobody',
    JACK_NO_START_SERVER: '1',
    ALSA_CONFIG_PATH: '/nonexistent',
  };
  const { ended } = start(
    `const told = {};
    for (const backend of ['auto', 'alsa', 'jack', 'pulseaudio', 'pipewire']) {
      try {
        await new Engine({ backend }).close();
      } catch ({ code, message }) {
        told[backend] = [code, message];
      }
    }
    console.log(JSON.stringify(told));`,
    { env },
  );
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, ''], 'and nothing is printed');
  const told = JSON.parse(stdout);
  for (const [backend, [errorCode, message]] of Object.entries(told)) {
    assert.equal(errorCode, 'ERR_NO_DEVICE', backend);
    assert.match(message, /clock/, backend);
  }
  assert.match(told.jack[1], /no JACK server|libjack/);
  assert.match(told.pulseaudio[1], /no PulseAudio server answers .*nonexistent/);
  assert.match(told.pipewire[1], /'pulseaudio'/);
  for (const backend of ['jack: ', 'pulseaudio: ', 'alsa: '])
    assert.ok(told.auto[1].includes(backend), told.auto[1]);
});
