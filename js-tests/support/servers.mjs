// PulseAudio with a null sink, and PipeWire with WirePlumber and all of its faces, each in a folder of its own.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from './sound.mjs';

const has = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** The reason for which these cannot be started, or false; ICTUS_REQUIRE_SERVERS=1 makes that a failure. */
function lacking(...programs) {
  if (process.platform !== 'linux') return 'these servers run on Linux';
  const missing = programs.filter((program) => !has(program));
  return missing.length > 0 && process.env.ICTUS_REQUIRE_SERVERS !== '1'
    ? `not installed: ${missing}`
    : false;
}

export const noPulse = lacking('pulseaudio', 'pactl', 'parec');
export const noPipeWire = lacking(
  'pipewire',
  'wireplumber',
  'pipewire-pulse',
  'dbus-daemon',
  'pactl',
  'parec',
);

/** Where pipewire-jack keeps the libjack that leads to PipeWire. */
const libraries = [
  '/usr/lib',
  '/usr/lib64',
  ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name)) : []),
];
const pipeWireJack = libraries
  .map((folder) => join(folder, 'pipewire-0.3', 'jack'))
  .find((folder) => existsSync(join(folder, 'libjack.so.0')));
export const noPipeWireJack =
  noPipeWire ||
  (pipeWireJack === undefined && process.env.ICTUS_REQUIRE_SERVERS !== '1'
    ? 'not installed: pipewire-jack'
    : false);

/** Runs the body with a folder and something that starts programs there; ends them and removes it whatever happens. */
async function withFolder(name, body) {
  const folder = mkdtempSync(join(tmpdir(), `ictus-${name}-`));
  const children = [];
  const launch = (env, program, ...args) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.gone = new Promise((resolve) => {
      child.once('exit', resolve).once('error', resolve);
    });
    children.push(child);
    return child;
  };
  try {
    return await body(folder, launch);
  } finally {
    for (const child of children.reverse()) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await child.gone;
      clearTimeout(timer);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

const SINK = 'test_sink';

/** What both speak: pactl, and recording what the sink plays as interleaved floats. */
function tools(env, launch) {
  const pactl = (...args) =>
    spawnSync('pactl', args, { env: { ...process.env, ...env }, encoding: 'utf8', timeout: 3000 });
  const record = async () => {
    const child = launch(
      env,
      'parec',
      ...['-d', `${SINK}.monitor`, '--format=float32le', '--rate=48000', '--channels=2', '--raw'],
      '--latency-msec=20',
    );
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    await until(() => chunks.length > 0, 'the recorder');
    return async () => {
      child.kill('SIGTERM');
      await child.gone;
      const bytes = Buffer.concat(chunks);
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~7)));
    };
  };
  return { env, pactl, record };
}

const nobody = { JACK_DEFAULT_SERVER: 'ictus-nobody', JACK_NO_START_SERVER: '1' };

/** Starts PulseAudio, runs the body with it, and stops it. */
export function withPulse(body) {
  assert.equal(
    lacking('pulseaudio', 'pactl', 'parec'),
    false,
    'ICTUS_REQUIRE_SERVERS=1, and these are missing',
  );
  return withFolder('pulse', async (folder, launch) => {
    const socket = join(folder, 'socket');
    const env = { ...nobody, XDG_RUNTIME_DIR: folder, HOME: folder, PULSE_SERVER: `unix:${socket}` };
    const server = () =>
      launch(
        env,
        'pulseaudio',
        ...['-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1'],
        ...['-L', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`],
        ...['-L', `module-null-sink sink_name=${SINK} rate=48000 channels=2 format=float32le`],
      );
    const begin = async () => {
      rmSync(socket, { force: true });
      const child = server();
      await until(() => existsSync(socket) && both.pactl('info').status === 0, 'pulseaudio');
      return child;
    };
    const both = tools(env, launch);
    let child = await begin();
    return body({
      ...both,
      kill: async () => {
        child.kill('SIGKILL');
        await child.gone;
      },
      restart: async () => {
        child = await begin();
      },
    });
  });
}

/** Starts PipeWire with its session manager and its PulseAudio face, runs the body, and stops them. */
export function withPipeWire(body) {
  assert.equal(lacking('pipewire', 'wireplumber', 'pipewire-pulse', 'dbus-daemon', 'pactl', 'parec'), false);
  return withFolder('pipewire', async (folder, launch) => {
    const config = join(folder, 'config', 'pipewire', 'pipewire.conf.d');
    mkdirSync(config, { recursive: true });
    writeFileSync(
      join(config, '10-null.conf'),
      `context.properties = { default.clock.rate=48000 default.clock.quantum=256 default.clock.min-quantum=32
        default.clock.max-quantum=1024 }
      context.objects = [ { factory=adapter args={ factory.name=support.null-audio-sink node.name="${SINK}"
        media.class="Audio/Sink" audio.position="FL,FR" audio.rate=48000 } } ]`,
    );
    const env = {
      ...nobody,
      XDG_RUNTIME_DIR: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      HOME: folder,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}`,
      PULSE_SERVER: `unix:${join(folder, 'pulse', 'native')}`,
      PIPEWIRE_REMOTE: 'pipewire-0',
    };
    launch(env, 'dbus-daemon', '--session', '--nofork', `--address=${env.DBUS_SESSION_BUS_ADDRESS}`);
    await until(() => existsSync(join(folder, 'bus')), 'the bus');
    launch(env, 'pipewire');
    await until(() => existsSync(join(folder, 'pipewire-0')), 'pipewire');
    launch(env, 'wireplumber');
    launch(env, 'pipewire-pulse');
    const both = tools(env, launch);
    await until(() => both.pactl('get-default-sink').stdout?.trim() === SINK, 'the sink');
    const { JACK_DEFAULT_SERVER: _, ...rest } = env;
    return body({ ...both, jackEnv: { ...rest, LD_LIBRARY_PATH: pipeWireJack } });
  });
}

const plugins = libraries.some((folder) =>
  existsSync(join(folder, 'alsa-lib', 'libasound_module_pcm_jack.so')),
);
export const noAlsaOverJack =
  lacking('jackd', 'jack_rec', 'jack_lsp') ||
  (!plugins && process.env.ICTUS_REQUIRE_SERVERS !== '1' ? "not installed: ALSA's jack plugin" : false);

/** The environment in which ALSA's default plays into this JACK server. */
export function alsaOverJack(server, folder) {
  const file = join(folder, 'alsa-over-jack.conf');
  writeFileSync(
    file,
    `pcm.j { type jack playback_ports { 0 system:playback_1 1 system:playback_2 } }
    pcm.!default { type plug slave { pcm "j" } }`,
  );
  return { ...server.env, ALSA_CONFIG_PATH: `/usr/share/alsa/alsa.conf:${file}` };
}
