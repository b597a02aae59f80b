package host

import "syscall"

// dieWithParent lets the kernel end the handler when the host is killed, and keeps a Ctrl-C on the
// console away from it: the host decides when it ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
