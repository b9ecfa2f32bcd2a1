// Programs under `bun --hot`: each generation says one line, and the next is written when it has.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Runs `program(1)`, then 2 and 3 in its place, and gives what each said: the JSON of its line, with `generation` in it.
 * A file that is written may be seen twice (empty, then full), so what a generation says again is not heard.
 */
export async function threeGenerations(folder, program) {
  const file = join(folder, 'live.mjs');
  writeFileSync(file, program(1));
  const child = spawn(process.execPath, ['--hot', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = [];
  try {
    let text = '';
    for await (const chunk of child.stdout) {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines.filter((line) => line.startsWith('{'))) {
        const told = JSON.parse(line);
        if (told.generation !== said.length + 1) continue;
        said.push(told);
        if (said.length < 3) writeFileSync(file, program(said.length + 1));
      }
      if (said.length >= 3) break;
    }
  } finally {
    child.kill();
  }
  return said;
}
