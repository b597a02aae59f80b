// Lock tokens: GUIDs made of eight random bytes per run and a counter, so that a token of an
// earlier run never fits, and a look-up needs only the counter.

import { randomBytes } from 'node:crypto';

export class Tokens {
  #prefix = randomBytes(8); // in the byte order of a delivery tag
  #uuidPrefix = swap(this.#prefix);
  #last = 0;

  next() {
    return ++this.#last;
  }

  /** The 16 bytes of a delivery tag: .NET writes the first three groups of a GUID little-endian. */
  tag(token) {
    return join(this.#prefix, token);
  }

  /** The same GUID as an AMQP uuid (RFC 4122 order), as the management node uses it. */
  uuid(token) {
    return join(this.#uuidPrefix, token);
  }

  /** The counter of a uuid from a management request; undefined when it is not of this run. */
  parse(uuid) {
    if (uuid.length !== 16 || this.#uuidPrefix.compare(uuid, 0, 8) !== 0) return undefined;
    return uuid.readUInt32BE(8) * 2 ** 32 + uuid.readUInt32BE(12);
  }
}

function join(prefix, token) {
  const bytes = Buffer.allocUnsafe(16);
  prefix.copy(bytes);
  bytes.writeUInt32BE(Math.floor(token / 2 ** 32), 8);
  bytes.writeUInt32BE(token >>> 0, 12);
  return bytes;
}

function swap(b) {
  return Buffer.from([b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]]);
}
