// A program on a server that says when it is ready and plays when its turn has come.
import { start } from './child.mjs';
import { firstSound, until } from './sound.mjs';

/** `options`: the engine's. `source` runs when the child gets SIGUSR2, with `engine` and a prepared `sampler`. */
export function player(server, source, options = { backend: 'jack' }) {
  const started = start(
    `import { prepare, play } from ${JSON.stringify(new URL('piece.mjs', import.meta.url).href)};
    const engine = new Engine(${JSON.stringify(options)});
    const sampler = new Sampler({ engine });
    await prepare(sampler);
    const go = new Promise((resolve) => process.once('SIGUSR2', resolve));
    // Waiting for a signal keeps no process alive.
    const alive = setInterval(() => {}, 1000);
    console.log(JSON.stringify({ ...engine.realtime, sampleRate: engine.sampleRate, bufferSize: engine.bufferSize,
      device: engine.device, backend: engine.backend, latency: engine.outputLatency }));
    await go;
    ${source}
    clearInterval(alive);
    await engine.close();`,
    { env: server.env },
  );
  const ready = until(
    () => started.said.stdout.includes('\n') && JSON.parse(started.said.stdout.split('\n')[0]),
    `the player, who said ${started.said.stderr}`,
  );
  return {
    ...started,
    ready,
    ports: () => server.ports().filter((port) => /out_\d+$/.test(port) && !port.startsWith('system')),
  };
}

/** Whole frames from the first that sounds on. */
export const fromFirstSound = (values) => values.subarray(Math.floor(firstSound(values) / 2) * 2);
