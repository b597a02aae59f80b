// The sending end of a client's receiver link: hands messages out while there is credit and turns
// the client's dispositions into settlements of locks.

import { ACCEPTED, MODIFIED, REJECTED, REJECTED_LOCK_LOST, RELEASED, answer } from './answers.js';
import { typedPairs } from './raw.js';

const SETTLED = 1; // snd-settle-mode: receive and delete
const DEAD_LETTER = 'com.microsoft:dead-letter';

class Consumer {
  #link;
  #queue;
  #tokens;
  #credit = 0;
  #handed = 0; // counts like the link's delivery-count, but ahead of the library's queue

  constructor(link, queue, tokens) {
    this.#link = link;
    this.#queue = queue;
    this.#tokens = tokens;
    this.destructive = link.snd_settle_mode === SETTLED;
  }

  wants() {
    return this.#credit > 0 && this.#link.is_open() && this.#link.sendable();
  }

  deliver(message, lock) {
    this.#credit--;
    this.#handed++;
    const bytes = message.content.encode({
      sequenceNumber: message.sequenceNumber,
      enqueuedAt: message.enqueuedAt,
      deliveryCount: message.deliveryCount,
      lockedUntil: lock?.due,
      deadLetterSource: message.deadLetterSource,
    });
    const tag = this.#tokens.tag(lock ? lock.token : this.#tokens.next());
    this.#link.send(bytes, tag, 0).lock = lock;
  }

  credited() {
    this.#credit = this.#link.credit + this.#link.delivery_count - this.#handed;
    this.#queue.offer(this);
  }

  drain() {
    this.#handed += this.#credit;
    this.#credit = 0;
    this.#link.set_drained(true);
  }

  resume() {
    this.#queue.offer(this);
  }
}

/** Makes the link a consumer of the queue. */
export function attachConsumer(link, queue, tokens) {
  const consumer = new Consumer(link, queue, tokens);
  link.on('sender_flow', () => consumer.credited());
  link.on('sender_draining', () => consumer.drain());
  link.on('sendable', () => consumer.resume());
  link.on('accepted', ({ delivery }) => settle(delivery, queue.complete(delivery.lock), ACCEPTED));
  link.on('released', ({ delivery }) => settle(delivery, queue.release(delivery.lock), RELEASED));
  link.on('modified', ({ delivery }) => settle(delivery, modify(queue, delivery), MODIFIED));
  link.on('rejected', ({ delivery }) => settle(delivery, reject(queue, delivery), REJECTED));
}

// Service Bus reads "modified" as abandon, and as defer when the receiver wants it no more.
function modify(queue, { lock, remote_state: state }) {
  const changes = typedPairs(state.value[2]);
  return state.undeliverable_here ? queue.defer(lock, changes) : queue.abandon(lock, changes);
}

function reject(queue, { lock, remote_state: state }) {
  const { error } = state;
  if (!error) return queue.deadLetter(lock);
  const info = error.condition === DEAD_LETTER ? typedPairs(error.value?.[2]) : [];
  if (info.length > 0) return queue.deadLetter(lock, info);
  return queue.deadLetter(lock, [
    ['DeadLetterReason', String(error.condition)],
    ['DeadLetterErrorDescription', error.description ?? ''],
  ]);
}

function settle(delivery, held, outcome) {
  answer(delivery, held ? outcome : REJECTED_LOCK_LOST);
}
