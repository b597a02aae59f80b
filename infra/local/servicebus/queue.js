// One queue: order, locks, delivery counts, scheduled and deferred messages, competing consumers.
// It knows nothing of AMQP: a consumer is anything with `wants()`, `destructive` and
// `deliver(message, lock)`, a message's content anything with `messageId`, `ttl` and `withProperties`.

import { Duplicates } from './duplicates.js';
import { Fifo } from './fifo.js';
import { Heap } from './heap.js';

/** The states of a message; the numbers are those of x-opt-message-state. */
export const STATE = { active: 0, deferred: 1, scheduled: 2 };

class Lock {
  constructor(queue, message, token, due) {
    this.queue = queue;
    this.message = message; // undefined once the lock has ended
    this.token = token;
    this.due = due;
  }

  fire() {
    this.queue.expire(this);
  }
}

export class Queue {
  #shared;
  #ready = new Fifo(); // in the order of arrival
  #returned = new Heap('position'); // came back: older than everything in #ready behind it
  #locks = new Map();
  #waiting = new Fifo(); // consumers that may have credit, next in turn first
  #messages = new Map();
  #lastNumber = 0;
  #lastPosition = 0;

  /**
   * @param settings `{name, maxDeliveryCount, lockMilliseconds, duplicateWindow}`
   * @param shared `{now, deadlines, tokens, journal}` of the broker
   * @param deadLetters the queue's dead-letter queue; none for a dead-letter queue itself
   */
  constructor(settings, shared, deadLetters) {
    this.name = settings.name;
    this.settings = settings;
    this.deadLetters = deadLetters;
    this.duplicates = new Duplicates(settings.duplicateWindow);
    this.#shared = shared;
  }

  /** Takes messages in; repeats inside the window are dropped. Returns the sequence numbers (0 = dropped). */
  send(contents) {
    const now = this.#shared.now();
    const numbers = contents.map((content) => this.#accept(content, now));
    this.#pump();
    return numbers;
  }

  #accept(content, now) {
    if (this.duplicates.isRepeat(content.messageId, now)) return 0;
    const message = {
      content,
      sequenceNumber: ++this.#lastNumber,
      enqueuedAt: now,
      deliveryCount: 0,
      state: STATE.active,
      position: 0,
      lock: undefined,
      scheduled: undefined,
      deadLetterSource: undefined,
    };
    if (content.scheduledAt > now) {
      message.state = STATE.scheduled;
      message.enqueuedAt = content.scheduledAt;
    }
    this.#shared.journal.put(this, message);
    this.#admit(message);
    return message.sequenceNumber;
  }

  /** Puts a message back that an earlier run had. */
  restore(message) {
    this.#lastNumber = Math.max(this.#lastNumber, message.sequenceNumber);
    this.#admit(message);
  }

  /** The number given last; a run that goes on with a journal must not give it again. */
  get lastNumber() {
    return this.#lastNumber;
  }

  set lastNumber(number) {
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  messages() {
    return this.#messages.values();
  }

  #admit(message) {
    this.#messages.set(message.sequenceNumber, message);
    if (message.state === STATE.scheduled) {
      message.scheduled = { due: message.enqueuedAt, fire: () => this.#enqueueScheduled(message) };
      this.#shared.deadlines.add(message.scheduled);
    } else if (message.state === STATE.active) {
      message.position = ++this.#lastPosition;
      this.#ready.push(message);
    }
  }

  #enqueueScheduled(message) {
    message.scheduled = undefined;
    message.state = STATE.active;
    message.position = ++this.#lastPosition;
    this.#ready.push(message);
    this.#shared.journal.change(this, message);
    this.#pump();
  }

  /** Takes scheduled messages out before they are due; false, and nothing done, when one is not there. */
  cancel(numbers) {
    const found = numbers.map((number) => this.#messages.get(number));
    if (found.some((message) => message?.state !== STATE.scheduled)) return false;
    for (const message of found) {
      this.#shared.deadlines.remove(message.scheduled);
      this.#drop(message);
    }
    return true;
  }

  /** Tells that a consumer is there or has new credit. */
  offer(consumer) {
    if (!consumer.waiting) {
      consumer.waiting = true;
      this.#waiting.push(consumer);
    }
    this.#pump();
  }

  // One message per consumer and turn: what competes shares alike.
  #pump() {
    while (this.#waiting.size > 0) {
      const consumer = this.#waiting.first();
      const message = consumer.wants() ? this.#next() : undefined;
      if (message) {
        this.#waiting.push(this.#waiting.shift());
        this.#hand(message, consumer);
      } else if (consumer.wants()) {
        return;
      } else {
        consumer.waiting = false;
        this.#waiting.shift();
      }
    }
  }

  #hand(message, consumer) {
    if (consumer.destructive) {
      this.#drop(message);
      consumer.deliver(message, undefined);
    } else {
      consumer.deliver(message, this.#lock(message));
    }
  }

  // The next active message; those whose time to live is over vanish here.
  #next() {
    for (;;) {
      const returned = this.#returned.first();
      const fresh = this.#ready.first();
      const message = returned && (!fresh || returned.position < fresh.position) ? returned : fresh;
      if (!message) return undefined;
      if (message === returned) this.#returned.remove(message);
      else this.#ready.shift();
      if (!this.#outlived(message)) return message;
      this.#drop(message);
    }
  }

  #outlived(message) {
    const { ttl } = message.content;
    return ttl !== undefined && this.deadLetters !== undefined && message.enqueuedAt + ttl <= this.#shared.now();
  }

  #lock(message) {
    const { deadlines, now, tokens } = this.#shared;
    const lock = new Lock(this, message, tokens.next(), now() + this.settings.lockMilliseconds);
    message.lock = lock;
    this.#locks.set(lock.token, lock);
    deadlines.add(lock);
    return lock;
  }

  /** The lock of a token, also one that is just ending; undefined when it is lost. */
  findLock(token) {
    return this.#locks.get(token);
  }

  /** Prolongs a lock from now on; false when it is lost. */
  renew(lock) {
    if (!this.#holds(lock)) return false;
    this.#shared.deadlines.move(lock, this.#shared.now() + this.settings.lockMilliseconds);
    return true;
  }

  // The timer may be late; a lock never outlasts its time because of that.
  #holds(lock) {
    if (!lock.message) return false;
    if (lock.due > this.#shared.now()) return true;
    this.expire(lock);
    return false;
  }

  // Ends a lock and gives its message, or undefined when the lock was lost before.
  #unlock(lock) {
    if (!this.#holds(lock)) return undefined;
    this.#shared.deadlines.remove(lock);
    return this.#forget(lock);
  }

  #forget(lock) {
    const { message } = lock;
    this.#locks.delete(lock.token);
    message.lock = undefined;
    lock.message = undefined;
    return message;
  }

  /** Completes the message of a lock; like all settlements false when the lock is lost. */
  complete(lock) {
    const message = this.#unlock(lock);
    if (!message) return false;
    this.#drop(message);
    return true;
  }

  /** Gives the message back and counts the delivery; changes are application properties to set. */
  abandon(lock, changes = []) {
    const message = this.#unlock(lock);
    if (!message) return false;
    this.#edit(message, changes);
    this.#failed(message);
    return true;
  }

  /** Gives the message back as if it had not been delivered. */
  release(lock) {
    const message = this.#unlock(lock);
    if (!message) return false;
    this.#giveBack(message);
    return true;
  }

  /** Sets the message aside; only its sequence number finds it again. */
  defer(lock, changes = []) {
    const message = this.#unlock(lock);
    if (!message) return false;
    this.#edit(message, changes);
    message.deliveryCount++;
    message.state = STATE.deferred;
    this.#shared.journal.change(this, message);
    return true;
  }

  /** Moves the message to the dead-letter queue; in a dead-letter queue it only counts the delivery. */
  deadLetter(lock, changes = []) {
    const message = this.#unlock(lock);
    if (!message) return false;
    message.deliveryCount++;
    if (this.deadLetters) this.#bury(message, changes);
    else this.#giveBack(message);
    return true;
  }

  /** The end of a lock's time: the message comes back, one delivery older. */
  expire(lock) {
    this.#shared.deadlines.remove(lock);
    this.#failed(this.#forget(lock));
  }

  #failed(message) {
    message.deliveryCount++;
    if (this.deadLetters && message.deliveryCount >= this.settings.maxDeliveryCount) {
      this.#bury(message, [
        ['DeadLetterReason', 'MaxDeliveryCountExceeded'],
        ['DeadLetterErrorDescription',
          `Message could not be consumed after ${this.settings.maxDeliveryCount} delivery attempts.`],
      ]);
      return;
    }
    this.#shared.journal.change(this, message);
    this.#giveBack(message);
  }

  #giveBack(message) {
    if (message.state === STATE.deferred) return;
    this.#returned.add(message);
    this.#pump();
  }

  // There before it is gone here: a kill in the middle of the write leaves it twice and not never.
  #bury(message, changes) {
    message.content = message.content.withProperties(changes);
    message.deadLetterSource = this.name;
    message.state = STATE.active;
    this.deadLetters.adopt(message);
    this.#drop(message);
  }

  /** Takes a message over from the queue it belonged to; it keeps number, time and count. */
  adopt(message) {
    this.#shared.journal.put(this, message);
    this.#admit(message);
    this.#pump();
  }

  #edit(message, changes) {
    if (changes.length === 0) return;
    message.content = message.content.withProperties(changes);
    this.#shared.journal.put(this, message);
  }

  #drop(message) {
    this.#messages.delete(message.sequenceNumber);
    this.#shared.journal.remove(this, message);
  }

  /** Up to count messages of any state from a sequence number on, without locking them. */
  peek(from, count) {
    const found = [...this.#messages.values()].filter((message) => message.sequenceNumber >= from);
    return found.sort((a, b) => a.sequenceNumber - b.sequenceNumber).slice(0, count);
  }

  /**
   * Receives deferred messages by number; undefined, and nothing done, when one is not deferred or is locked.
   * Each result is `{message, lock}`, without a lock when it was received and deleted.
   */
  receiveDeferred(numbers, destructive) {
    const found = numbers.map((number) => this.#messages.get(number));
    if (found.some((message) => message?.state !== STATE.deferred || message.lock)) return undefined;
    return found.map((message) => {
      if (!destructive) return { message, lock: this.#lock(message) };
      this.#drop(message);
      return { message, lock: undefined };
    });
  }
}
