// Package functionshost speaks the Azure Functions host's custom-handler protocol, handler side (HST-1 to HST-28):
// readiness and draining, invocations, replies. It knows nothing of marketplaces.
//
// HTTP functions are forwarded to the handler as they are (HST-10 to HST-14) and go to the HTTP handler of the
// Mux. Every other trigger arrives as POST /<Function> with an envelope of doubly encoded values, which Decode
// reads. A trigger's error is a failed invocation: a queue message comes back, a blob is tried again. So
// delivery is at least once, and unordered; every trigger must bear a second run.
//
// Nothing is sent through output bindings (HST-10, HST-27): a reply is an empty JSON object.
package functionshost
