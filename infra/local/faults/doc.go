// Package faults does harm between a program and its storage and bus: it refuses, delays, loses answers, and kills,
// at operations a plan chooses.
//
// One Script counts the operations of everything that shares it, storage and bus alike, in the order in which they
// arrive, and asks its Plan what is to happen to each. Storage is an HTTP proxy before the Blob and Table services,
// so that the unmodified handler binary can be harmed; Bus is a TCP proxy that reads AMQP frames, for which an
// operation is a delivery that the program sends (requests to $cbs and $management included); Script.Policy does the
// same to one SDK client of the own process.
//
// A bus has no answer "busy" that every client knows, so refusing there means that the connection is closed before
// the delivery has arrived. The proxies are for loopback: they speak no TLS and check nothing. Everything is safe
// for concurrent use.
package faults
