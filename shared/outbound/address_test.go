package outbound

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"8.8.8.8":              true,
		"9.255.255.255":        true,
		"10.0.0.0":             false,
		"10.255.255.255":       false,
		"11.0.0.0":             true,
		"100.63.255.255":       true,
		"100.64.0.0":           false,
		"100.127.255.255":      false,
		"100.128.0.0":          true,
		"127.0.0.1":            false,
		"127.255.255.255":      false,
		"168.63.129.15":        true,
		"168.63.129.16":        false,
		"169.253.255.255":      true,
		"169.254.169.254":      false,
		"172.15.255.255":       true,
		"172.16.0.0":           false,
		"172.31.255.255":       false,
		"172.32.0.0":           true,
		"192.168.0.1":          false,
		"192.169.0.0":          true,
		"0.0.0.0":              false,
		"0.1.2.3":              false,
		"198.18.0.1":           false,
		"224.0.0.1":            false,
		"239.255.255.255":      false,
		"240.0.0.1":            false,
		"255.255.255.255":      false,
		"2606:4700::1111":      true,
		"::":                   false,
		"::1":                  false,
		"::ffff:8.8.8.8":       false,
		"::ffff:127.0.0.1":     false,
		"::127.0.0.1":          false,
		"64:ff9b::7f00:1":      false,
		"64:ff9b::808:808":     false,
		"64:ff9b:1::1":         false,
		"2001::1":              false,
		"2001:db8::1":          false,
		"2001:4860:4860::8888": true,
		"2002:7f00:1::":        false,
		"3fff::1":              false,
		"fc00::1":              false,
		"fd00:ec2::254":        false,
		"fe80::1":              false,
		"fe80::1%eth0":         false,
		"2606:4700::1111%eth0": false,
		"fec0::1":              false,
		"ff02::1":              false,
		"100::1":               false,
	} {
		require.Equal(t, want, public(netip.MustParseAddr(text)), text)
	}
}
