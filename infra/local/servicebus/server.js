// The AMQP side: one container on loopback that ties each link a client attaches to its node:
// a queue, a queue's $management, or $cbs.

import rhea from 'rhea';
import { attachConsumer } from './consumer.js';
import { attachProducer } from './producer.js';
import { Replies, attachManagementNode, attachTokenNode } from './requests.js';

const MAX_MESSAGE_SIZE = 1 << 20;
const MAX_FRAME_SIZE = 1 << 16;
const TOKEN_NODE = '$cbs';
const MANAGEMENT_SUFFIX = '/$management';
// Deliveries a session may hold unsettled, ours and the client's.
const SESSION_BUFFER = { incoming: 2048, outgoing: 1 << 17 };

/** Starts to listen; resolves to `{port, close()}`. */
export function listen(broker, port) {
  const container = rhea.create_container({ id: 'servicebus-local' });
  container.sasl_server_mechanisms.enable_anonymous();
  const replies = new WeakMap(); // by connection
  const repliesOf = (connection) => {
    if (!replies.has(connection)) replies.set(connection, new Replies());
    return replies.get(connection);
  };
  container.on('sender_open', ({ connection, sender }) => openSender(broker, sender, repliesOf(connection)));
  container.on('receiver_open', ({ connection, receiver }) => openReceiver(broker, receiver, repliesOf(connection)));
  surviveClients(container);
  return start(container, port, () => broker.keep());
}

function start(container, port, beforeAnswers) {
  const sockets = new Set();
  const server = container.listen({
    host: '127.0.0.1',
    port,
    max_frame_size: MAX_FRAME_SIZE,
    tcp_no_delay: true,
    session_buffer_size: SESSION_BUFFER,
    receiver_options: { autoaccept: false },
    sender_options: { autosettle: false, treat_modified_as_released: false },
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    gather(socket, beforeAnswers);
    socket.on('close', () => sockets.delete(socket));
  });
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => resolve({ port: server.address().port, close }));
  });
}

// The library writes every frame by itself; together the frames of one turn of the event loop cost
// one system call, which was the larger part of all the broker's work.
// What they tell is kept before they leave, so that a kill forgets nothing a client was told.
function gather(socket, beforeAnswers) {
  const write = socket.write.bind(socket);
  let corked = false;
  socket.write = (...args) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        beforeAnswers();
        socket.uncork();
      });
    }
    return write(...args);
  };
}

// What a client does to its own connection must not end the broker.
function surviveClients(container) {
  for (const event of ['connection_error', 'session_error', 'sender_error', 'receiver_error', 'disconnected']) {
    container.on(event, () => {});
  }
  for (const event of ['error', 'protocol_error']) {
    container.on(event, (error) => console.error(`connection dropped: ${error?.message ?? error}`));
  }
}

function openSender(broker, link, replies) {
  const address = link.source?.address ?? '';
  const node = find(broker, address);
  if (!node) return refuse(link, address);
  echo(link);
  if (node.queue && !node.management) attachConsumer(link, node.queue, broker.tokens);
  else replies.attach(link);
}

function openReceiver(broker, link, replies) {
  const address = link.target?.address ?? '';
  const node = find(broker, address);
  if (!node) return refuse(link, address);
  echo(link);
  link.local.attach.max_message_size = MAX_MESSAGE_SIZE;
  if (!node.queue) attachTokenNode(link, replies);
  else if (node.management) {
    const { queue } = node;
    attachManagementNode(link, replies, { queue, tokens: broker.tokens, maxMessageSize: MAX_MESSAGE_SIZE });
  } else attachProducer(link, node.queue, MAX_MESSAGE_SIZE);
}

/** The node of an address: `{queue?, management}`; without a queue it is $cbs. */
function find(broker, address) {
  const path = address.replace(/^amqps?:\/\/[^/]*/i, '').replace(/^\//, '');
  if (path.toLowerCase() === TOKEN_NODE) return { management: false };
  const management = path.toLowerCase().endsWith(MANAGEMENT_SUFFIX);
  const queue = broker.find(management ? path.slice(0, -MANAGEMENT_SUFFIX.length) : path);
  return queue && { queue, management };
}

// The client compares the modes it asked for with those it gets.
function echo(link) {
  link.local.attach.snd_settle_mode = link.snd_settle_mode;
  link.local.attach.rcv_settle_mode = link.rcv_settle_mode;
  link.set_source({ address: link.source?.address });
  link.set_target({ address: link.target?.address });
}

// An attach without a terminus, then the detach that says why.
function refuse(link, address) {
  link.close({ condition: 'amqp:not-found', description: `The messaging entity '${address}' could not be found.` });
}
