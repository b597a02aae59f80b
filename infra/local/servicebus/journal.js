// The data file: one JSON line per change, appended; rewritten with what is left when it is opened
// and when it has grown far beyond that. Lines of one turn of the event loop are written
// together, and before the answers of that turn leave. It is made for a process that is stopped or killed;
// against a power cut it does nothing (no fsync).
//
//   {"o":"+","q":queue,"n":number,"at":ms,"c":deliveries,"s":state,"d":dead-letter source,"raw":base64}
//   {"o":"~","q":queue,"n":number,"c":deliveries,"s":state}   changed
//   {"o":"-","q":queue,"n":number}                            gone
//   {"o":"i","q":queue,"id":message id,"at":ms}               taken, for duplicate detection
//   {"o":"#","q":queue,"n":number}                            last sequence number

import fs from 'node:fs';
import { Content } from './content.js';

const REWRITE_AFTER = 64 << 20;

export class Journal {
  #path;
  #broker;
  #fd;
  #lines = [];
  #written = 0;
  #rewriteAt = REWRITE_AFTER;

  constructor(path) {
    this.#path = path;
  }

  /** Fills the broker's queues from the file and starts writing. */
  open(broker) {
    this.#broker = broker;
    if (fs.existsSync(this.#path)) this.#load();
    this.#rewrite();
  }

  put(queue, message) {
    this.#append(line(queue, message));
  }

  change(queue, message) {
    const { sequenceNumber: n, deliveryCount: c, state: s } = message;
    this.#append(JSON.stringify({ o: '~', q: queue.name, n, c, s }));
  }

  remove(queue, message) {
    this.#append(JSON.stringify({ o: '-', q: queue.name, n: message.sequenceNumber }));
  }

  close() {
    this.flush();
    fs.closeSync(this.#fd);
  }

  #append(text) {
    if (this.#lines.length === 0) process.nextTick(() => this.flush());
    this.#lines.push(text);
  }

  /** Writes what has changed. Whoever tells a client of a change calls it before. */
  flush() {
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join('\n')}\n`;
    this.#lines = [];
    writeAll(this.#fd, text);
    this.#written += text.length;
    if (this.#written > this.#rewriteAt) this.#rewrite();
  }

  // A new file takes the old one's place in one step, so that a kill leaves one of the two.
  #rewrite() {
    const temporary = `${this.#path}.new`;
    const fd = fs.openSync(temporary, 'w');
    this.#written = 0;
    for (const text of this.#snapshot()) {
      writeAll(fd, `${text}\n`);
      this.#written += text.length + 1;
    }
    this.#rewriteAt = Math.max(REWRITE_AFTER, 4 * this.#written);
    fs.renameSync(temporary, this.#path);
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = fd;
  }

  *#snapshot() {
    for (const queue of this.#broker.queues()) {
      yield JSON.stringify({ o: '#', q: queue.name, n: queue.lastNumber });
      for (const [id, at] of queue.duplicates.entries(this.#broker.now())) {
        yield JSON.stringify({ o: 'i', q: queue.name, id, at });
      }
      for (const message of queue.messages()) yield line(queue, message);
    }
  }

  #load() {
    const found = new Map();
    for (const text of fs.readFileSync(this.#path, 'utf8').split('\n')) {
      if (text === '') continue;
      try {
        this.#replay(JSON.parse(text), found);
      } catch (error) {
        // The last line of a killed process may be torn; what it said was never acknowledged.
        console.error(`${this.#path}: a line was skipped: ${error.message}`);
      }
    }
    for (const { queue, message } of found.values()) {
      if (queue) queue.restore(message);
    }
  }

  #replay(entry, found) {
    const queue = this.#broker.find(entry.q);
    if (!queue) return; // the queue left resources.json, its messages with it
    const key = `${queue.name}\n${entry.n}`;
    if (entry.o === '+') {
      const message = restored(entry);
      found.set(key, { queue, message });
      queue.lastNumber = entry.n;
      // A scheduled message is dated ahead; it was taken by now.
      queue.duplicates.restore(message.content.messageId, Math.min(entry.at, this.#broker.now()));
    } else if (entry.o === '-') {
      found.delete(key);
    } else if (entry.o === '~') {
      const { message } = found.get(key);
      message.deliveryCount = entry.c;
      message.state = entry.s;
    } else if (entry.o === 'i') {
      queue.duplicates.restore(entry.id, entry.at);
    } else if (entry.o === '#') {
      queue.lastNumber = entry.n;
    }
  }
}

function line(queue, message) {
  return JSON.stringify({
    o: '+',
    q: queue.name,
    n: message.sequenceNumber,
    at: message.enqueuedAt,
    c: message.deliveryCount,
    s: message.state,
    d: message.deadLetterSource,
    raw: message.content.raw.toString('base64'),
  });
}

function restored(entry) {
  return {
    content: new Content(Buffer.from(entry.raw, 'base64')),
    sequenceNumber: entry.n,
    enqueuedAt: entry.at,
    deliveryCount: entry.c,
    state: entry.s,
    position: 0,
    lock: undefined,
    scheduled: undefined,
    deadLetterSource: entry.d,
  };
}

function writeAll(fd, text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
}
