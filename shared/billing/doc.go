// Package billing turns what happens into money: charge lines, their fee and share, and the double-entry ledger
// under both (BIL-1 to BIL-54, BIL-60 to BIL-65, BIL-90 to BIL-100, PAY-1 to PAY-10).
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
// A renewal, and a trial's conversion, is a request whose answer decides: RequestTerm captures, tells the subscription,
// and the term begins or the subscription is suspended (BIL-36 to BIL-45). What is not paid stays in the Collection of
// its subscription and is asked for again on a schedule (BIL-61); money for terms that wait for their Reinstate is
// customer credit until they begin, and goes back when they never do (BIL-100). An attempt is written before the
// Instrument is called under its number, and its outcome after it. A change inside a term takes the open segment back
// and charges the days before and after it, as one batch (BIL-46); Preview shows it by the same code (BIL-54).
//
// Readings: a billing account is the directory of the purchaser, paying by card; a first charge is captured when it
// is firm (BIL-34). End-customer tax is not charged yet. Customer credit is kept for each publisher, in whose journal it
// came up, so that no batch spans two journals. An attempt is for what is new, or for all that is due; a first charge
// or usage that is declined suspends as a renewal does, the difference of a change does not (BIL-49). Usage is not
// summed up as it arrives: the rows of accepted usage are the truth and the close of a cycle adds them up, so that a
// repeated or late message cannot change a sum. A month in which nothing was used has no cycle, and opens when late
// usage asks for it; late usage that a closed cycle has not counted is charged in the next one, at the price of its
// month (BIL-25). Whether a cancellation was inside the free window is the subscription's word (Waived); where it is
// not given, the window is counted here. The hash chain is that of the entries of an account, month and currency, which are written one
// behind the other anyway (BIL-98).
package billing
