// A system bus of a test's own with the real rtkit and polkit on it.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from './sound.mjs';

const find = (...paths) => paths.find((path) => existsSync(path));
const rtkit = find('/usr/libexec/rtkit-daemon', '/usr/lib/rtkit-daemon');
const polkit = find('/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd');
const has = (name) => process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, name)));
const missing = [
  !rtkit && 'rtkit',
  !polkit && 'polkit',
  ...['dbus-daemon', 'dbus-send', 'setpriv'].filter((name) => !has(name)),
].filter(Boolean);

/** The reason for which it cannot be started, or false; ICTUS_REQUIRE_SERVERS=1 makes missing programs a failure. */
export const noRtkit =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'only root can start rtkit'
    : missing.length > 0 && process.env.ICTUS_REQUIRE_SERVERS !== '1' && `not installed: ${missing}`;

/** Starts them, runs the body with the environment that leads there, and stops them whatever happens. */
export async function withRtkit(body) {
  const folder = mkdtempSync(join(tmpdir(), 'ictus-rtkit-'));
  chmodSync(folder, 0o755); // they give up being root
  const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}` };
  const config = join(folder, 'bus.conf');
  const allow = [
    'user="*"',
    'own="*"',
    'send_type="method_call"',
    'send_type="signal"',
    'send_requested_reply="true"',
    ...['method_call', 'method_return', 'error', 'signal'].map((type) => `receive_type="${type}"`),
  ];
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
    "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig><type>system</type>
    <listen>${env.DBUS_SYSTEM_BUS_ADDRESS}</listen><auth>EXTERNAL</auth><policy context="default">
    ${allow.map((rule) => `<allow ${rule}/>`).join('\n')}</policy></busconfig>`,
  );
  const children = [];
  const launch = (program, ...args) =>
    children.push(spawn(program, args, { env: { ...process.env, ...env }, stdio: 'ignore' }));
  const asks = (name) =>
    spawnSync(
      'dbus-send',
      [
        '--system',
        '--print-reply',
        '--dest=org.freedesktop.DBus',
        '/org/freedesktop/DBus',
        'org.freedesktop.DBus.NameHasOwner',
        `string:${name}`,
      ],
      { env: { ...process.env, ...env }, encoding: 'utf8' },
    ).stdout.includes('boolean true');
  try {
    launch('dbus-daemon', `--config-file=${config}`, '--nofork', '--nopidfile');
    await until(() => existsSync(join(folder, 'bus')), 'the bus');
    launch(polkit, '--no-debug');
    await until(() => asks('org.freedesktop.PolicyKit1'), 'polkit');
    // Its canary would call a loaded test machine starved, and then refuse everybody for minutes.
    launch(rtkit, '--no-canary');
    await until(() => asks('org.freedesktop.RealtimeKit1'), 'rtkit');
    return await body(env);
  } finally {
    for (const child of children.reverse()) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
