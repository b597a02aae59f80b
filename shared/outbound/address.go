package outbound

import (
	"fmt"
	"net/netip"
	"syscall"

	"stoa/shared/fault"
)

// refused are the blocks that are not the public internet: of RFC 6890 and its updates, and the addresses at which
// a cloud answers its own machines.
var refused = prefixes(
	"0.0.0.0/8",        // this network, unspecified
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host, public by number only
	"169.254.0.0/16",   // link-local, instance metadata among it
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"2001::/23",        // protocol assignments, Teredo among them
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4, which hides an IPv4 address
	"3fff::/20",        // documentation
)

// global is the only part of IPv6 that is the public internet. Outside it are unspecified, loopback, IPv4-mapped
// and -compatible, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), unique local, link-local and multicast addresses.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// public reports whether an address belongs to the public internet.
func public(addr netip.Addr) bool {
	if !addr.Is4() && (addr.Zone() != "" || !global.Contains(addr)) {
		return false
	}
	for _, p := range refused {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// Allowed says which addresses a call may go to: those of the public internet, and loopback in the local stack.
func Allowed(loopback bool) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return public(a) || loopback && a.IsLoopback() }
}

// guard decides at connect, when the name has become an address, whether the call may go there. Nothing between
// this check and the connection can exchange the address.
func guard(allowed func(netip.Addr) bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return notAllowed(fmt.Errorf("connect to %q: %w", address, err))
		}
		if !allowed(target.Addr()) {
			return notAllowed(fmt.Errorf("connect to %s", target.Addr()))
		}
		return nil
	}
}

func notAllowed(cause error) error {
	return fault.New(fault.Invalid, "AddressNotAllowed", "url", "must be an https address on the public internet").Because(cause)
}
