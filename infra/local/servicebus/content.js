// What a sender sent: the encoded message, taken apart only as far as the broker must.
// Properties, application properties and body stay the sender's bytes.

import rhea from 'rhea';
import { SECTION, Writer, binary, compound, sections, symbol, valueEnd } from './wire.js';

const { types } = rhea;
const KEY = {
  sequenceNumber: symbol('x-opt-sequence-number'),
  enqueuedTime: symbol('x-opt-enqueued-time'),
  lockedUntil: symbol('x-opt-locked-until'),
  state: symbol('x-opt-message-state'),
  deadLetterSource: symbol('x-opt-deadletter-source'),
  lockToken: symbol('x-opt-lock-token'),
};
// These are the broker's to say: a message that is sent on must not carry its former ones.
const BROKERS = new Set([
  'x-opt-sequence-number', 'x-opt-enqueued-time', 'x-opt-locked-until', 'x-opt-message-state',
  'x-opt-deadletter-source', 'x-opt-enqueue-sequence-number',
]);
const SYSTEM_ROOM = 512; // header and the broker's own annotations, without the dead-letter source

export class Content {
  /** Parses an encoded message; throws when it is none. The buffer is kept, not copied. */
  constructor(raw) {
    this.raw = raw;
    this.durable = false;
    this.priority = undefined;
    this.ttl = undefined;
    this.scheduledAt = undefined;
    this.messageId = undefined;
    this.annotations = Buffer.alloc(0);
    this.annotationCount = 0;
    let bare = raw.length;
    for (const section of sections(raw)) {
      if (section.code === SECTION.header) this.#header(section);
      else if (section.code === SECTION.messageAnnotations) this.#messageAnnotations(section);
      else if (section.code !== SECTION.deliveryAnnotations) bare = Math.min(bare, section.start);
      if (section.code === SECTION.properties) this.#properties(section);
    }
    this.bare = raw.subarray(bare);
  }

  /** The messages of one transfer: format 0x80013700 carries many, each in a data section. */
  static ofBatch(payload) {
    return sections(payload)
      .filter((section) => section.code === SECTION.data)
      .map((section) => new Content(binary(payload, section.value)));
  }

  /**
   * The same message with some application properties set. The others keep their bytes.
   * @param changes pairs of a name and a string or a typed value of the AMQP library
   */
  withProperties(changes) {
    if (changes.length === 0) return this;
    const names = new Set(changes.map(([name]) => name));
    const before = [];
    const kept = [];
    const after = [];
    for (const section of sections(this.raw)) {
      const bytes = this.raw.subarray(section.start, section.end);
      if (section.code < SECTION.applicationProperties) before.push(bytes);
      else if (section.code > SECTION.applicationProperties) after.push(bytes);
      else kept.push(...pairs(this.raw, section.value).filter((pair) => !names.has(pair.name)));
    }
    const added = new types.Writer();
    for (const [name, value] of changes) {
      added.write(types.wrap_string(name));
      added.write(types.wrap(value));
    }
    const items = Buffer.concat([...kept.map((pair) => pair.bytes), added.toBuffer()]);
    const head = new Writer(12);
    head.section(SECTION.applicationProperties);
    const mark = head.startMap(2 * (kept.length + changes.length));
    head.buffer.writeUInt32BE(4 + items.length, mark);
    return new Content(Buffer.concat([...before, head.done(), items, ...after]));
  }

  /**
   * The message as a receiver gets it, with the header and annotations of its broker.
   * @param system `{sequenceNumber, enqueuedAt, deliveryCount, lockedUntil?, state?, deadLetterSource?, lockToken?}`
   */
  encode(system) {
    const sourceRoom = system.deadLetterSource ? 4 * system.deadLetterSource.length : 0;
    const w = new Writer(SYSTEM_ROOM + sourceRoom + this.annotations.length + this.bare.length);
    this.#writeHeader(w, system.deliveryCount);
    if (system.lockToken) {
      w.section(SECTION.deliveryAnnotations);
      const mark = w.startMap(2);
      w.raw(KEY.lockToken);
      w.uuid(system.lockToken);
      w.endMap(mark);
    }
    this.#writeAnnotations(w, system);
    w.raw(this.bare);
    return w.done();
  }

  #writeHeader(w, deliveryCount) {
    w.section(SECTION.header);
    w.byte(0xc0);
    const start = w.position++;
    w.byte(5);
    w.byte(this.durable ? 0x41 : 0x42);
    if (this.priority === undefined) w.byte(0x40);
    else {
      w.byte(0x50);
      w.byte(this.priority);
    }
    if (this.ttl === undefined) w.byte(0x40);
    else w.uint(this.ttl);
    w.byte(0x42); // first-acquirer
    w.uint(deliveryCount);
    w.buffer[start] = w.position - start - 1;
  }

  #writeAnnotations(w, system) {
    const { lockedUntil, state, deadLetterSource } = system;
    const own = 2 + (lockedUntil ? 1 : 0) + (state ? 1 : 0) + (deadLetterSource ? 1 : 0);
    w.section(SECTION.messageAnnotations);
    const mark = w.startMap(2 * (this.annotationCount + own));
    w.raw(this.annotations);
    w.raw(KEY.sequenceNumber);
    w.long(system.sequenceNumber);
    w.raw(KEY.enqueuedTime);
    w.timestamp(system.enqueuedAt);
    if (lockedUntil) {
      w.raw(KEY.lockedUntil);
      w.timestamp(lockedUntil);
    }
    if (state) {
      w.raw(KEY.state);
      w.int(state);
    }
    if (deadLetterSource) {
      w.raw(KEY.deadLetterSource);
      w.string(deadLetterSource);
    }
    w.endMap(mark);
  }

  #header({ value, end }) {
    const [durable, priority, ttl] = new types.Reader(this.raw.subarray(value, end)).read().value;
    this.durable = durable?.value === true || durable?.value === 1;
    this.priority = priority?.value ?? undefined;
    this.ttl = ttl?.value || undefined;
  }

  #messageAnnotations({ value }) {
    const kept = pairs(this.raw, value).filter((pair) => !BROKERS.has(pair.name));
    this.annotations = Buffer.concat(kept.map((pair) => pair.bytes));
    this.annotationCount = kept.length;
    const scheduled = kept.find((pair) => pair.name === 'x-opt-scheduled-enqueue-time');
    if (scheduled) this.scheduledAt = typed(scheduled.value).value?.getTime?.();
  }

  // The message id is the first property; all that matters is whether two of them are equal.
  #properties({ value }) {
    const { items, count } = compound(this.raw, value);
    if (count === 0 || this.raw[items] === 0x40) return;
    const id = this.raw.subarray(items, valueEnd(this.raw, items));
    if (id[0] === 0xa1) this.messageId = `s${id.toString('utf8', 2)}`;
    else if (id[0] === 0xb1) this.messageId = `s${id.toString('utf8', 5)}`;
    else this.messageId = id.toString('hex');
  }
}

/** The pairs of an encoded map: name, the bytes of both, the bytes of the value. */
function pairs(buffer, offset) {
  const { items, count } = compound(buffer, offset);
  const found = [];
  for (let at = items, n = 0; n + 1 < count; n += 2) {
    const value = valueEnd(buffer, at);
    const end = valueEnd(buffer, value);
    found.push({
      name: String(typed(buffer.subarray(at, value)).value),
      bytes: buffer.subarray(at, end),
      value: buffer.subarray(value, end),
    });
    at = end;
  }
  return found;
}

function typed(bytes) {
  return new types.Reader(bytes).read();
}
