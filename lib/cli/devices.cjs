'use strict';
// ictus devices

const { devices } = require('../index.cjs');
const { table } = require('./draw.cjs');

const help = `ictus devices [--json]

Lists the outputs that an engine can be opened on: new Engine({ backend, device }), or ICTUS_BACKEND and ICTUS_DEVICE in
the environment. A device is found by its id, its name, or a part of either. A star marks the backend's own choice.

  --json   the list as JSON

Examples
  ictus devices
  ICTUS_DEVICE="$(ictus devices --json | jq -r '.[] | select(.backend == "alsa").id' | head -n 1)" node live.js

Exit codes: 0 done, 1 it did not work.
`;

async function run(values, { out }) {
  const found = await devices();
  if (values.json) {
    out(`${JSON.stringify(found, null, 2)}\n`);
    return 0;
  }
  const range = (size) =>
    size === null ? 'any' : size.min === size.max ? `${size.min}` : `${size.min}–${size.max}`;
  const rows = found.map(({ backend, id, name, isDefault, channels, sampleRates, bufferSizes }) => [
    `${backend}${isDefault ? ' *' : ''}`,
    id,
    name === id ? '' : name,
    channels,
    sampleRates.length > 4 ? range({ min: sampleRates[0], max: sampleRates.at(-1) }) : sampleRates.join(', '),
    range(bufferSizes),
  ]);
  out(`${table(['backend', 'id', 'name', 'channels', 'Hz', 'frames'], rows).join('\n')}\n`);
  return 0;
}

module.exports = { help, options: { json: { type: 'boolean' } }, run };
