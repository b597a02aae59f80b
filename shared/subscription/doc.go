// Package subscription is the purchased SaaS resource: its life from purchase to unsubscribe, its operations, and
// the calls that tell its publisher (FUL).
//
// Every act reads the subscription, decides, and saves it together with its operations and messages in one
// transaction under its ETag; an act that lost the lock is decided again. Deadlines are due messages, decided
// again from the state when they arrive, so late and doubled ones are harmless. Webhook calls happen at least
// once; an operation has one id over all its calls. The package never talks HTTP itself.
package subscription
