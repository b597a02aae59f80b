// Requests and replies: a client sends to $cbs or to a $management node on one link and reads the
// replies on another, which it names in reply-to. Both nodes answer here.

import rhea from 'rhea';
import { ACCEPTED, answer, rejected } from './answers.js';
import { manage } from './management.js';
import { decode, typedBody } from './raw.js';

/** The reply links of one connection, by the address the client gave them. */
export class Replies {
  #links = new Map();

  attach(link) {
    const address = link.target?.address;
    this.#links.set(address, link);
    link.on('sender_close', () => this.#links.delete(address));
    // A reply that the client takes unsettled needs no answer: nothing is locked.
    for (const outcome of ['accepted', 'released', 'rejected', 'modified']) {
      link.on(outcome, ({ delivery }) => delivery.update(true));
    }
  }

  send(address, message) {
    const link = this.#links.get(address);
    if (link?.is_open()) link.send(message);
  }
}

/** Answers the requests of a link to $cbs: any token is as good as another here. */
export function attachTokenNode(link, replies) {
  serve(link, replies, () => ({ status: 202, description: 'Accepted' }));
}

/** Answers the requests of a link to the $management node of `context.queue`. */
export function attachManagementNode(link, replies, context) {
  serve(link, replies, (request, bytes) => (
    manage(context, request.application_properties?.operation, typedBody(bytes))
  ));
}

function serve(link, replies, respond) {
  link.on('message', ({ delivery, message: bytes }) => {
    let request;
    try {
      request = decode(bytes);
    } catch (error) {
      answer(delivery, rejected({ condition: 'amqp:decode-error', description: error.message }));
      return;
    }
    answer(delivery, ACCEPTED);
    const { status, description, condition, body } = respond(request, bytes);
    replies.send(request.reply_to, {
      to: request.reply_to,
      correlation_id: request.message_id,
      application_properties: {
        statusCode: rhea.types.wrap_int(status),
        statusDescription: description,
        ...(condition ? { errorCondition: rhea.types.wrap_symbol(condition) } : {}),
      },
      body: body ?? null,
    });
  });
}
