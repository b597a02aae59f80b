// Duplicate detection: which message ids a queue has taken inside its window.

export class Duplicates {
  #seen = new Map();
  #window;

  /** @param window milliseconds; 0 switches detection off */
  constructor(window) {
    this.#window = window;
  }

  /** True when the id was taken inside the window; else it is taken now. No id is never a repeat. */
  isRepeat(id, now) {
    if (!this.#window || id === undefined) return false;
    this.#forget(now);
    if (this.#seen.get(id) > now - this.#window) return true;
    this.#seen.delete(id);
    this.#seen.set(id, now);
    return false;
  }

  /** Takes an id over from an earlier run. */
  restore(id, at) {
    if (!this.#window || id === undefined || this.#seen.get(id) > at) return;
    this.#seen.set(id, at);
  }

  /** The ids that still count, with the time they were taken. */
  entries(now) {
    this.#forget(now);
    return this.#seen.entries();
  }

  // A Map keeps the order of insertion, which is the order of time but for what was restored.
  #forget(now) {
    for (const [id, at] of this.#seen) {
      if (at > now - this.#window) return;
      this.#seen.delete(id);
    }
  }
}
