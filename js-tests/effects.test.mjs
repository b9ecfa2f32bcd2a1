// Sends and effects from JavaScript: what a note, a controller and a sampler send, what comes back, and what is refused.
import assert from 'node:assert/strict';
import test from 'node:test';
import { run } from './support/child.mjs';
import { everyWrongNumber, throws, wrongType } from './support/errors.mjs';
import { assertSameBits, constant, left, offline, RATE } from './support/sound.mjs';

const INVALID = 'ERR_INVALID_ARGUMENT';
/** One echo, 10 ms later, of all that was sent: what it comes to is arithmetic. */
const ECHO = { time: 0.01, feedback: 0 };
const playing = () => offline({ data: constant(RATE, 0.25) });

test('a note sends as much as it says, and else as much as its sampler does', async () => {
  const { engine, sampler } = await playing();
  sampler.effects.set('delay', ECHO);
  sampler.noteOn(60, 127, { send: { delay: 0.5 }, time: 0, duration: 0.1 });
  sampler.noteOn(60, 127, { time: 0.5, duration: 0.1 });
  assert.equal(sampler.effects, sampler.effects);
  const first = left(engine, RATE / 2);
  assert.deepEqual([first[479], first[480], first[2400]], [0.25, 0.375, 0.375]);
  sampler.effects.send('delay', 1);
  sampler.noteOn(60, 127, { send: { delay: 0 }, time: 1, duration: 0.1 });
  const second = left(engine, RATE);
  assert.deepEqual([second[2400], second[24_000 + 2400]], [0.5, 0.25]);
  await engine.close();
});

test('controllers 91, 93 and 94 find their effect there, however they come', async () => {
  const ways = {
    controlChange: (sampler, controller) => sampler.controlChange(controller, 127),
    schedule: (sampler, controller) => sampler.schedule(Float64Array.of(0, 0xb0, controller, 127)),
    send: (sampler, controller) => sampler.send([0xb0, controller, 127]),
  };
  const renders = {};
  for (const controller of [91, 93, 94]) {
    for (const [way, send] of Object.entries(ways)) {
      const { engine, sampler } = await playing();
      send(sampler, controller);
      sampler.noteOn(60, 127, { time: 0.01, duration: 0.1 });
      const out = left(engine, RATE);
      // The note's release is 0.1 s: whatever is left at 0.38 s is an effect's. A chorus has nothing so late.
      const late = out.subarray(0.38 * RATE, 0.5 * RATE).some((value) => value !== 0);
      assert.equal(late, controller !== 93, `${controller} by ${way}`);
      renders[controller] ??= out;
      assertSameBits(out, renders[controller], `${controller} by ${way}`);
      await engine.close();
    }
  }
});

test('a note that sends finds its effect there, and one taken away stays away until it is set', async () => {
  const { engine, sampler } = await playing();
  const tail = () => {
    sampler.noteOn(60, 127, { time: engine.currentTime, duration: 0.05, send: { reverb: 1 } });
    return left(engine, RATE / 2)
      .subarray(RATE / 3)
      .some((value) => value !== 0);
  };
  assert.equal(tail(), true);
  sampler.effects.set('reverb', null);
  sampler.effects.set('reverb', null);
  engine.render(RATE);
  assert.equal(tail(), false);
  sampler.effects.set('reverb', { decay: 1 });
  assert.equal(tail(), true);
  await engine.close();
});

test('what is set once stays when something else is set', async () => {
  const { engine, sampler } = await playing();
  sampler.effects.set('delay', { ...ECHO, feedback: 0.5 });
  sampler.effects.set('delay', { feedback: 0 });
  engine.render(RATE);
  sampler.effects.set('delay', {});
  sampler.effects.send('delay', 1);
  sampler.noteOn(60, 127);
  const out = left(engine, 4800);
  assert.deepEqual([out[479], out[480], out[4000]], [0.25, 0.5, 0.5]);
  await engine.close();
});

test('a tail keeps the process until it is silent, and then no longer', async () => {
  const program = (decay) => `
    const { engine, sampler } = await playing(0.05, { backend: 'clock' });
    sampler.effects.set('reverb', { decay: ${decay}, predelay: 0 });
    sampler.noteOn(60, 127, { send: { reverb: 1 } });
    process.on('exit', () => console.log(engine.currentTime));
  `;
  const seconds = async (decay) => Number((await run(program(decay))).stdout);
  // 180 dB are three times the decay; without the tail it would be over within 0.3 s.
  assert.ok((await seconds(1)) > 2);
});

test('every parameter has its range', async () => {
  const { sampler } = await playing();
  const ranges = {
    reverb: {
      level: [0, 4],
      decay: [0.1, 60],
      size: [0.25, 2],
      damping: [200, 24000],
      predelay: [0, 0.5],
      modulation: [0, 1],
      width: [0, 1],
    },
    delay: { level: [0, 4], time: [0.001, 5], feedback: [0, 0.98], cross: [0, 1], damping: [100, 24000] },
    chorus: { level: [0, 4], rate: [0.01, 10], depth: [0, 0.01], delay: [0.001, 0.05], voices: [1, 8] },
  };
  for (const [effect, params] of Object.entries(ranges)) {
    for (const [name, [low, high]] of Object.entries(params)) {
      const set = (value) => sampler.effects.set(effect, { [name]: value });
      await everyWrongNumber(`${effect} ${name}`, (value) => value !== undefined && set(value), low, high);
    }
  }
  await everyWrongNumber('level', (level) => sampler.effects.send('chorus', level), 0, 10000, {
    absent: false,
  });
});

test('what is no effect and no params is refused with what there is', async () => {
  const { engine, sampler } = await playing();
  const { effects } = sampler;
  throws(() => effects.set('revreb', {}), RangeError, INVALID, "did you mean 'reverb'");
  throws(() => effects.set('flanger', {}), RangeError, INVALID, 'reverb', 'delay', 'chorus', '"flanger"');
  throws(() => effects.send('flanger', 1), RangeError, INVALID, '"flanger"');
  wrongType(() => effects.set(3, {}), 'effect', 'got 3');
  for (const params of [undefined, 3, 'wet', true, [1]]) {
    wrongType(() => effects.set('reverb', params), 'reverb', 'null', 'got');
  }
  wrongType(() => effects.set('delay', { tiem: 1 }), "'tiem'", "did you mean 'time'");
  sampler.close();
  throws(() => effects.set('reverb', {}), Error, 'ERR_CLOSED');
  throws(() => effects.send('reverb', 1), Error, 'ERR_CLOSED');
  await engine.close();
});

test('a sampler that only plays has the same bits as before anything was sent', async () => {
  const render = async (touch) => {
    const { engine, sampler } = await playing();
    touch(sampler);
    sampler.noteOn(60, 100, { time: 0.1, duration: 0.2 });
    const out = engine.render(RATE);
    await engine.close();
    return out;
  };
  const plain = await render(() => {});
  assertSameBits(
    await render((sampler) => sampler.effects.set('reverb', { decay: 5 })),
    plain,
    'with a reverb',
  );
  assertSameBits(await render((sampler) => sampler.controlChange(91, 0)), plain, 'with controller 91 at 0');
});
