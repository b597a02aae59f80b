// Package lead turns customer actions in the storefronts into leads and brings each lead to the destination that
// the publisher connected to the offer (rules LED).
//
// Service.Capture records one lead per action, by an id made of the event, the offer and the action, so that a
// repeat meets itself; Service.Deliver makes one attempt and either finishes the lead, schedules the next attempt
// or parks it with its reason. What is parked or has no usable destination waits for a replay and is erased after
// 30 days. Delivery is at least once; the lead id is stable, and a second delivery of one message does nothing.
//
// The package makes no calls of its own: HTTPS goes through call.Doer, rows of a publisher's own storage through
// TableWriter. Personal data stands in the lead and nowhere else: not in errors, reasons, attempts, messages or
// mail. Service is safe for concurrent use.
//
// Readings: the connection is read when a lead is delivered, so that a repaired one serves the leads that wait; a
// customer's country is two letters (3.1); a retry that would fall behind the 72 hours parks the lead (LED-42).
package lead
