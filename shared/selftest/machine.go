package selftest

import (
	"context"

	"stoa/shared/fault"
)

// Dialer logs on to machines.
type Dialer interface {
	// Dial logs on. BadArgument when the host name leads to an address that is not public (VMO-104) or the private
	// key cannot be read; Unreachable; AccessDenied.
	Dial(ctx context.Context, t Target) (Machine, error)
}

// Target says where and as whom to log on.
type Target struct {
	Host   string // fully qualified, without a closing dot
	Port   uint16
	OS     OS
	User   string
	Secret Secret
}

// Machine is a machine that somebody is logged on to.
type Machine interface {
	// Run runs a command with the rights of an administrator: of the shell on Linux, of PowerShell on Windows. A
	// command that fails is no error. Unreachable when the connection is lost, AccessDenied without the rights.
	Run(ctx context.Context, command string) (Output, error)
	// Close logs off.
	Close() error
}

// Output is what a command said and how it ended.
type Output struct {
	Text string // standard output, shortened where there is too much of it
	Code int    // exit code
}

// The codes of a run's faults, as the contract has them.
const (
	CodeArgument    = "BadArgument"         // the request cannot be used
	CodeTimeout     = "SelfTestTimeout"     // the run took too long
	codeMismatch    = "TenantOrAppMismatch" // the token is another's
	codeUnreachable = "VmUnreachable"
	codeDenied      = "VmAccessDenied"
	codeTooMany     = "TooManyRuns"
)

// BadArgument says that a field of the request cannot be used.
func BadArgument(field, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, CodeArgument, field, field+" "+format, args...)
}

// Unreachable says that the machine does not answer.
func Unreachable(format string, args ...any) *fault.Error {
	return fault.New(fault.NotReady, codeUnreachable, "DNSName", format, args...)
}

// AccessDenied says that the machine answers and does not let the user in, or not do what the tests need.
func AccessDenied(format string, args ...any) *fault.Error {
	return fault.New(fault.NotReady, codeDenied, "UserName", format, args...)
}
