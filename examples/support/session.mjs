// What examples/kanon.mjs plays: edit it while it does. A signal is a function of state, which outlives this file, and of
// time in seconds; it returns left and right.
const BASE = 110; // Hz: try 82.4

export default function signal(state, time, rate) {
  // Phases stand in the state, so that they go on where they were when a frequency is edited.
  const turn = (place, hz) => {
    state[place] = (state[place] + hz / rate) % 1;
    return 2 * Math.PI * state[place];
  };
  const wobble = Math.sin(turn(0, 0.2));
  const low = Math.sin(turn(1, BASE) + wobble * Math.sin(turn(2, BASE * 1.5)));
  const high = Math.sin(turn(3, BASE * 4 + 2 * wobble)) * (0.5 + 0.5 * Math.sin(2 * Math.PI * time));
  return [0.2 * low + 0.05 * high, 0.2 * low - 0.05 * high];
}
