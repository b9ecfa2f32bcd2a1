// index.d.ts against what is there: every class member, option, figure and error code that it names exists, and
// nothing public exists that it does not name.
//
// TypeScript 7 has no stable JavaScript API, so the file is read as text: it is formatted by biome, a declaration
// begins in the first column and a member in the third.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import * as namespace from '../lib/index.mjs';
import { offline } from './support/sound.mjs';

const ictus = { ...namespace };
const root = fileURLToPath(new URL('..', import.meta.url));
const text = readFileSync(join(root, 'index.d.ts'), 'utf8')
  .replace(/\/\*[\s\S]*?\*\//g, '')
  .replace(/^\s*\/\/.*$/gm, '');

/** The members of a class or interface: name → whether it is static. Private ones are left out. */
function members(name) {
  const declaration = new RegExp(
    `^export (?:class|interface) ${name}\\b[^{]*\\{$([\\s\\S]*?)^\\}$`,
    'm',
  ).exec(text);
  assert.ok(declaration, `index.d.ts declares ${name}`);
  const found = new Map();
  const line = /^ {2}(private )?(static )?(?:readonly )?(\[Symbol\.\w+\]|\w+)(?=[?(:<])/gm;
  for (const [, hidden, fixed, member] of declaration[1].matchAll(line)) {
    if (!hidden && member !== 'constructor') found.set(member, fixed !== undefined);
  }
  assert.ok(found.size > 0, `${name} has members`);
  return found;
}

/** As index.d.ts writes it. What a runtime without a symbol of its own calls it is its own affair. */
const named = (key) => {
  if (typeof key === 'string') return key;
  const symbol = Object.getOwnPropertyNames(Symbol).find((name) => Symbol[name] === key);
  return `[Symbol.${symbol ?? key.description}]`;
};
const sorted = (names) => [...names].sort();

for (const name of ['Engine', 'Sampler', 'Instrument', 'PcmRing']) {
  const { prototype } = ictus[name];
  const declared = members(name);

  test(`${name} has the members that index.d.ts names, and no others`, () => {
    const there = Reflect.ownKeys(prototype)
      .filter((key) => key !== 'constructor')
      .map(named);
    // Node 20 has Symbol.dispose since 20.5 only.
    const expected = [...declared].filter(
      ([member, fixed]) => !fixed && (!member.startsWith('[') || member.slice(8, -1) in Symbol),
    );
    assert.deepEqual(sorted(there), sorted(expected.map(([member]) => member)));
  });

  test(`${name} has the static members that index.d.ts names, and no others`, () => {
    const there = Reflect.ownKeys(ictus[name]).filter(
      (key) => !['length', 'name', 'prototype'].includes(key),
    );
    assert.deepEqual(
      sorted(there.map(named)),
      sorted([...declared].filter(([, fixed]) => fixed).map(([member]) => member)),
    );
  });

  test(`what ${name} calls read-only cannot be set, and the rest can`, () => {
    const body = new RegExp(`^export class ${name}\\b[\\s\\S]*?^\\}$`, 'm').exec(text)[0];
    for (const [, fixed, property] of body.matchAll(/^ {2}(readonly )?(\w+): /gm)) {
      const { get, set } = Object.getOwnPropertyDescriptor(prototype, property);
      assert.deepEqual([typeof get, typeof set], ['function', fixed ? 'undefined' : 'function'], property);
    }
  });

  test(`no member of ${name} lies open on its objects`, async () => {
    const made = await offline();
    const ring = new ictus.PcmRing({ engine: made.engine });
    const object = { ...made, pcmring: ring }[name.toLowerCase()];
    const own = Object.keys(object).filter((key) => !key.startsWith('_') && key !== 'domain');
    assert.deepEqual(own, []);
  });
}

test('a Speaker has the members that index.d.ts names, beside those of the original', () => {
  const { Speaker } = ictus;
  const own = Reflect.ownKeys(Speaker.prototype).filter((key) => key !== 'constructor' && !/^_/.test(key));
  const statics = Reflect.ownKeys(Speaker).filter((key) => !['length', 'name', 'prototype'].includes(key));
  const declared = [...members('Speaker')].filter(([name]) => name !== 'on');
  const named = (fixed) => sorted(declared.filter(([, is]) => is === fixed).map(([name]) => name));
  assert.deepEqual([sorted(own), sorted(statics)], [named(false), named(true)]);
  const { stats } = new Speaker();
  assert.deepEqual(sorted(Object.keys(stats)), sorted([...members('StreamStats').keys(), 'buffered']));
});

test('the package exports what index.d.ts does', () => {
  const declared = [...text.matchAll(/^export (?:class|const|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(sorted(Object.keys(ictus).filter((name) => name !== 'default')), sorted(declared));
});

/** The options that a call knows, as its own error lists them. */
async function known(call) {
  const error = await Promise.resolve()
    .then(call)
    .catch((reason) => reason);
  const list = /known are (.+)$/.exec(error.message);
  assert.ok(list, `"${error.message}" lists the options`);
  return list[1].split(', ');
}

test('every option in index.d.ts is known, and every known one is in index.d.ts', async () => {
  const { engine, sampler, instrument } = await offline();
  const data = new Float32Array(10);
  const odd = { entirelyDifferent: 1 };
  const { Engine, Sampler } = ictus;
  const calls = {
    EngineOptions: () => new Engine(odd),
    RealtimeOptions: () => new Engine({ backend: 'offline', realtime: odd }),
    LimiterOptions: () => new Engine({ backend: 'offline', limiter: odd }),
    DoctorOptions: () => ictus.doctor(odd),
    NoteOptions: () => sampler.noteOn(60, 100, odd),
    NoteParams: () => sampler.set(1, odd),
    ReverbParams: () => sampler.effects.set('reverb', odd),
    DelayParams: () => sampler.effects.set('delay', odd),
    ChorusParams: () => sampler.effects.set('chorus', odd),
    LoadOptions: () => sampler.load(data, odd),
    InstrumentOptions: () => sampler.createInstrument('', odd),
    SampleMetadata: () => instrument.addSample(data, odd),
    Envelope: () => instrument.setEnvelope(odd),
    PcmRingOptions: () => new ictus.PcmRing(odd),
    GenerateOptions: () => engine.generate(() => {}, odd),
  };
  for (const [name, call] of Object.entries(calls)) {
    const extended = new RegExp(`^export interface ${name} extends (\\w+)`, 'm').exec(text)?.[1];
    const named = [...members(name).keys(), ...(extended ? members(extended).keys() : [])];
    assert.deepEqual(sorted(await known(call)), sorted(named), name);
  }
  const both = new Set([...members('SamplerOptions').keys(), ...members('EngineOptions').keys()]);
  assert.deepEqual(sorted(new Set(await known(() => new Sampler({ engine, ...odd })))), sorted(both));
});

test('the figures and states are those of index.d.ts', async () => {
  const { engine } = await offline();
  const stats = engine.stats();
  assert.deepEqual(sorted(Object.keys(stats)), sorted(members('Stats').keys()));
  for (const name of ['callback', 'lateness', 'jitter']) {
    assert.deepEqual(sorted(Object.keys(stats[name])), sorted(members('Distribution').keys()), name);
    assert.ok(Array.isArray(stats[name].histogram));
  }
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value !== 'object') assert.equal(typeof value, 'number', name);
  }
  const ring = new ictus.PcmRing({ engine });
  const inherited = [...members('StreamStats').keys(), ...members('RingStats').keys()];
  assert.deepEqual(sorted(Object.keys(ring.stats)), sorted(inherited));
  const status = { reason: undefined, ...engine.realtime };
  assert.deepEqual(sorted(Object.keys(status)), sorted(members('RealtimeStatus').keys()));
});

test('the words of backends and policies are those of index.d.ts', () => {
  const union = (name) =>
    [.../^export type (\w+) =([\s\S]*?);$/gm[Symbol.matchAll](text)].find(([, type]) => type === name)[2];
  const words = (type) => [...type.matchAll(/'([\w-]+)'/g)].map(([, word]) => word);
  const offered = (call) => {
    try {
      call();
    } catch (error) {
      return words(/must be one of (.+), got/.exec(error.message)[1]);
    }
    return assert.fail('it is a word');
  };
  const { Engine, Sampler } = ictus;
  const field = (name, option) =>
    words(new RegExp(`^export interface ${name}\\b[\\s\\S]*?^ {2}${option}\\?: (.+);$`, 'm').exec(text)[1]);
  const engine = new Engine({ backend: 'offline' });
  assert.deepEqual(sorted(offered(() => new Engine({ backend: 'x' }))), sorted(words(union('Backend'))));
  assert.deepEqual(
    sorted(offered(() => new Engine({ interpolation: 'x' }))),
    sorted(words(union('Interpolation'))),
  );
  assert.deepEqual(
    sorted(offered(() => new Engine({ realtime: { policy: 'x' } }))),
    sorted(field('RealtimeOptions', 'policy')),
  );
  assert.deepEqual(
    sorted(offered(() => new Sampler({ engine, stealing: 'x' }))),
    sorted(field('SamplerOptions', 'stealing')),
  );
});

test('the error codes in the code are those of index.d.ts', () => {
  const codes = (source) => new Set([...source.matchAll(/['"](ERR_[A-Z_]+)['"]/g)].map(([, code]) => code));
  const declared = codes(/^export type IctusErrorCode =[\s\S]*?;$/m.exec(text)[0]);
  const files = readdirSync(join(root, 'lib'), { recursive: true }).filter((name) => name.endsWith('js'));
  const lib = files.map((name) => readFileSync(join(root, 'lib', name), 'utf8'));
  const used = codes([readFileSync(join(root, 'src', 'control', 'error.rs'), 'utf8'), ...lib].join('\n'));
  assert.deepEqual(sorted(used), sorted(declared));
});
