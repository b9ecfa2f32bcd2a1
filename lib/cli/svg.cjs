'use strict';
// Plots as SVG text: axes, lines, bars, and a legend. No library, so that the package stays without any.

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 76;
const RIGHT = 20;
const TOP = 56;
const BOTTOM = 56;
/** Told apart by people who see no red from green (Okabe and Ito, "Color Universal Design", 2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const round = (value) => Number(value.toFixed(1));

/** Positions on an axis from `low` to `high`, logarithmic or not. */
function scale(low, high, from, to, linear = false) {
  if (linear) return (value) => round(from + ((value - low) / (high - low)) * (to - from));
  const [a, b] = [Math.log(low), Math.log(Math.max(high, low * 1.01))];
  return (value) => round(from + ((Math.log(Math.max(value, low)) - a) / (b - a)) * (to - from));
}

function frame(title, xTitle, yTitle, body) {
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
<text x="${LEFT}" y="22" font-size="15">${escaped(title)}</text>
${body.join('\n')}
<text x="${middle}" y="${HEIGHT - 12}" text-anchor="middle">${escaped(xTitle)}</text>
<text x="16" y="${(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(TOP + HEIGHT - BOTTOM) / 2})">${escaped(yTitle)}</text>
</svg>
`;
}

const vertical = (x, label) =>
  `<line x1="${x}" x2="${x}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#dddddd"/><text x="${x}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escaped(label)}</text>`;
const horizontal = (y, label) =>
  `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#dddddd"/><text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${escaped(label)}</text>`;

function legend(names) {
  let x = LEFT;
  return names.map((name, n) => {
    const at = x;
    x += 30 + 6.6 * name.length;
    return `<rect x="${at}" y="34" width="12" height="12" fill="${COLOURS[n % COLOURS.length]}"/><text x="${round(at + 17)}" y="44">${escaped(name)}</text>`;
  });
}

/**
 * Lines over logarithmic axes, but for those that `linear` names. `series`: `[{ name, points: [[x, y], …] }]`; `ticks`:
 * `{ x: [[value, label], …], y: … }`, which also give the ends of the axes.
 */
function lines({ title, xTitle, yTitle, series, ticks, linear = '' }) {
  const ends = (axis) => [axis[0][0], axis.at(-1)[0]];
  const x = scale(...ends(ticks.x), LEFT, WIDTH - RIGHT, linear.includes('x'));
  const y = scale(...ends(ticks.y), HEIGHT - BOTTOM, TOP, linear.includes('y'));
  const body = [
    ...ticks.x.map(([value, label]) => vertical(x(value), label)),
    ...ticks.y.map(([value, label]) => horizontal(y(value), label)),
    ...legend(series.map(({ name }) => name)),
    ...series.flatMap(({ points }, n) => {
      const colour = COLOURS[n % COLOURS.length];
      const path = points.map(([a, b]) => `${x(a)},${y(b)}`).join(' ');
      const dots = points.map(([a, b]) => `<circle cx="${x(a)}" cy="${y(b)}" r="3.5" fill="${colour}"/>`);
      return [`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`, ...dots];
    }),
  ];
  return frame(title, xTitle, yTitle, body);
}

/**
 * Distributions beside each other: for each bucket of the common `labels` one bar of each series. `series`:
 * `[{ name, shares: [0..1, …] }]`. The height is logarithmic from one in 100 000 on.
 */
function bars({ title, xTitle, labels, series }) {
  const y = scale(1e-5, 1, HEIGHT - BOTTOM, TOP);
  const slot = (WIDTH - RIGHT - LEFT) / labels.length;
  const width = (slot * 0.8) / series.length;
  const percents = [1, 0.1, 0.01, 1e-3, 1e-4, 1e-5];
  const body = [
    ...percents.map((share) => horizontal(y(share), `${Number((share * 100).toPrecision(1))} %`)),
    ...legend(series.map(({ name }) => name)),
    ...labels.map(
      (label, n) =>
        `<text x="${round(LEFT + (n + 0.5) * slot)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle" font-size="11">${escaped(label)}</text>`,
    ),
    ...series.flatMap(({ shares }, s) =>
      shares.map((share, n) => {
        if (share === 0) return '';
        const top = y(share);
        const left = round(LEFT + (n + 0.1) * slot + s * width);
        return `<rect x="${left}" y="${top}" width="${round(width)}" height="${round(HEIGHT - BOTTOM - top)}" fill="${COLOURS[s % COLOURS.length]}"/>`;
      }),
    ),
  ];
  return frame(title, xTitle, 'share', body.filter(Boolean));
}

module.exports = { lines, bars };
