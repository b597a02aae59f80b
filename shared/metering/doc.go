// Package metering accepts the usage that publishers report for their customers' resources, at most once per
// resource, dimension and hour, and reads it back (MTR-20 to MTR-62, MTR-86 to MTR-90).
//
// The Service checks every event in the order of 4.6 and answers each on its own; the texts are those of
// metering-statuses.json. A quantity is kept exactly as it was sent and never turned into a binary number. It
// prices nothing: what accepted usage costs is the business of package billing, which is told by a message for
// each resource. Safe for concurrent use.
//
// Readings: a resource that ended accepts usage from its active time only, so not from while it was suspended
// (MTR-42); the instant of activation counts from its whole second, because reporters seldom send fractions
// (MTR-43); an empty string is an absent member.
package metering
