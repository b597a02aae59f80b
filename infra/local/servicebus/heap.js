// A binary min-heap whose items remember their place, so that any of them leaves in O(log n).

export class Heap {
  #items = [];
  #key;

  /** @param key name of the number by which the items are ordered */
  constructor(key) {
    this.#key = key;
  }

  get size() {
    return this.#items.length;
  }

  first() {
    return this.#items[0];
  }

  /** Adds an item; its `heapIndex` belongs to this heap until it leaves. */
  add(item) {
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#rise(item.heapIndex);
  }

  /** Removes an item; false when it is not in the heap. */
  remove(item) {
    const index = item.heapIndex;
    if (index === undefined || this.#items[index] !== item) return false;
    const last = this.#items.pop();
    item.heapIndex = undefined;
    if (last === item) return true;
    last.heapIndex = index;
    this.#items[index] = last;
    this.#rise(index);
    this.#sink(last.heapIndex);
    return true;
  }

  #rise(index) {
    const items = this.#items;
    const item = items[index];
    const value = item[this.#key];
    while (index > 0) {
      const up = (index - 1) >> 1;
      if (items[up][this.#key] <= value) break;
      items[index] = items[up];
      items[index].heapIndex = index;
      index = up;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #sink(index) {
    const items = this.#items;
    const item = items[index];
    const value = item[this.#key];
    for (;;) {
      let down = 2 * index + 1;
      if (down >= items.length) break;
      if (down + 1 < items.length && items[down + 1][this.#key] < items[down][this.#key]) down++;
      if (items[down][this.#key] >= value) break;
      items[index] = items[down];
      items[index].heapIndex = index;
      index = down;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}
