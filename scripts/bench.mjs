// npm run bench [-- --no-peers] [--save]: the benchmarks that the README quotes, one after another. Figures are medians
// and stand beside something measured in the same run. `--save` also writes all that was said to
// benches/results/<date>-<processor>.txt; neither host name nor paths are in it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { buildOrExit } from './build.mjs';
import { root } from './platforms.mjs';
import { bunPath, setupOrExit } from './setup.mjs';

const options = process.argv.slice(2);
const unknown = options.find((option) => !['--no-peers', '--save'].includes(option));
if (unknown !== undefined) {
  console.error(`there is no option "${unknown}"; there are: --no-peers, --save`);
  process.exit(1);
}
setupOrExit();
await buildOrExit();

const bun = bunPath();
const date = new Date().toISOString().slice(0, 10);
const processor = cpus()[0]?.model.trim() ?? process.arch;
const version = (program) => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim();
let text = '';

function say(said) {
  process.stdout.write(said);
  text += said;
}

/** Runs a benchmark to its end, showing what it says as it comes; what cargo says of building stays out of the text. */
function bench(title, program, args) {
  say(`\n── ${title}\n`);
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.setEncoding('utf8').on('data', say);
    child.once('error', ({ message }) => {
      say(`not run: ${message}\n`);
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
}

const rust = (name) => ['bench', '--quiet', '--bench', name, '--no-default-features'];
const peers = ['run', '--quiet', '--release', '--manifest-path', join('benches', 'peers', 'Cargo.toml')];
const note = join('benches', 'note-on.mjs');
const pcm = join('benches', 'pcm.mjs');

say(`${date}, ${processor}, ${cpus().length} cores, ${process.platform} ${release()}\n`);
say(`${version('rustc')}, Node ${process.versions.node}${bun ? `, Bun ${version(bun)}` : ''}\n`);
const done = [
  await bench('engine', 'cargo', rust('engine')),
  await bench('interpolation', 'cargo', rust('interpolate')),
  await bench('filters', 'cargo', rust('filter')),
  await bench('noteOn from Node', process.execPath, [note]),
  !bun || (await bench('noteOn from Bun', bun, [note])),
  await bench('PCM from Node', process.execPath, [pcm]),
  !bun || (await bench('PCM from Bun', bun, [pcm])),
  options.includes('--no-peers') || (await bench('peers', 'cargo', peers)),
];

if (options.includes('--save')) {
  const folder = join(root, 'benches', 'results');
  const name = `${date}-${processor.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.txt`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  console.log(`\nwritten to benches/results/${name}`);
}
process.exitCode = done.every(Boolean) ? 0 : 1;
