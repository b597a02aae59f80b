// Package store keeps Stoa's state in Table storage: it implements the domain's store ports, one file per
// aggregate, and makes a change and the messages it causes one act.
//
// An act is one transaction of one partition. Its messages ride along as an outbox row of the same transaction
// and are sent after the commit, by a dispatcher of this process or, when the process dies, by Sweep, which finds
// the partition through a marker that was written to the agenda first. So a message is delivered at least once
// when its act was committed, and never when it was not. Messages that are due later wait in the agenda, from
// where Release sends them; what can never be sent is parked among the dead letters.
//
// Everything here is safe for concurrent use. The package never reads a clock of its own for a rule: times come
// from Deps.Now.
package store
