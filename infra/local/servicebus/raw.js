// Messages as bytes. The library decodes every message of format 0 before its handlers see it, and
// a message that is encoded again is no longer the sender's: numbers change their width, and the
// hot path pays for both. Decoding is therefore switched off; `decode` does it for whoever asks.

import rhea from 'rhea';

const decodeMessage = rhea.message.decode;
rhea.message.decode = (buffer) => buffer;

/** The decoded form of an encoded message. */
export function decode(buffer) {
  return decodeMessage(buffer);
}

/** The typed value of the value section of an encoded message, with its AMQP types. */
export function typedBody(buffer) {
  const reader = new rhea.types.Reader(buffer);
  while (reader.remaining() > 0) {
    const section = reader.read();
    if (section.descriptor?.value === 0x77) return section;
  }
  return undefined;
}

/** The pairs of a typed map: plain name, typed value. */
export function typedPairs(map) {
  const items = Array.isArray(map?.value) ? map.value : [];
  const pairs = [];
  for (let i = 0; i + 1 < items.length; i += 2) {
    const value = items[i + 1];
    // A null is a type of its own; the library's writer wants it plain.
    pairs.push([String(items[i].value), value.value === null ? null : value]);
  }
  return pairs;
}
