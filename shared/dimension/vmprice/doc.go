// Package vmprice decides what an hour of a usage-based virtual machine costs: the five ways to price a plan, and what
// happens to its prices when there is a new core size (rules MTR-91, MTR-92).
//
// A price per core, a flat rate and a price per core size are in USD and converted by the marketplace; prices per
// market and core size are in the market's currency and never converted. The package stores nothing and calls nobody;
// values are immutable, changes return new ones.
//
// Readings: a shared core costs a sixth of a core. A price is suggested at the price per core of the largest core size
// below that has one, else of the smallest above. A review is over 30 days after it began, at that instant already; a
// publisher's price that came before is published at once.
package vmprice
