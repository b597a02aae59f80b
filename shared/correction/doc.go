// Package correction has a publisher's report of too much usage investigated, and gives the customer back what was
// charged for it (MTR-80 to MTR-85, BIL-27, BIL-69, BIL-70, BIL-73).
//
// A correction comes from an anomaly, and then is about a day of a customer, or from the publisher's own discovery,
// and then is about one usage event (MTR-82). Staff approve or decline it. What was reported stays as it is, here and
// everywhere (MTR-71, MTR-83); the same hour reported again is a duplicate still (MTR-84).
//
// The credit is the quantity that was too much, at the price, tax rate and fee of the charge line that it was charged
// in: a line of its own in the ledger, with the share taken from where it sits. A usage is corrected once: the claims
// on a day see to that, so that no two corrections together give back more than was charged. The amount is fixed in
// the correction, and taken off what is left of its charge line, before it is posted, so that a step that is done
// again posts the same.
//
// Work is done by messages of the queue usage-reviews. Every step may be repeated and come late. Safe for concurrent use.
//
// Readings: usage whose cycle is not closed yet is charged first and given back then (BIL-27), so a credit may wait
// for the end of the month. Customers pay by card (see package billing), so the money goes back at once. What is left
// of a line bounds what it gives back, to the cent: tax and fee follow in proportion, and the last correction of a
// whole line takes what is left of them.
package correction
