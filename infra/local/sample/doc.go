// Package sample is the local stack's sample publisher: a landing page, a webhook receiver, a lead receiver and
// the two workflows of a Logic App test drive, which record what they get and can be told to misbehave
// (FUL-18, FUL-26, FUL-75, TDR-84). A page at / shows what arrives, and has the controls.
//
// What it does not do: it verifies no signature, neither of webhooks nor of anything else; it activates a
// subscription only when the button of the landing page is pressed, and acknowledges an operation only while it is
// told to; it keeps nothing over a restart; it speaks http only. Everything it was sent, tokens included, can be
// read by whoever reaches its port. It listens on loopback only and must never face a network.
//
// A Server is safe for concurrent use.
package sample
