// What has to happen later (locks that end, scheduled messages that come due): one heap, one timer.

import { Heap } from './heap.js';

// setTimeout takes no more than 2^31-1 ms; a longer wait is done in pieces.
const LONGEST_WAIT = 24 * 3600 * 1000;

export class Deadlines {
  #heap = new Heap('due');
  #now;
  #timer = undefined;
  #wakesAt = Infinity;

  /** @param now the clock, in ms since 1970 */
  constructor(now) {
    this.#now = now;
  }

  /** Adds an entry `{due, fire()}`; fire runs once, not before due. */
  add(entry) {
    this.#heap.add(entry);
    if (entry.due < this.#wakesAt) this.#arm();
  }

  remove(entry) {
    this.#heap.remove(entry);
  }

  /** Moves an entry to another time. */
  move(entry, due) {
    this.#heap.remove(entry);
    entry.due = due;
    this.add(entry);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#heap = new Heap('due');
  }

  #run() {
    this.#wakesAt = Infinity;
    const now = this.#now();
    for (let entry = this.#heap.first(); entry && entry.due <= now; entry = this.#heap.first()) {
      this.#heap.remove(entry);
      entry.fire();
    }
    if (this.#heap.size > 0) this.#arm();
  }

  #arm() {
    clearTimeout(this.#timer);
    this.#wakesAt = this.#heap.first().due;
    const wait = Math.min(Math.max(this.#wakesAt - this.#now(), 1), LONGEST_WAIT);
    this.#timer = setTimeout(() => this.#run(), wait);
  }
}
