// Package identity is the local stack's stand-in for the directory: it issues real RS256 access tokens for the
// people and applications of fixtures.json, from the endpoints and with the claims and errors of Entra ID
// (FUL-1, MTR-26, MTR-27, MTR-29, SUB-2).
//
// What it does not do: no sign-in pages, no authorization code, device code, on-behalf-of or refresh grant, no
// id tokens, no consent, no multi-factor or conditional access, no client certificates or assertions, no Graph
// API, no directory roles beyond those listed, no multi-tenant applications, no throttling, no https. The
// managed-identity endpoint gives a token to anyone who names a resource. It listens on loopback only; its
// secrets are printed in this folder. It must never face a network.
//
// It imports nothing of the verifier that stands opposite to it. An Issuer and a Server are safe for concurrent
// use.
package identity
