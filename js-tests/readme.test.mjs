// The README as its readers use it: every JavaScript snippet is a program that runs to its end, without a word on
// stderr and without a note that finds nothing to play; every command and every error code that it names exists.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hat, kick, pluck, snare } from '../examples/support/sounds.mjs';
import { writeWav } from '../examples/support/wav.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => readFileSync(join(root, name), 'utf8');
const readme = read('README.md');

/** The fenced blocks of one language, each with the line that it starts on. */
function blocks(language, page = readme) {
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...page.matchAll(pattern)].map((match) => ({
    text: match[1],
    line: page.slice(0, match.index).split('\n').length + 1,
  }));
}

const work = mkdtempSync(join(tmpdir(), 'ictus-readme-test-'));

// The files that the snippets name, and the package as if it were installed.
before(() => {
  const rate = 44100;
  mkdirSync(join(work, 'node_modules'));
  symlinkSync(root, join(work, 'node_modules', 'ictus'));
  const files = { kick: kick(rate), snare: snare(rate), hat: hat(rate, 0.03) };
  for (const [name, values] of Object.entries(files)) writeWav(join(work, `${name}.wav`), values, 1, rate);
  writeWav(join(work, 'piano', 'C3.wav'), pluck(rate / 2), 1, rate);
  writeWav(join(work, 'piano', 'C4.wav'), pluck(rate), 1, rate);
});
after(() => rmSync(work, { recursive: true, force: true }));

// What the default engine has seen when the snippet has nothing left to do.
const epilogue = `
;{
  const { Engine } = await import('ictus');
  process.once('beforeExit', () => console.log(JSON.stringify(Engine.default().stats())));
}
`;

describe('the snippets of the README', () => {
  for (const { text, line } of blocks('js')) {
    test(`line ${line}: ${text.split('\n')[0]} … runs`, () => {
      const path = join(work, `line-${line}.mjs`);
      writeFileSync(path, text + epilogue);
      const { NODE_OPTIONS, NODE_TEST_CONTEXT, ICTUS_DEVICE, ...env } = process.env;
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, [path], {
        cwd: work,
        env: { ...env, ICTUS_BACKEND: 'clock' },
        encoding: 'utf8',
        timeout: 30_000,
      });
      assert.deepEqual([status, signal, stderr], [0, null, ''], stdout + stderr);
      const stats = JSON.parse(stdout.trim().split('\n').at(-1));
      assert.equal(stats.silentNotes, 0, 'every note finds a sample');
      assert.equal(stats.droppedEvents, 0);
      const plays = /noteOn/.test(text) && !/catch|offline/.test(text);
      if (plays) assert.ok(stats.voicesPeak > 0, 'it sounds');
    });
  }

  test('there are some, and the first one makes sound in twelve lines', () => {
    const [first, ...others] = blocks('js');
    assert.ok(others.length >= 5);
    assert.match(first.text, /noteOn/);
    assert.ok(first.text.split('\n').filter((line) => line.trim()).length <= 12);
  });
});

describe('the snippets of docs/pcm.md', () => {
  for (const { text, line } of blocks('js', read('docs/pcm.md'))) {
    test(`line ${line}: ${text.split('\n')[0]} … runs`, () => {
      const path = join(work, `pcm-${line}.mjs`);
      writeFileSync(path, text);
      const { NODE_OPTIONS, NODE_TEST_CONTEXT, ICTUS_DEVICE, ...env } = process.env;
      const { status, signal, stderr } = spawnSync(process.execPath, [path], {
        cwd: work,
        env: { ...env, ICTUS_BACKEND: 'clock' },
        encoding: 'utf8',
        timeout: 30_000,
      });
      assert.deepEqual([status, signal, stderr], [0, null, '']);
    });
  }
});

describe('what the README names', () => {
  test('npm scripts', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const commands = readme.match(/\bnpm (?:run [\w:-]+|test)\b/g);
    assert.ok(commands.length > 0);
    for (const command of commands) assert.ok(command.split(' ').at(-1) in scripts, command);
  });

  test('files of the repository', () => {
    const named = [
      ...readme.matchAll(/\]\((?!http|#)([^)]+)\)/g),
      ...readme.matchAll(/\b((?:examples|benches)\/[\w.-]+\.\w+)/g),
    ];
    assert.ok(named.length > 3);
    for (const [, name] of named) assert.ok(existsSync(join(root, name)), name);
  });

  test('headings that it links to', () => {
    const headings = [...readme.matchAll(/^## (.+)$/gm)].map(([, title]) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    for (const [, anchor] of readme.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.includes(anchor), anchor);
  });

  test('error codes: exactly those of index.d.ts', () => {
    const codes = (text) => [...new Set(text.match(/\bERR_[A-Z_]+\b/g))].sort();
    const type = /export type IctusErrorCode =.*?;\n/s.exec(read('index.d.ts'))[0];
    assert.deepEqual(codes(readme), codes(type));
  });

  test('versions of Node: those that package.json admits', () => {
    const { engines } = JSON.parse(read('package.json'));
    assert.ok(readme.includes(`Node ${engines.node.replace('>=', '≥ ')}`));
  });
});
