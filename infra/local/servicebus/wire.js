// The little of the AMQP 1.0 type system that the hot path needs: where encoded values end,
// which sections a message has, and a writer for the sections the broker adds.

export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  value: 0x77,
};

// Bytes after the type code, by the code's upper four bits.
const FIXED = { 0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16 };

/** The offset behind the encoded value that starts at offset. */
export function valueEnd(buffer, offset) {
  if (buffer[offset] === 0) return valueEnd(buffer, valueEnd(buffer, offset + 1));
  const category = buffer[offset] >>> 4;
  let end;
  if (category in FIXED) end = offset + 1 + FIXED[category];
  else if (category === 0xa || category === 0xc || category === 0xe) end = offset + 2 + buffer.readUInt8(offset + 1);
  else if (category === 0xb || category === 0xd || category === 0xf) end = offset + 5 + buffer.readUInt32BE(offset + 1);
  if (end === undefined || end > buffer.length) throw new Error(`no AMQP value at byte ${offset}`);
  return end;
}

/** The sections of an encoded message: `{code, start, value, end}` with value = offset of its value. */
export function sections(buffer) {
  const found = [];
  for (let start = 0; start < buffer.length;) {
    if (buffer[start] !== 0) throw new Error(`no message section at byte ${start}`);
    const value = valueEnd(buffer, start + 1);
    const code = descriptor(buffer, start + 1);
    const end = valueEnd(buffer, value);
    found.push({ code, start, value, end });
    start = end;
  }
  return found;
}

function descriptor(buffer, offset) {
  if (buffer[offset] === 0x53) return buffer[offset + 1];
  if (buffer[offset] === 0x80) return Number(buffer.readBigUInt64BE(offset + 1));
  throw new Error(`section descriptor of type ${buffer[offset]}`);
}

/** The bytes of an encoded binary (the value of a data section). */
export function binary(buffer, offset) {
  if (buffer[offset] === 0xa0) return buffer.subarray(offset + 2, valueEnd(buffer, offset));
  if (buffer[offset] === 0xb0) return buffer.subarray(offset + 5, valueEnd(buffer, offset));
  throw new Error(`no binary at byte ${offset}`);
}

/** Where the items of an encoded list or map start, and how many there are. */
export function compound(buffer, offset) {
  const category = buffer[offset] >>> 4;
  if (buffer[offset] === 0x45) return { items: offset + 1, count: 0 };
  if (category === 0xc) return { items: offset + 3, count: buffer.readUInt8(offset + 2) };
  if (category === 0xd) return { items: offset + 9, count: buffer.readUInt32BE(offset + 5) };
  throw new Error(`no list or map at byte ${offset}`);
}

/** The bytes of a symbol, ready to be copied as a key of an annotation map. */
export function symbol(text) {
  return Buffer.concat([Buffer.from([0xa3, text.length]), Buffer.from(text, 'latin1')]);
}

/** Writes into a buffer that its maker has sized. */
export class Writer {
  constructor(size) {
    this.buffer = Buffer.allocUnsafe(size);
    this.position = 0;
  }

  done() {
    return this.buffer.subarray(0, this.position);
  }

  byte(value) {
    this.buffer[this.position++] = value;
  }

  raw(bytes) {
    bytes.copy(this.buffer, this.position);
    this.position += bytes.length;
  }

  section(code) {
    this.byte(0x00);
    this.byte(0x53);
    this.byte(code);
  }

  uint(value) {
    this.byte(0x70);
    this.position = this.buffer.writeUInt32BE(value, this.position);
  }

  int(value) {
    this.byte(0x71);
    this.position = this.buffer.writeInt32BE(value, this.position);
  }

  long(value) {
    this.#eight(0x81, value);
  }

  timestamp(value) {
    this.#eight(0x83, value);
  }

  uuid(bytes) {
    this.byte(0x98);
    this.raw(bytes);
  }

  string(text) {
    const bytes = Buffer.from(text);
    this.byte(0xb1);
    this.position = this.buffer.writeUInt32BE(bytes.length, this.position);
    this.raw(bytes);
  }

  /** Starts a map of count items (keys and values); returns the mark for endMap. */
  startMap(count) {
    this.byte(0xd1);
    const mark = this.position;
    this.position = this.buffer.writeUInt32BE(count, mark + 4);
    return mark;
  }

  endMap(mark) {
    this.buffer.writeUInt32BE(this.position - mark - 4, mark);
  }

  // Values are not negative: sequence numbers and times after 1970.
  #eight(code, value) {
    this.byte(code);
    this.position = this.buffer.writeUInt32BE(Math.floor(value / 2 ** 32), this.position);
    this.position = this.buffer.writeUInt32BE(value % 2 ** 32, this.position);
  }
}
