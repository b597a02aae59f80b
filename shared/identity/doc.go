// Package identity verifies the bearer tokens of callers and signs those of our own calls (FUL-2, FUL-3, MTR-28,
// CPP-4, SUB-4, FUL-81).
//
// A Verifier accepts an access token of Entra ID when an RS256 key that the authority publishes signed it, its
// issuer is that of its own directory (tid), its audience is one the route takes, it is neither expired nor early
// by more than the skew, and it names an application. It says who calls; what the caller may do is decided by
// package account and the domain. A token that fails is an Unauthenticated fault "InvalidToken" that names the claim
// or the part that failed, with what was expected and what was found in it; never the token. Only when no key has ever been fetched is the fault Unavailable:
// the token may be good, and nobody can tell.
//
// The first token fetches the keys, not the start of the process. A key id that is not known fetches again, at
// most once per Options.MinRefresh; with the authority away the known keys stay in use. Tokens that verified are
// remembered by their hash until they expire or their key is withdrawn.
//
// Verifier and Signer are safe for concurrent use.
package identity
