// Answers to deliveries, ours and the client's. The library joins the first two dispositions of a
// turn of the event loop into one range when their ids follow each other, whatever they say: the
// second message would get the outcome of the first. So one turn of a session says one thing only,
// and what differs waits for the next.

import rhea from 'rhea';

const { message } = rhea;
const turns = new WeakMap(); // by session: `{outcome, later}`

export const ACCEPTED = message.accepted().described();
export const RELEASED = message.released().described();
export const MODIFIED = message.modified({}).described();
export const REJECTED = message.rejected({}).described();
export const LOCK_LOST = {
  condition: 'com.microsoft:message-lock-lost',
  description: 'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
};
export const REJECTED_LOCK_LOST = rejected(LOCK_LOST);

/** The outcome that refuses a delivery: `{condition, description}`. */
export function rejected(error) {
  return message.rejected({ error }).described();
}

/** Settles a delivery with an outcome. Equal outcomes should be the same object: they share a turn. */
export function answer(delivery, outcome) {
  const { session } = delivery.link;
  let turn = turns.get(session);
  if (!turn) {
    turn = { outcome, later: [] };
    turns.set(session, turn);
    setImmediate(endTurn, session, turn);
  }
  if (turn.outcome !== outcome) {
    turn.later.push([delivery, outcome]);
    return;
  }
  delivery.update(true, outcome);
  // A receiver of settle mode "second" waits for the answer and sends nothing more itself.
  delivery.remote_settled = true;
}

// Immediates run when the library has written what the turn produced.
function endTurn(session, turn) {
  turns.delete(session);
  for (const [delivery, outcome] of turn.later) answer(delivery, outcome);
}
