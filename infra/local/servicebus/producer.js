// The receiving end of a client's sender link: transfers become messages of a queue.

import { ACCEPTED, answer, rejected } from './answers.js';
import { Content } from './content.js';

const BATCH_FORMAT = 0x80013700;

/** Lets what arrives on the link into the queue; what is too large or no message is rejected. */
export function attachProducer(link, queue, maxMessageSize) {
  link.on('message', ({ delivery, message: payload, format }) => {
    if (payload.length > maxMessageSize) {
      answer(delivery, rejected({
        condition: 'amqp:link:message-size-exceeded',
        description: `The message has ${payload.length} bytes, more than ${maxMessageSize}.`,
      }));
      return;
    }
    let contents;
    try {
      contents = format === BATCH_FORMAT ? Content.ofBatch(payload) : [new Content(payload)];
    } catch (error) {
      answer(delivery, rejected({ condition: 'amqp:decode-error', description: error.message }));
      return;
    }
    queue.send(contents);
    answer(delivery, ACCEPTED);
  });
}
