// Package metering accepts the usage that publishers report for their customers' resources, at most once per
// resource, dimension and hour, sums it up by day, reconciles it with the ledger and reads it back (MTR-20 to MTR-62,
// MTR-86 to MTR-90, MTR-93).
//
// The Service checks every event in the order of 4.6 and answers each on its own; the texts are those of
// metering-statuses.json. A quantity is kept exactly as it was sent and never turned into a binary number. What was
// accepted is announced: the Counter adds it to the daily sums, the Reconciliation compares those with what the
// ledger took. It prices nothing: what accepted usage costs is the business of package billing, which is told by a
// message for each resource. Safe for concurrent use.
//
// Resources are SaaS subscriptions and the managed applications that deployments have registered; the Directory finds
// both.
//
// Readings: a resource that ended accepts usage from its active time only, so not from while it was suspended
// (MTR-42); the instant of activation counts from its whole second, because reporters seldom send fractions
// (MTR-43); an empty string is an absent member; a leap second belongs to the hour it ends (MTR-40). A dry run has
// hours of its own, so that it neither takes one nor meets what is billed; usage of a resource that was registered
// for tests is TestHeaders, takes its hour, and is not billed (MTR-88). Reading back is of whole days and of the
// offers whose metering identity the caller is now, whoever reported (MTR-86); what was accepted is there once its
// announcement is worked off. Usage that the ledger did not take is Submitted for two days, then Rejected or, when it
// took a part, Mismatch; names are those of when it was processed (MTR-89).
package metering
