'use strict';
// Pictures out of characters: distributions as histograms, rows as tables.

/** µs: 1-2-5 steps, which people read without thinking. */
const EDGES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
const BAR = 40;

/** µs as people say it. */
function duration(us) {
  if (us >= 1_000_000) return `${trim(us / 1e6)} s`;
  return us >= 1000 ? `${trim(us / 1000)} ms` : `${trim(us)} µs`;
}

const trim = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))));

/**
 * A distribution's buckets by the edges above: `[{ from, upTo, count }]`, from the first to the last that holds anything.
 * A bucket that reaches over an edge counts where its end is, an eighth of an octave off at most.
 */
function decades({ histogram: buckets }) {
  const rows = [...EDGES, Number.POSITIVE_INFINITY].map((upTo, n) => ({
    from: EDGES[n - 1] ?? 0,
    upTo,
    count: 0,
  }));
  for (const { upTo, count } of buckets) rows.find((row) => upTo <= row.upTo).count += count;
  const held = rows.map((row) => row.count > 0);
  return rows.slice(held.indexOf(true), held.lastIndexOf(true) + 1);
}

/** Lines of a histogram. Bars are logarithmic: one late wake-up in ten thousand is what is looked for. */
function histogram(distribution) {
  const rows = decades(distribution);
  const most = Math.max(...rows.map((row) => row.count), 1);
  const length = (count) =>
    count === 0 ? 0 : 1 + Math.round(((BAR - 1) * Math.log(count)) / Math.log(Math.max(most, 2)));
  const label = ({ from, upTo }) =>
    upTo === Number.POSITIVE_INFINITY ? `above ${duration(from)}` : `to ${duration(upTo)}`;
  const lines = rows.map(
    (row) =>
      `${label(row).padStart(13)} ${'█'.repeat(length(row.count)).padEnd(BAR)} ${String(row.count).padStart(6)} ${percent(row.count / distribution.count)}`,
  );
  const { p50, p99, p999, max } = distribution;
  lines.push(
    `${''.padStart(13)} 50 %: ${duration(p50)}   99 %: ${duration(p99)}   99.9 %: ${duration(p999)}   all: ${duration(max)}`,
  );
  return lines;
}

function percent(share) {
  const value = share * 100;
  return `${(value >= 10 ? value.toFixed(0) : value.toPrecision(2)).padStart(7)} %`;
}

/** Lines of a table: the first column to the left, the others to the right. */
function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, n) => Math.max(...all.map((row) => row[n].length)));
  const line = (row) =>
    row
      .map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])))
      .join('  ')
      .trimEnd();
  return [line(all[0]), widths.map((width) => '─'.repeat(width)).join('  '), ...all.slice(1).map(line)];
}

module.exports = { EDGES, decades, duration, histogram, table };
