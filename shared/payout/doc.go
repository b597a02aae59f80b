// Package payout pays publishers once a month: it opens the month's run, puts what is payable into one payment
// order per publisher, writes the statement and hands the order to the rail (PAY-1, PAY-4 to PAY-7, PAY-20 to
// PAY-31, PAY-43).
//
// A run lists its publishers page by page: how far it came is written down in the act that queues the next page, so
// that a crash neither leaves out a publisher nor begins anew. An item reads, posts and writes a page of lines at a
// time, however many there are. A run and an item may be worked on again at any time, after a crash or by a second message: the set of lines of
// an item is fixed before the first posting (PAY-28), pages are posted once, and what is final stays as it is.
// Dates are those of payout-schedule.json, the threshold that of payout-thresholds.json. Safe for concurrent use.
//
// Readings: until publishers have payout and tax profiles, everyone is paid in USD, nothing is withheld, and the
// gates that look at profiles are open. The rail takes every order at once; an order goes out at its send date, by
// a message that waits for it, or when its item is worked on later. A page holds 45 lines, because a transaction of the store has 100 operations
// and a line needs two.
package payout
