#!/usr/bin/env node
'use strict';
// The command line: `npx ictus <command>`. On stdout there is nothing but what was asked for; progress and complaints go
// to stderr. Exit codes: 0 done, 1 it did not work or the machine is not ready, 2 the command line was wrong.

const { parseArgs } = require('node:util');

const COMMANDS = {
  doctor: 'is this machine ready for real-time audio, and what to do',
  devices: 'the outputs that an engine can be opened on',
  bench: 'how many voices this machine plays, and with how small a buffer',
};

const HELP = `ictus <command> [options]

${Object.entries(COMMANDS)
  .map(([name, what]) => `  ${name.padEnd(9)} ${what}`)
  .join('\n')}

  --help      of ictus, or of a command
  --version

Examples
  ictus doctor                  look, measure for two seconds, and say what could be better
  ictus devices --json          for a script
  ictus bench --quick -o here   half a minute of measuring; plots and figures into the folder "here"

Exit codes: 0 done, 1 it did not work, or the machine is not ready, 2 the command line was wrong.
`;

/** What a command may use of the world: tests give it another. */
const world = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  /** Colour only for people: on a terminal, unless they say no (no-color.org). */
  colour: Boolean(process.stdout.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  /** Whether progress is watched. */
  watched: Boolean(process.stderr.isTTY),
};

class UsageError extends Error {}
/** The error for a command line that is wrong. */
const usage = (message) => new UsageError(message);

/** The name that was probably meant. */
function nearest(word, names) {
  const distance = (a, b) => {
    let row = Array.from({ length: b.length + 1 }, (_, n) => n);
    for (let i = 0; i < a.length; i += 1) {
      const next = [i + 1];
      for (let j = 0; j < b.length; j += 1) {
        next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (a[i] === b[j] ? 0 : 1)));
      }
      row = next;
    }
    return row[b.length];
  };
  const best = names.map((name) => [distance(word, name), name]).sort((a, b) => a[0] - b[0])[0];
  return best[0] <= 2 ? best[1] : undefined;
}

function parse(args, options) {
  try {
    return parseArgs({ args, options: { help: { type: 'boolean', short: 'h' }, ...options }, strict: true })
      .values;
  } catch (error) {
    throw new UsageError(error.message.split('\n')[0]);
  }
}

/** A number given as an option. */
function number(values, name, low, high) {
  if (values[name] === undefined) return undefined;
  const value = values[name].trim() === '' ? Number.NaN : Number(values[name]);
  if (!(value >= low && value <= high)) {
    throw new UsageError(`--${name} must be a number from ${low} to ${high}, got "${values[name]}"`);
  }
  return value;
}

async function main(args) {
  const [name, ...rest] = args;
  if (name === undefined) {
    world.err(HELP);
    return 2;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    world.out(HELP);
    return 0;
  }
  if (name === '--version') {
    world.out(`${require('../package.json').version}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    const guess = nearest(name, Object.keys(COMMANDS));
    world.err(
      `ictus: there is no command "${name}"${guess ? `; did you mean "${guess}"?` : ''}\nTry: ictus --help\n`,
    );
    return 2;
  }
  const command = require(`./cli/${name}.cjs`);
  try {
    const values = parse(rest, command.options);
    if (values.help) {
      world.out(command.help);
      return 0;
    }
    return await command.run(values, { ...world, number: (...range) => number(values, ...range), usage });
  } catch (error) {
    if (error instanceof UsageError) {
      world.err(`ictus ${name}: ${error.message}\nTry: ictus ${name} --help\n`);
      return 2;
    }
    // What was wrong and what to do stands in the message; where in our code helps nobody who types commands.
    world.err(`ictus ${name}: ${error?.message ?? error}\n`);
    return 1;
  }
}

// Whoever reads may have had enough (| head).
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
