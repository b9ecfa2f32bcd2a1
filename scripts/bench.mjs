// npm run bench [-- --no-peers] [--peers-js]: the benchmarks that the README quotes, one after another. Figures are
// medians and stand beside something measured in the same run. All that was said, and its plots, are written to
// benches/results/<date>-<processor>/; neither host name nor paths are in it. `--peers-js` installs node-web-audio-api
// into benches/peers-js/ and plays beside it, and beside scsynth where that is installed.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { drawPlots } from './bench-plots.mjs';
import { buildOrExit } from './build.mjs';
import { root } from './platforms.mjs';
import { npmCommand, runs } from './run.mjs';
import { bunPath, setupOrExit } from './setup.mjs';

const options = process.argv.slice(2);
const unknown = options.find((option) => !['--no-peers', '--peers-js'].includes(option));
if (unknown !== undefined) {
  console.error(`there is no option "${unknown}"; there are: --no-peers, --peers-js`);
  process.exit(1);
}
setupOrExit();
await buildOrExit();

const bun = bunPath();
const date = new Date().toISOString().slice(0, 10);
const processor = cpus()[0]?.model.trim() ?? process.arch;
const version = (program) => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim();
let text = '';
const drawn = [];

function say(said) {
  process.stdout.write(said);
  text += said;
}

/** A line of a benchmark: to be read, or a curve of a plot. */
function hear(line) {
  if (line.startsWith('@plot ')) drawn.push(JSON.parse(line.slice('@plot '.length)));
  else say(`${line}\n`);
}

/** Runs a benchmark to its end, showing what it says as it comes; what cargo says of building stays out of the text. */
function bench(title, program, args) {
  say(`\n── ${title}\n`);
  return new Promise((resolve) => {
    const env = { ...process.env, ICTUS_BENCH_PLOTS: '1' };
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env });
    createInterface({ input: child.stdout }).on('line', hear);
    child.once('error', ({ message }) => {
      say(`not run: ${message}\n`);
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
}

/** Installs what stands beside us there, and nothing of it anywhere else. */
function benchPeersOfJavaScript() {
  const cwd = join(root, 'benches', 'peers-js');
  const { program, args, options } = npmCommand();
  if (!runs(program, [...args, 'install', '--silent'], { cwd, ...options })) {
    say('\n── peers in JavaScript\nnot run: npm could not install node-web-audio-api\n');
    return false;
  }
  return bench('peers in JavaScript', process.execPath, [join('benches', 'peers-js', 'bench.mjs')]);
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
  !options.includes('--peers-js') || (await benchPeersOfJavaScript()),
];

const name = `${date}-${processor.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
const folder = join(root, 'benches', 'results', name);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'bench.txt'), text);
for (const [plot, svg] of Object.entries(drawPlots(drawn))) writeFileSync(join(folder, `${plot}.svg`), svg);
console.log(`\nwritten to benches/results/${name}/`);
process.exitCode = done.every(Boolean) ? 0 : 1;
