// The broker: the queues of resources.json with their dead-letter queues, by path.

import { Deadlines } from './deadlines.js';
import { milliseconds } from './duration.js';
import { Queue } from './queue.js';
import { Tokens } from './tokens.js';

export const DEAD_LETTER_SUFFIX = '/$DeadLetterQueue';

/** Without a data file nothing outlives the process. */
export const NO_JOURNAL = { put() {}, change() {}, remove() {}, flush() {} };

export class Broker {
  #queues = new Map();
  #journal;

  /**
   * @param queues `queues` of resources.json
   * @param options `{lockDuration?: ISO 8601, overrides all, now?: clock in ms, journal?}`
   */
  constructor(queues, { lockDuration, now = Date.now, journal = NO_JOURNAL } = {}) {
    this.tokens = new Tokens();
    this.now = now;
    this.#journal = journal;
    this.deadlines = new Deadlines(now);
    const shared = { now, journal, tokens: this.tokens, deadlines: this.deadlines };
    for (const entry of queues) {
      const lockMilliseconds = milliseconds(lockDuration ?? entry.lockDuration);
      const dead = new Queue({ name: entry.name + DEAD_LETTER_SUFFIX, lockMilliseconds, duplicateWindow: 0 }, shared);
      const settings = {
        name: entry.name,
        maxDeliveryCount: entry.maxDeliveryCount,
        lockMilliseconds,
        duplicateWindow: entry.duplicateDetectionWindow ? milliseconds(entry.duplicateDetectionWindow) : 0,
      };
      this.#queues.set(entry.name.toLowerCase(), new Queue(settings, shared, dead));
      this.#queues.set(dead.name.toLowerCase(), dead);
    }
  }

  /** The queue or dead-letter queue of a path, in any case; undefined when there is none. */
  find(path) {
    return this.#queues.get(path.toLowerCase());
  }

  queues() {
    return this.#queues.values();
  }

  /** Makes what has changed outlive the process. */
  keep() {
    this.#journal.flush();
  }

  stop() {
    this.deadlines.stop();
  }
}
