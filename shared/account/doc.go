// Package account says who may do what in which publisher account (ACC-50 to ACC-57).
//
// A Caller comes from a verified token; a Publisher lists the applications and people that have been given
// access, each with roles; the roles' permissions are a table of package facts. Deny is the default: who is not
// listed, or holds no role that grants it, is refused. Marketplace staff are configured applications, not
// members of a publisher.
//
// The Service remembers publishers for a few seconds, so that a request path does not read the store each time;
// a withdrawn grant therefore lives on for as long at most. It never sees a token. Safe for concurrent use.
package account
