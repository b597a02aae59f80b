// The operations of a queue's $management node. Each takes the queue and the request's body and
// gives `{status, body?, condition?, description?}`; how requests travel is not its concern.

import rhea from 'rhea';
import { LOCK_LOST } from './answers.js';
import { Content } from './content.js';
import { typedPairs } from './raw.js';

const { types } = rhea;
const PEEK_LIMIT = 250;
const TYPE = { timestamp: 0x83, long: 0x81 };
const NO_CONTENT = { status: 204, description: 'No Content' };
const GONE = { status: 410, ...LOCK_LOST };
const NOT_FOUND = {
  status: 404,
  condition: 'com.microsoft:message-not-found',
  description: 'A message with one of the sequence numbers was not found.',
};

const OPERATIONS = {
  'com.microsoft:renew-lock': renewLocks,
  'com.microsoft:peek-message': peek,
  'com.microsoft:schedule-message': schedule,
  'com.microsoft:cancel-scheduled-message': cancel,
  'com.microsoft:receive-by-sequence-number': receiveBySequenceNumber,
  'com.microsoft:update-disposition': updateDisposition,
};

/** Answers a request. @param context `{queue, tokens, maxMessageSize}` @param body the typed map */
export function manage(context, operation, body) {
  const run = OPERATIONS[operation];
  if (!run) {
    return { status: 501, condition: 'amqp:not-implemented', description: `There is no operation ${operation}.` };
  }
  try {
    return run(context, new Map(typedPairs(body)));
  } catch (error) {
    return { status: 400, condition: 'amqp:invalid-field', description: error.message };
  }
}

function ok(body) {
  return { status: 200, description: 'OK', body };
}

function plain(request, name) {
  const value = request.get(name);
  if (value === undefined) throw new Error(`${name} is missing`);
  return types.unwrap(value);
}

function locks({ queue, tokens }, request) {
  return plain(request, 'lock-tokens').map((uuid) => queue.findLock(tokens.parse(uuid)));
}

function renewLocks(context, request) {
  const found = locks(context, request);
  if (!found.every((lock) => lock && context.queue.renew(lock))) return GONE;
  return ok({ expirations: types.wrap_array(found.map((lock) => lock.due), TYPE.timestamp) });
}

function peek({ queue }, request) {
  const count = Math.min(plain(request, 'message-count'), PEEK_LIMIT);
  const found = queue.peek(plain(request, 'from-sequence-number'), count);
  if (found.length === 0) return NO_CONTENT;
  return ok({ messages: found.map((message) => ({ message: encode(message, { state: message.state }) })) });
}

function schedule({ queue, maxMessageSize }, request) {
  const entries = plain(request, 'messages').map((entry) => types.unwrap(entry).message);
  if (entries.some((bytes) => bytes.length > maxMessageSize)) {
    return { status: 413, condition: 'amqp:link:message-size-exceeded', description: `A message has more than ${maxMessageSize} bytes.` };
  }
  const numbers = queue.send(entries.map((bytes) => new Content(bytes)));
  return ok({ 'sequence-numbers': types.wrap_array(numbers, TYPE.long) });
}

function cancel({ queue }, request) {
  return queue.cancel(plain(request, 'sequence-numbers')) ? ok({}) : NOT_FOUND;
}

function receiveBySequenceNumber({ queue, tokens }, request) {
  const destructive = plain(request, 'receiver-settle-mode') === 0;
  const found = queue.receiveDeferred(plain(request, 'sequence-numbers'), destructive);
  if (!found) return NOT_FOUND;
  return ok({
    messages: found.map(({ message, lock }) => {
      if (!lock) return { message: encode(message, { state: message.state }) };
      const lockToken = tokens.uuid(lock.token);
      return {
        message: encode(message, { state: message.state, lockedUntil: lock.due, lockToken }),
        'lock-token': types.wrap_uuid(lockToken),
      };
    }),
  });
}

function updateDisposition(context, request) {
  const { queue } = context;
  const found = locks(context, request);
  if (found.includes(undefined)) return GONE;
  const changes = typedPairs(request.get('properties-to-modify'));
  const settle = {
    completed: (lock) => queue.complete(lock),
    abandoned: (lock) => queue.abandon(lock, changes),
    defered: (lock) => queue.defer(lock, changes), // the protocol's spelling
    suspended: (lock) => queue.deadLetter(lock, [...deadLetterProperties(request), ...changes]),
  }[plain(request, 'disposition-status')];
  if (!settle) throw new Error('disposition-status is none of completed, abandoned, defered, suspended');
  return found.every(settle) ? ok({}) : GONE;
}

function deadLetterProperties(request) {
  const named = [['DeadLetterReason', 'deadletter-reason'], ['DeadLetterErrorDescription', 'deadletter-description']];
  return named.filter(([, key]) => request.get(key)).map(([name, key]) => [name, request.get(key)]);
}

function encode(message, system) {
  return message.content.encode({
    sequenceNumber: message.sequenceNumber,
    enqueuedAt: message.enqueuedAt,
    deliveryCount: message.deliveryCount,
    deadLetterSource: message.deadLetterSource,
    ...system,
  });
}
