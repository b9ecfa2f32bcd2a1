// SoundFonts written by hand, so that what the loader reads was not written by its own code.
// Source: SoundFont Technical Specification 2.04, sections 4 to 7.
import { chunk } from './wav.mjs';

const list = (kind, ...chunks) => chunk('LIST', Buffer.concat([Buffer.from(kind, 'latin1'), ...chunks]));

function record(name, size, write) {
  const bytes = Buffer.alloc(size);
  bytes.write(name.slice(0, 19), 0, 'latin1');
  write(bytes);
  return bytes;
}

const pair = (a, b) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(a, 0);
  bytes.writeInt16LE(b, 2);
  return bytes;
};

/**
 * A bank of presets, each of one zone with one sample: bank, program, name, values (16 bits), rate, key, loop, generators
 * as [number, amount].
 */
export function soundfont(presets) {
  const [phdr, pgen, inst, igen, shdr, bags] = [[], [], [], [], [], { preset: [], instrument: [] }];
  let frames = 0;
  presets.forEach((preset, number) => {
    const { bank = 0, program = 0, name = 'Preset', values, rate = 48000, key = 60, loop = [0, 0] } = preset;
    phdr.push(
      record(name, 38, (bytes) => {
        bytes.writeUInt16LE(program, 20);
        bytes.writeUInt16LE(bank, 22);
        bytes.writeUInt16LE(number, 24);
      }),
    );
    bags.preset.push(pair(pgen.length, 0));
    pgen.push(pair(41, number));
    inst.push(record(name, 22, (bytes) => bytes.writeUInt16LE(number, 20)));
    bags.instrument.push(pair(igen.length, 0));
    igen.push(...(preset.generators ?? []).map(([id, amount]) => pair(id, amount)), pair(53, number));
    shdr.push(
      record(name, 46, (bytes) => {
        [frames, frames + values.length, frames + loop[0], frames + loop[1], rate].forEach((word, at) => {
          bytes.writeUInt32LE(word, 20 + 4 * at);
        });
        bytes.writeUInt8(key, 40);
        bytes.writeUInt16LE(1, 44);
      }),
    );
    frames += values.length;
  });
  const count = presets.length;
  phdr.push(record('EOP', 38, (bytes) => bytes.writeUInt16LE(count, 24)));
  inst.push(record('EOI', 22, (bytes) => bytes.writeUInt16LE(count, 20)));
  shdr.push(record('EOS', 46, () => {}));
  bags.preset.push(pair(pgen.length, 0));
  bags.instrument.push(pair(igen.length, 0));
  pgen.push(pair(0, 0));
  igen.push(pair(0, 0));
  const smpl = Buffer.concat(
    presets.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );
  const table = (name, rows) => chunk(name, Buffer.concat(rows));
  const pdta = list(
    'pdta',
    table('phdr', phdr),
    table('pbag', bags.preset),
    chunk('pmod', Buffer.alloc(10)),
    table('pgen', pgen),
    table('inst', inst),
    table('ibag', bags.instrument),
    chunk('imod', Buffer.alloc(10)),
    table('igen', igen),
    table('shdr', shdr),
  );
  const info = list('INFO', chunk('ifil', Buffer.from([2, 0, 4, 0])));
  return chunk(
    'RIFF',
    Buffer.concat([Buffer.from('sfbk', 'latin1'), info, list('sdta', chunk('smpl', smpl)), pdta]),
  );
}
