// Package draft edits the dimensions and plan meters of an offer's draft (rules MTR-1 to MTR-19).
//
// The rules are package dimension's, the draft and its optimistic lock are package offer's: Service reads an offer,
// lets the rules change it and has it saved. What has been live is what offer.Published knows. Safe for concurrent use.
package draft
