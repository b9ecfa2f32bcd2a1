// The plots of `npm run bench`: what the engine's benchmark says about them (benches/engine/plots.rs), drawn as SVG.
import { createRequire } from 'node:module';

const { bars, lines } = createRequire(import.meta.url)('../lib/cli/svg.cjs');

const labelled = (values, text = String) => values.map((value) => [value, text(value)]);
const series = (curves) =>
  curves.map(({ name, x, y }) => ({ name, points: x.map((value, n) => [value, y[n]]) }));

const VOICES = labelled([16, 64, 256, 1024, 4096]);
const COSTS = labelled([0.5, 1, 2, 5, 10, 20]);
const voices = (title) => (curves) =>
  lines({
    title,
    xTitle: 'voices, stereo',
    yTitle: 'ns per voice and frame',
    series: series(curves),
    ticks: { x: VOICES, y: COSTS },
  });

/** Each plot: from the curves of that name to SVG. */
const plots = {
  voices: voices('A complete voice, held'),
  moved: voices('A cubic voice, and what moves it'),
  noise: (curves) =>
    lines({
      title: 'Noise beside a sine, transposed by +7 and −5 semitones: the worse of both',
      xTitle: 'Hz',
      yTitle: 'signal to noise, dB',
      series: series(curves),
      linear: 'y',
      ticks: {
        x: labelled([100, 200, 500, 1000, 2000, 5000, 10_000, 16_000]),
        y: labelled([0, 20, 40, 60, 80, 100, 120, 140]),
      },
    }),
  aliasing: (curves) =>
    lines({
      title: 'What is folded when transposed up: the loudest sine from above Nyquist',
      xTitle: 'ratio',
      yTitle: 'dB',
      series: series(curves),
      linear: 'y',
      ticks: {
        x: labelled([1.5, 2, 3, 4, 6, 8, 12, 16, 24]),
        y: labelled([-140, -120, -100, -80, -60, -40, -20, 0]),
      },
    }),
  blocks: (curves) => {
    const shown = ['linear, held', 'cubic, held', 'cubic, moving, limiter', 'no voice, limiter'];
    const chosen = curves.filter(({ name }) => shown.includes(name));
    const used = chosen.map(({ y }) => [
      y.findIndex((share) => share > 0),
      y.findLastIndex((share) => share > 0),
    ]);
    const [first, last] = [Math.min(...used.map(([low]) => low)), Math.max(...used.map(([, high]) => high))];
    return bars({
      title: 'One block of 128 frames, 16 voices: 40 000 blocks each',
      xTitle: 'µs, from',
      labels: chosen[0].x.slice(first, last + 1).map((us) => String(Number(us.toPrecision(2)))),
      series: chosen.map(({ name, y }) => ({ name, shares: y.slice(first, last + 1) })),
    });
  },
  flat: (curves) => {
    const beside = (n) => curves.map(({ y }, at) => [at, y[n]]);
    const most = Math.max(1.5, ...curves.flatMap(({ y }) => y));
    return lines({
      title: 'What is only there costs nothing: one block at 16 voices, × the same alone',
      xTitle: '',
      yTitle: '× alone',
      linear: 'xy',
      series: [
        { name: 'held', points: beside(0) },
        { name: 'and a note starts, another ends', points: beside(1) },
      ],
      ticks: {
        x: curves.map(({ name }, at) => [at, name]),
        y: labelled([0, 0.5, 1, ...(most > 1.5 ? [1.5, Math.ceil(most)] : [1.5])]),
      },
    });
  },
};

/** SVG by the name of the plot. `curves`: `{ plot, name, x, y }` each. */
export function drawPlots(curves) {
  const names = Object.keys(plots).filter((plot) => curves.some((curve) => curve.plot === plot));
  return Object.fromEntries(
    names.map((plot) => [plot, plots[plot](curves.filter((curve) => curve.plot === plot))]),
  );
}
