// How the tests look at errors: the class, the code, and what the message must say.
import assert from 'node:assert/strict';

/** As messages write a value. */
export function shown(value) {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function')
    return `a ${typeof value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value !== null && typeof value === 'object') return 'an object';
  return String(value);
}

/** Values that are no number. */
export const notNumbers = ['60', null, true, {}, [60], 60n, Symbol('note'), () => 60];

/** Fails unless this is such an error whose message has all the words. */
export function assertError(error, Class, code, ...words) {
  const text = `${error?.constructor?.name} ${error?.code}: ${error?.message}`;
  assert.equal(error?.constructor, Class, `the class of ${text}`);
  assert.equal(error.code, code, `the code of ${text}`);
  for (const word of words) {
    const there = word instanceof RegExp ? word.test(error.message) : error.message.includes(word);
    assert.ok(there, `"${error.message}" does not say ${word}`);
  }
}

/** The call throws at once. */
export function throws(call, Class, code, ...words) {
  let error;
  try {
    const result = call();
    result?.catch?.(() => {});
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) assert.fail(`${call} did not throw; expected ${code} with ${words}`);
  assertError(error, Class, code, ...words);
}

/** The call returns a promise, at once, which is rejected. */
export async function rejects(call, Class, code, ...words) {
  const promise = call();
  assert.ok(promise instanceof Promise, `${call} returns a promise`);
  const error = await promise.then(
    () => assert.fail(`${call} was fulfilled; expected ${code} with ${words}`),
    (reason) => reason,
  );
  assertError(error, Class, code, ...words);
}

const INVALID = 'ERR_INVALID_ARGUMENT';
export const wrongType = (call, ...words) => throws(call, TypeError, INVALID, ...words);
export const outOfRange = (call, ...words) => throws(call, RangeError, INVALID, ...words);
export const wrongTypeLater = (call, ...words) => rejects(call, TypeError, INVALID, ...words);
export const outOfRangeLater = (call, ...words) => rejects(call, RangeError, INVALID, ...words);

/** Tries every wrong value for a number; `call` is given the value. `kind`: 'whole' or 'any'. */
export async function everyWrongNumber(
  name,
  call,
  low,
  high,
  { kind = 'any', later = false, absent = true } = {},
) {
  const wrong = [
    low - 1,
    high + 1,
    low - 1e-3,
    high + 1e-3,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  if (kind === 'whole') wrong.push(low + 0.5);
  for (const value of wrong) {
    await (later ? outOfRangeLater : outOfRange)(
      () => call(value),
      name,
      `${low}`,
      `${high}`,
      `got ${shown(value)}`,
    );
  }
  for (const value of absent ? notNumbers : [...notNumbers, undefined]) {
    await (later ? wrongTypeLater : wrongType)(
      () => call(value),
      name,
      `${low}`,
      `${high}`,
      `got ${shown(value)}`,
    );
  }
  for (const value of [low, high]) await call(value);
}
