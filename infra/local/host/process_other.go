//go:build !linux

package host

import "syscall"

// dieWithParent has no counterpart outside of Linux: a handler whose host was killed must be ended by hand.
func dieWithParent() *syscall.SysProcAttr { return nil }
