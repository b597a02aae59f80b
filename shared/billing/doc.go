// Package billing turns what happens into money: charge lines, their fee and share, and the double-entry ledger
// under both (BIL-1 to BIL-30, BIL-90 to BIL-96, PAY-1 to PAY-10).
//
// The postings of an event are those of posting-rules.json, interpreted; no event has code of its own. A charge
// line has one source key, from which its id is derived, and a content hash: the same charge again is nothing, a
// charge with other content under the same key is a Conflict that a person must look at (BIL-9, BIL-10). What
// belongs together is one Batch, which happens as a whole or not at all (BIL-94); the journal of batches is the
// truth, the rows by account are derived from it and can be derived again. Nothing is changed or deleted.
//
// Every operation may be repeated, late, and in any order; one that comes too early is Unavailable and comes
// back. Safe for concurrent use.
//
// Readings: a billing account is the directory of the purchaser, paying by card; every capture succeeds at once,
// when the line is firm (BIL-34). End-customer tax is not charged yet. Usage is not summed up as it arrives: the
// rows of accepted usage are the truth and the close of a cycle adds them up, so that a repeated or late message
// cannot change a sum. A month in which nothing was used has no cycle, and opens when late usage asks for it; late
// usage that a closed cycle has not counted is charged in the next one, at the price of its month (BIL-25). Whether
// a cancellation was inside the free window is the subscription's word (Waived); where it is not given, the window
// is counted here.
package billing
