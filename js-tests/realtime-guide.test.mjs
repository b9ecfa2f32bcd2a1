// docs/realtime.md as its readers use it: its programs run, its commands are commands, what it reads can be read.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './support/child.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const guide = readFileSync(join(root, 'docs', 'realtime.md'), 'utf8');
const folder = temporaryFolder();
const blocks = (language) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text);
const linux = process.platform === 'linux' ? false : 'Linux only';

test('its programs run', () => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'ictus'));
  assert.ok(blocks('js').length > 0);
  for (const text of blocks('js')) {
    const path = join(folder, 'program.mjs');
    writeFileSync(path, text);
    const { NODE_OPTIONS, NODE_TEST_CONTEXT, ICTUS_DEVICE, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [path], {
      encoding: 'utf8',
      env: { ...env, ICTUS_BACKEND: 'clock' },
    });
    assert.deepEqual([status, stderr], [0, ''], stdout);
    assert.match(stdout, /SCHED_\w+ \d+ \(\w+\) on core 0, \d+ MiB locked/);
  }
});

test('its shell commands are well-formed', { skip: linux }, () => {
  assert.ok(blocks('sh').length > 5);
  for (const text of blocks('sh')) {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, ''], text);
  }
});

test('those that only look can be run by anybody', { skip: linux }, () => {
  const looks = blocks('sh')
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^(ulimit|uname|ps|groups|sysctl kernel\.sched_rt)/.test(line))
    .filter((line) => spawnSync('bash', ['-c', `type ${line.split(' ')[0]}`]).status === 0);
  assert.ok(looks.length >= 4, `${looks}`);
  for (const line of looks) {
    const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, ''], line);
  }
});

test('what it names is there', () => {
  const commands = readdirSync(join(root, 'lib', 'cli'));
  for (const [, command] of guide.matchAll(/npx ictus (\w+)/g))
    assert.ok(commands.includes(`${command}.cjs`), command);
  for (const [, path] of guide.matchAll(/`((?:js-tests|docs|lib)\/[\w./-]+)`/g)) {
    assert.ok(existsSync(join(root, path)), path);
  }
  // Words that it tells readers to look for stand in what they look at.
  const reasons = ['realtime.rs', 'rtkit.rs', 'remedy.rs'].map((name) =>
    readFileSync(join(root, 'src', 'device', name), 'utf8'),
  );
  const source = reasons.join('\n').replaceAll(/\\\n\s*/g, '');
  for (const words of [
    'polkit does not allow org.freedesktop.RealtimeKit1.acquire-real-time',
    'the audio thread was taken off real-time priority',
  ]) {
    assert.ok(guide.includes(words) && source.includes(words), words);
  }
});
