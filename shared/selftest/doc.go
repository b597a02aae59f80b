// Package selftest runs the certification tests of virtual machine images against a machine that was started from
// one, and reports their verdicts (VMO-90 to VMO-97, VMO-102 to VMO-105).
//
// A run logs on to the machine, asks it with one command per fact, judges the answers and leaves. Nothing of a run is
// kept: the report goes to the caller, the password and the private key live as long as the run (VMO-102), and
// publishing never asks whether there was one (VMO-105). What the machine answers is foreign: it is compared and
// quoted, never obeyed. How a machine is reached is the business of a Dialer.
//
// Readings: a test whose fact the machine does not tell is decided like one that is not met. A root partition is a
// file system of the system on the disk of /, outside of /boot: a single one is recommended, and one that lies on
// another disk is data. The kernel line of a release applies that is of the running kernel's series, else the nearest
// below it, else the lowest. At most so many runs of a directory go on at once in one process, not in all together.
//
// A Service is safe for concurrent use.
package selftest
