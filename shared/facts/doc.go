// Package facts holds the tables the rules are read from: embedded JSON files with typed look-ups, checked when
// the process starts.
//
// It decides nothing; a list that changes is changed here and not in code. Everything is read-only after start
// and safe for concurrent use.
package facts
