// Package testdrive gives customers an offer to try for a fixed number of hours (rules TDR): it hands out a slot,
// lets the publisher's workflow set the environment up, shows the way in, and has it taken away again.
//
// A Pool is the capacity of one slot of an offer; a Session is one customer's use of it. Both change in one act,
// so that capacity is never handed out twice and a slot is free only when its clean-up is done. Service.Start
// reserves; Service.Run does the steps that come as messages of the queue "test-drives": provision, expire and
// cleanup. A step is idempotent by the state of the session and the number of the attempt; what fails is tried
// again by a message that is due later. Each session makes one lead, before anything else is done for it.
//
// Sessions of kind logicApp are run (TDR-84, TDR-85); a test drive of another kind is unavailable. Access data
// is readable by the customer while the session is active, and is erased the moment it ends. Service is safe for
// concurrent use.
//
// Readings: the slot of a failed session is held until its clean-up has succeeded, as that of any other; a 409
// for capacity names at least a minute; all outputs are erased at the end, not only passwords (TDR-65).
package testdrive
