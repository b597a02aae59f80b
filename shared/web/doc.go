// Package web is what all HTTP handlers of Stoa share: routing, request ids, bearer tokens, authorization, body
// decoding, paging tokens and the one log line of a request.
//
// An API is a path prefix with an error envelope of its own; a route without declared access does not mount.
// Every request passes, in this order: request ids (FUL-7), recovery of panics, the API's own check such as
// api-version (FUL-6), the token, the access of the route, the handler. A handler returns its error and never
// writes one. What a caller may do is decided by package account; nothing here knows a rule of an offer or a
// subscription. A Router is mounted once and then safe for concurrent use.
package web
