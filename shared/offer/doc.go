// Package offer decides what a publisher may say about an offer and its plans: the draft, its pages and their
// findings, what is fixed once it was published, and the history of what happened (rules PUB, SAS). What may be metered
// is decided by package dimension, which is asked here for all ways to write and to publish a draft (MTR).
//
// The fields of a page, their limits and the words of a finding are data (pages.json), interpreted by one
// engine. Saving refuses what can never be right (malformed); what is only missing or contradictory is kept and
// becomes a finding of its page, which refuses publishing. The package stores nothing and calls nobody; Service
// drives a Store and is safe for concurrent use, values of Offer are not.
//
// Readings: an offer id belongs to one publisher account (SAS-2); a draft keeps the data of pages that do not
// apply at the moment (SAS-5); the draft's tag changes with the draft only, so a running submission never makes
// a client's tag stale (CPP-12); the standard contract is what an offer without terms of its own is sold under
// (SAS-17); contacts and screenshots may be missing, but not by half; the stop of a plan waits in the draft, as its
// member "stopped" (PUB-51); a copy between a test offer and its production offer leaves plans that only the target
// has (SAS-59); a registration that a publisher has noted and uses no longer may be noted by another (SAS-30); prices of
// meters by market that a page or plan brings along must be those that it has (MTR-16); a plan of an Azure application
// that does not say its type may be metered (MTR-2), and one whose offer names no application at all reports by the
// identities of its managed applications (MTR-7).
package offer
