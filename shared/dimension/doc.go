// Package dimension decides what may be metered: the dimensions of an offer, their meters on its plans with prices
// and included quantities, and what of them is fixed once it was live (rules MTR-1 to MTR-5, MTR-7, MTR-9 to
// MTR-19). Where a metered offer is sold (MTR-6) is a matter of package offer.
//
// An Offer holds all that these rules look at of an offer. Its methods change it or refuse and leave it as it was;
// Findings says what still stands against publishing it; CheckLocks compares any draft with what has been live, of
// which a Lock says whether it is the same and not what it was: an offer may have hundreds of thousands of prices. The
// prices of a meter in a market's currency are the price in USD converted when it was saved, or come from an imported
// price workbook, and never move with the rates. The package stores nothing and calls nobody; values of Offer are not
// safe for concurrent use.
//
// Readings: published is what has been live once, so what only the preview shows can be edited (MTR-12). A dimension
// that a plan says nothing about is not enabled there. An included quantity of a term that the plan does not sell is
// refused as soon as the plan sells any, and by Findings at the latest. A price of 0 is a price. Where every term is
// infinite there is no price. A row of a workbook that says what is so already imports nothing, so exporting and
// importing again changes nothing. The price of a market that a published plan gained later may still be given. The ID
// "prices" is taken: it is the workbook's name in the paths of the portal.
package dimension
