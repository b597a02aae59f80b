// A stand-in for Azure Service Bus: the queues of infra/resources.json over AMQP 1.0, for clients
// that ask for the development emulator.
//
// What it does NOT do: topics and subscriptions, sessions, transactions, auto-forwarding, TLS,
// AMQP over WebSockets, the HTTP administration API, message rules and filters, transfer
// dead-letter queues, dead-lettering of expired messages (they vanish), entity quotas, throttling,
// geo-replication, checking of tokens (any is accepted), and any of it for more than one machine:
// it listens on 127.0.0.1 only. Deliveries that were locked when it stopped are free when it
// starts again, and no delivery is counted for them.
//
//   node infra/local/servicebus/main.js --port 5672 --config infra/resources.json [--data FILE]
//
//   --port N              port on 127.0.0.1; 0 takes a free one
//   --config FILE         JSON with queues[]: name, maxDeliveryCount, lockDuration, duplicateDetectionWindow
//   --data FILE           keep messages in this file; without it they end with the process
//   --lock-duration PT5S  replace every queue's lock duration
//   --exit-with-stdin     stop when standard input closes
//
// Prints `listening 127.0.0.1:<port>` when it is ready; stops on SIGTERM and SIGINT.

import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { Broker, NO_JOURNAL } from './broker.js';
import { Journal } from './journal.js';
import { listen } from './server.js';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '5672' },
    config: { type: 'string', default: 'infra/resources.json' },
    data: { type: 'string' },
    'lock-duration': { type: 'string' },
    'exit-with-stdin': { type: 'boolean', default: false },
  },
});

const { queues } = JSON.parse(fs.readFileSync(options.config, 'utf8'));
const journal = options.data ? new Journal(options.data) : NO_JOURNAL;
const broker = new Broker(queues, { journal, lockDuration: options['lock-duration'] });
journal.open?.(broker);
const server = await listen(broker, Number(options.port));

function stop() {
  server.close();
  broker.stop();
  journal.close?.();
  process.exit(0);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (options['exit-with-stdin']) {
  process.stdin.on('end', stop).on('error', stop).resume();
}
console.log(`listening 127.0.0.1:${server.port}`);
