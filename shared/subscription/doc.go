// Package subscription is the purchased SaaS resource: its life from purchase to unsubscribe, its operations, and
// the calls that tell its publisher (FUL).
//
// Every act reads the subscription, decides, and saves it together with its operations and messages in one
// transaction under its ETag; an act that lost the lock is decided again. Deadlines are due messages, decided
// again from the state when they arrive, so late and doubled ones are harmless. Webhook calls happen at least
// once; an operation has one id over all its calls. The package never talks HTTP itself.
//
// Readings. Of a stopped trial the days that were begun are used, the rest goes to the next subscription of the tenant
// on the offer that asks for a trial (5.5, SAS-55); paid terms before that are those of subscriptions that were
// activated earlier. A change tells the ledger to look at the running term again: which plan, seats and price held
// from when on stands in Plans (FUL-58). A refusal says what was expected and what was found; one for lack of rights
// shows the caller's own claims only. The customer who accepts terms is the tenant that buys, be it a
// reseller: it is the one whose token says so (SAS-19).
package subscription
