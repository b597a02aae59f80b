// Package subscription is the purchased SaaS resource: its life from purchase to unsubscribe, its operations and
// what publishers are told about it (FUL).
package subscription
