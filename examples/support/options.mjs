// What all examples share: `--backend NAME`, `--device NAME`, and a plain sentence instead of a stack trace where there
// is no device. Without `--backend` the environment variable ICTUS_BACKEND counts, and
// without that the best device there is.
import { parseArgs } from 'node:util';
import { Engine } from 'ictus';

const DEVICE = '[--backend auto|jack|alsa|clock|offline] [--device NAME]';

/**
 * The command line as an object; ends the process with 2 when it cannot be understood. `numbers`: the options that are
 * numbers, each with the range it has to be `of` and perhaps a `default`.
 */
export function options(usage = DEVICE, numbers = {}) {
  const names = ['backend', 'device', 'out', ...Object.keys(numbers)];
  const flags = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  try {
    const { help, ...values } = parseArgs({
      options: { ...flags, help: { type: 'boolean', short: 'h' } },
    }).values;
    if (help) {
      console.log(`options: ${usage}`);
      process.exit(0);
    }
    for (const [name, { of, default: usual }] of Object.entries(numbers)) {
      const value = values[name] === undefined ? usual : Number(values[name]);
      if (value !== undefined && !(value >= of[0] && value <= of[1]))
        throw new Error(`--${name} must be a number from ${of[0]} to ${of[1]}, got ${values[name]}`);
      values[name] = value;
    }
    return values;
  } catch (error) {
    console.error(`${error.message}\noptions: ${usage}`);
    process.exit(2);
  }
}

/** Engine options out of those of the command line: only what was given, so that the defaults stay ictus's own. */
export function engineOptions({ backend, device }) {
  return { ...(backend !== undefined && { backend }), ...(device !== undefined && { device }) };
}

/** The shared engine, running on a device (or on the clock). Ends the process with 1 where there is none. */
export function openEngine(given = options()) {
  try {
    const engine = Engine.default(engineOptions(given));
    if (engine.backend !== 'offline') return engine;
    console.error('this example plays live; for offline rendering see bounce.mjs, or use --backend clock');
  } catch (error) {
    console.error(error.message);
  }
  process.exit(1);
}
