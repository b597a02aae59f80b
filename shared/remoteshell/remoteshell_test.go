package remoteshell_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/remoteshell"
	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

const (
	host     = "myvm.westus.cloudapp.azure.com"
	password = "SomePasswordHere!1"
)

// loopback leads every name to this machine.
func loopback(t *testing.T) *remoteshell.Dialer {
	t.Helper()
	return dialer(t, netip.Addr.IsLoopback, "127.0.0.1")
}

func dialer(t *testing.T, allowed func(netip.Addr) bool, addresses ...string) *remoteshell.Dialer {
	t.Helper()
	d, err := remoteshell.New(remoteshell.Options{Allowed: allowed, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		var all []netip.Addr
		for _, a := range addresses {
			all = append(all, netip.MustParseAddr(a))
		}
		if len(all) == 0 {
			return nil, errors.New("no such host")
		}
		return all, nil
	}})
	require.NoError(t, err)
	return d
}

func target(port uint16, secret string) selftest.Target {
	return selftest.Target{Host: host, Port: port, OS: selftest.Linux, User: "azureuser", Secret: selftest.NewSecret(secret)}
}

// report runs the whole self-test over the dialer.
func report(t *testing.T, d selftest.Dialer, to selftest.Target) (selftest.Report, error) {
	t.Helper()
	s, err := selftest.New(selftest.Deps{
		Machines: d, NewID: func() string { return "id" }, Now: func() time.Time { return time.Date(2020, 9, 8, 1, 13, 47, 0, time.UTC) },
	})
	require.NoError(t, err)
	out, err := s.Run(t.Context(), account.Caller{TenantID: "t", AppID: "a"}, selftest.Form{
		DNSName: to.Host, UserName: to.User, Password: to.Secret.Reveal(), OS: string(to.OS), PortNo: strconv.Itoa(int(to.Port)),
		CompanyName: "Contoso", AppID: "a", TenantID: "t",
	})
	if err != nil {
		return selftest.Report{}, err
	}
	var r selftest.Report
	require.NoError(t, json.Unmarshal([]byte(out.Response), &r))
	return r, nil
}

func TestLinuxOverSSH(t *testing.T) {
	t.Parallel()
	key, known := newKey(t, "")
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	oldKnown, err := ssh.NewPublicKey(&old.PublicKey)
	require.NoError(t, err)
	oldKey := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(old)}))
	sample, err := os.ReadFile("../selftest/testdata/sample.json")
	require.NoError(t, err)
	var want selftest.Report
	require.NoError(t, json.Unmarshal(sample, &want))
	for name, row := range map[string]struct {
		machine sshMachine
		secret  string
	}{
		"root by password":               {sshMachine{password: password}, password},
		"password by asking":             {sshMachine{password: password, asks: true}, password},
		"key":                            {sshMachine{key: known}, key},
		"key of the contract's form":     {sshMachine{key: oldKnown}, oldKey},
		"sudo without a password":        {sshMachine{key: known, sudo: "nopasswd"}, key},
		"sudo with the user's password":  {sshMachine{password: password, sudo: "password"}, password},
		"sudo without, user by password": {sshMachine{password: password, sudo: "nopasswd"}, password},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.machine.table = selftesttest.Ubuntu()
			got, err := report(t, loopback(t), target(row.machine.serve(t), row.secret))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestFailingMachineOverSSH(t *testing.T) {
	t.Parallel()
	m := sshMachine{password: password, table: selftesttest.Ubuntu().With("waagent --version", "WALinuxAgent-2.2.9\n").With("openssl version", "")}
	got, err := report(t, loopback(t), target(m.serve(t), password))
	require.NoError(t, err)
	require.Equal(t, "Fail", got.TestResult)
	require.Equal(t, selftest.Failed, got.Tests[1].Result)
	require.Equal(t, "2.2.9", got.Tests[1].ActualValue)
	require.Equal(t, selftest.Failed, got.Tests[5].Result)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	key, known := newKey(t, "")
	locked, _ := newKey(t, "secret of the key")
	otherKey, _ := newKey(t, "")
	closed := func() uint16 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return uint16(l.Addr().(*net.TCPAddr).Port)
	}()
	ubuntu := selftesttest.Ubuntu()
	for name, row := range map[string]struct {
		port    uint16
		machine *sshMachine
		secret  string
		code    string
	}{
		"wrong password":               {machine: &sshMachine{password: "another"}, secret: password, code: "VmAccessDenied"},
		"wrong password, asked":        {machine: &sshMachine{password: "another", asks: true}, secret: password, code: "VmAccessDenied"},
		"wrong key":                    {machine: &sshMachine{key: known}, secret: otherKey, code: "VmAccessDenied"},
		"password where keys are":      {machine: &sshMachine{key: known}, secret: password, code: "VmAccessDenied"},
		"no rights":                    {machine: &sshMachine{password: password, sudo: "none"}, secret: password, code: "VmAccessDenied"},
		"no rights without a password": {machine: &sshMachine{key: known, sudo: "password"}, secret: key, code: "VmAccessDenied"},
		"no commands":                  {machine: &sshMachine{password: password, refuses: true}, secret: password, code: "VmAccessDenied"},
		"gone":                         {machine: &sshMachine{password: password, hangsUp: "uname -m"}, secret: password, code: "VmUnreachable"},
		"key with a passphrase":        {machine: &sshMachine{key: known}, secret: locked, code: "BadArgument"},
		"no key":                       {machine: &sshMachine{key: known}, secret: "-----BEGIN RSA PRIVATE KEY-----\n\n-----END RSA PRIVATE KEY-----", code: "BadArgument"},
		"closed port":                  {port: closed, secret: password, code: "VmUnreachable"},
		"not SSH":                      {port: listen(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), secret: password, code: "VmUnreachable"},
		"hangs up at once":             {port: listen(t, func(net.Conn) {}), secret: password, code: "VmUnreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := row.port
			if row.machine != nil {
				row.machine.table = ubuntu
				port = row.machine.serve(t)
			}
			_, err := report(t, loopback(t), target(port, row.secret))
			require.Error(t, err)
			require.Equal(t, row.code, fault.As(err).Code, "%v", err)
			require.NotContains(t, err.Error(), row.secret, "VMO-102")
		})
	}
}

// A machine that takes the connection and then says nothing holds nobody longer than the time allows.
func TestSilence(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<20)); select {} })
	stalls := &sshMachine{password: password, table: selftesttest.Ubuntu(), stalls: "uname -m"}
	stalled := stalls.serve(t)
	for name, row := range map[string]struct {
		port uint16
		os   selftest.OS
		code string
	}{
		"SSH":       {silent, selftest.Linux, "VmUnreachable"},
		"WinRM":     {silent, selftest.Windows, "VmUnreachable"},
		"a command": {stalled, selftest.Linux, "SelfTestTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := selftest.Limits{PerTenant: 5, Connect: 200 * time.Millisecond, Run: time.Minute}
			if row.code == "SelfTestTimeout" {
				limits = selftest.Limits{PerTenant: 5, Connect: time.Minute, Run: 2 * time.Second}
			}
			s, err := selftest.New(selftest.Deps{Machines: loopback(t), Now: time.Now, NewID: func() string { return "" }, Limits: limits})
			require.NoError(t, err)
			_, err = s.Run(t.Context(), account.Caller{TenantID: "t", AppID: "a"}, selftest.Form{
				DNSName: host, UserName: "u", Password: password, OS: string(row.os), PortNo: strconv.Itoa(int(row.port)), CompanyName: "c", AppID: "a", TenantID: "t",
			})
			require.Equal(t, row.code, fault.As(err).Code, "%v", err)
		})
	}
}

// VMO-104: a name leads to public addresses and to nothing else.
func TestVMO104Addresses(t *testing.T) {
	t.Parallel()
	m := &sshMachine{password: password, table: selftesttest.Ubuntu()}
	port := m.serve(t)
	public := func(a netip.Addr) bool { return !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.Is4In6() }
	for name, row := range map[string]struct {
		addresses []string
		code      string
	}{
		"VMO-104 allowed":                      {[]string{"127.0.0.1"}, ""},
		"VMO-104 IPv4 written as IPv6":         {[]string{"::ffff:127.0.0.1"}, ""},
		"VMO-104 private":                      {[]string{"10.0.0.4"}, "BadArgument"},
		"VMO-104 private, written as IPv6":     {[]string{"::ffff:10.0.0.4"}, "BadArgument"},
		"VMO-104 where machines ask the cloud": {[]string{"169.254.169.254"}, "BadArgument"},
		"VMO-104 one of two":                   {[]string{"127.0.0.1", "192.168.0.1"}, "BadArgument"},
		"no address":                           {nil, "VmUnreachable"},
		"the second address answers":           {[]string{"::1", "127.0.0.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, family := range []selftest.OS{selftest.Linux, selftest.Windows} {
				to := target(port, password)
				to.OS = family
				got, err := dialer(t, public, row.addresses...).Dial(t.Context(), to)
				if row.code == "" {
					if family == selftest.Linux {
						require.NoError(t, err)
						require.NoError(t, got.Close())
					}
					continue
				}
				require.Equal(t, row.code, fault.As(err).Code, "%v", err)
				require.Equal(t, "DNSName", fault.As(err).Target)
				require.Nil(t, got)
			}
		})
	}
	_, err := remoteshell.New(remoteshell.Options{})
	require.Error(t, err, "nothing is allowed unless somebody says so")
}

func TestSystemsResolver(t *testing.T) {
	t.Parallel()
	m := &sshMachine{password: password, table: selftesttest.Ubuntu()}
	d, err := remoteshell.New(remoteshell.Options{Allowed: netip.Addr.IsLoopback})
	require.NoError(t, err)
	to := target(m.serve(t), password)
	to.Host = "localhost"
	machine, err := d.Dial(t.Context(), to)
	require.NoError(t, err)
	require.NoError(t, machine.Close())
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	table := selftesttest.Table{
		"id -u": {Text: "0\n"}, "false": {Code: 1}, "much": {Text: strings.Repeat("x", 300<<10)}, "it's": {Text: "quoted"},
	}
	m := &sshMachine{password: password, table: table}
	machine, err := loopback(t).Dial(t.Context(), target(m.serve(t), password))
	require.NoError(t, err)
	out, err := machine.Run(t.Context(), "false")
	require.NoError(t, err)
	require.Equal(t, selftest.Output{Code: 1}, out)
	out, err = machine.Run(t.Context(), "much")
	require.NoError(t, err)
	require.Len(t, out.Text, 256<<10)
	out, err = machine.Run(t.Context(), "unknown")
	require.NoError(t, err)
	require.Equal(t, 127, out.Code)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = machine.Run(ctx, "false")
	require.Error(t, err)
	require.NoError(t, machine.Close(), "a machine that is gone can be left")
}
