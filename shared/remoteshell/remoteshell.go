// Package remoteshell logs on to machines and runs commands there: by SSH, and on Windows by WinRM over HTTPS. It is
// the way out of package selftest (VMO-102, VMO-104).
//
// A name is resolved once, every address it has must be allowed, and the connection goes to such an address and to
// nothing else. Any host key and any certificate is accepted: a machine was started a moment ago from an image, and
// nobody can know them. On Linux commands run with sudo where the user is not root. Nothing is kept or logged, and no
// error repeats what the other side said, which may be the password (VMO-102). The key in a request for a Windows
// machine means SSH, whichever the port.
//
// A Dialer is safe for concurrent use, a machine is not.
package remoteshell

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"stoa/shared/selftest"
)

// Options of a Dialer.
type Options struct {
	// Allowed says which addresses a machine may have; required.
	Allowed func(netip.Addr) bool
	// Lookup finds the addresses of a name; nil asks the system.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Dialer logs on to machines.
type Dialer struct{ options Options }

var _ selftest.Dialer = (*Dialer)(nil)

// New makes a dialer.
func New(o Options) (*Dialer, error) {
	if o.Allowed == nil {
		return nil, errors.New("remoteshell: Allowed is required")
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return &Dialer{o}, nil
}

const sshPort = 22

// Dial implements selftest.Dialer.
func (d *Dialer) Dial(ctx context.Context, t selftest.Target) (selftest.Machine, error) {
	addresses, err := d.resolve(ctx, t.Host)
	if err != nil {
		return nil, err
	}
	connect := func(ctx context.Context) (net.Conn, error) { return connect(ctx, addresses, t) }
	if t.OS == selftest.Windows && !t.Secret.Key() && t.Port != sshPort {
		return dialWinRM(ctx, connect, t)
	}
	return dialSSH(ctx, connect, t)
}

// resolve finds the addresses of a host and refuses it when one of them is not allowed (VMO-104).
func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addresses, err := d.options.Lookup(ctx, host)
	if err != nil || len(addresses) == 0 {
		return nil, selftest.Unreachable("%s has no address in the domain name system", host)
	}
	for i, a := range addresses {
		addresses[i] = a.Unmap()
		if !d.options.Allowed(addresses[i]) {
			return nil, selftest.BadArgument("DNSName", "must be a name on the public internet: %s leads to another address", host)
		}
	}
	return addresses, nil
}

// connect opens a connection to the first address that takes one.
func connect(ctx context.Context, addresses []netip.Addr, t selftest.Target) (net.Conn, error) {
	var last error
	for _, a := range addresses {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(a, t.Port).String())
		if err == nil {
			return conn, nil
		}
		last = err
	}
	if errors.Is(last, syscall.ECONNREFUSED) {
		return nil, selftest.Unreachable("%s refuses connections to port %d", t.Host, t.Port)
	}
	return nil, selftest.Unreachable("%s does not answer on port %d", t.Host, t.Port)
}

// lost says that the machine went away.
func lost(t selftest.Target) error {
	return selftest.Unreachable("the connection to %s was lost", net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))))
}

// maxOutput is how much of a command's output is kept.
const maxOutput = 256 << 10

// output keeps the beginning of what is written to it.
type output struct{ kept []byte }

// Write implements io.Writer. It takes everything, so that the command goes on to its end.
func (o *output) Write(p []byte) (int, error) {
	o.kept = append(o.kept, p[:min(len(p), maxOutput-len(o.kept))]...)
	return len(p), nil
}
