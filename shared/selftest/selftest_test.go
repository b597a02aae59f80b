package selftest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

const (
	tenant   = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	app      = "249ab54b-983d-4ed2-bafe-f4095b3f6f43"
	password = "SECURE_PASSWORD_FOR_THE_SSH_INTO_VM"
)

var caller = account.Caller{Kind: account.App, TenantID: tenant, AppID: app}

func form() selftest.Form {
	return selftest.Form{
		DNSName: "avvm1.eastus.cloudapp.azure.com", UserName: "azureuser", Password: password, OS: "Linux", PortNo: "22",
		CompanyName: "Contoso", AppID: app + " ", TenantID: tenant, // the published sample ends its AppId with a space
	}
}

func service(t *testing.T, d selftest.Dialer, l selftest.Limits) *selftest.Service {
	t.Helper()
	s, err := selftest.New(selftest.Deps{
		Machines: d, Limits: l, NewID: func() string { return "9bffc887-dd1d-40dd-a8a2-34cee4f4c4c3" },
		Now: func() time.Time { return time.Date(2020, 9, 8, 3, 13, 47, 0, time.FixedZone("", 2*3600)) },
	})
	require.NoError(t, err)
	return s
}

// run tests a machine that answers from the table.
func run(t *testing.T, table selftesttest.Table, family string) (selftest.Report, string) {
	t.Helper()
	f := form()
	f.OS = family
	dialer := &selftesttest.Dialer{Table: table}
	out, err := service(t, dialer, selftest.Limits{}).Run(t.Context(), caller, f)
	require.NoError(t, err)
	require.Zero(t, dialer.Open(), "nobody stays logged on")
	var r selftest.Report
	require.NoError(t, json.Unmarshal([]byte(out.Response), &r))
	return r, out.Response
}

func byID(t *testing.T, r selftest.Report, id string) selftest.Test {
	t.Helper()
	for _, test := range r.Tests {
		if test.TestID == id {
			return test
		}
	}
	t.Fatalf("no test %s", id)
	return selftest.Test{}
}

// VMO-91, VMO-93, VMO-94, VMO-96: the facts of the contract's sample give the contract's sample, letter by letter.
func TestSample(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/sample.json")
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, want))
	r, document := run(t, selftesttest.Ubuntu(), "Linux")
	require.Equal(t, compact.String(), document)
	require.Equal(t, "Pass", r.TestResult, "VMO-90: two warnings fail no run")
}

// Acceptance walk 7.
func TestOldAgentFails(t *testing.T) {
	t.Parallel()
	r, _ := run(t, selftesttest.Ubuntu().With("waagent --version", "WALinuxAgent-2.2.9 running on ubuntu 18.04\n"), "Linux")
	require.Equal(t, selftest.Failed, byID(t, r, "39").Result)
	require.Equal(t, "Fail", r.TestResult, "VMO-90")
}

func TestTheFormOfTheAnswer(t *testing.T) {
	t.Parallel()
	dialer := &selftesttest.Dialer{Table: selftesttest.Ubuntu()}
	out, err := service(t, dialer, selftest.Limits{}).Run(t.Context(), caller, form())
	require.NoError(t, err)
	wire, err := json.Marshal(out)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(wire, &members))
	require.Len(t, members, 2)
	require.Equal(t, "9bffc887-dd1d-40dd-a8a2-34cee4f4c4c3", members["TrackingId"])
	require.IsType(t, "", members["Response"], "a string that holds JSON")
	require.Equal(t, "avvm1.eastus.cloudapp.azure.com", dialer.Target().Host)
	require.EqualValues(t, 22, dialer.Target().Port)
}

func TestForm(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
	for name, row := range map[string]struct {
		change func(f *selftest.Form)
		target string // of the finding; empty is none
	}{
		"good":                                 {func(*selftest.Form) {}, ""},
		"VMO-104 closing dot":                  {func(f *selftest.Form) { f.DNSName = "MyVMName.Cloudapp.net." }, ""},
		"VMO-104 punycode, digits and hyphens": {func(f *selftest.Form) { f.DNSName = "xn--bcher-kva.4-you.example" }, ""},
		"VMO-104 label of 63":                  {func(f *selftest.Form) { f.DNSName = long(63) + ".net" }, ""},
		"VMO-104 label of 64":                  {func(f *selftest.Form) { f.DNSName = long(64) + ".net" }, "DNSName"},
		"VMO-104 missing":                      {func(f *selftest.Form) { f.DNSName = "" }, "DNSName"},
		"VMO-104 no domain":                    {func(f *selftest.Form) { f.DNSName = "myvm" }, "DNSName"},
		"VMO-104 IPv4":                         {func(f *selftest.Form) { f.DNSName = "40.112.72.205" }, "DNSName"},
		"VMO-104 IPv4, closing dot":            {func(f *selftest.Form) { f.DNSName = "40.112.72.205." }, "DNSName"},
		"VMO-104 IPv4 in two parts":            {func(f *selftest.Form) { f.DNSName = "127.1" }, "DNSName"},
		"VMO-104 IPv4 in hexadecimal":          {func(f *selftest.Form) { f.DNSName = "0x7f.0x1" }, "DNSName"},
		"VMO-104 IPv4 as one number":           {func(f *selftest.Form) { f.DNSName = "2130706433" }, "DNSName"},
		"VMO-104 IPv6":                         {func(f *selftest.Form) { f.DNSName = "2603:1030::1" }, "DNSName"},
		"VMO-104 IPv6 in brackets":             {func(f *selftest.Form) { f.DNSName = "[::1]" }, "DNSName"},
		"VMO-104 empty part":                   {func(f *selftest.Form) { f.DNSName = "my..net" }, "DNSName"},
		"VMO-104 hyphen at an end":             {func(f *selftest.Form) { f.DNSName = "my-.net" }, "DNSName"},
		"VMO-104 with a port":                  {func(f *selftest.Form) { f.DNSName = "my.net:22" }, "DNSName"},
		"VMO-104 an address of the web":        {func(f *selftest.Form) { f.DNSName = "https://my.net" }, "DNSName"},
		"VMO-104 too long":                     {func(f *selftest.Form) { f.DNSName = long(63) + "." + long(63) + "." + long(63) + "." + long(62) }, "DNSName"},
		"no user":                              {func(f *selftest.Form) { f.UserName = " " }, "UserName"},
		"user of 256":                          {func(f *selftest.Form) { f.UserName = long(256) }, ""},
		"user of 257":                          {func(f *selftest.Form) { f.UserName = long(257) }, "UserName"},
		"user with a line end":                 {func(f *selftest.Form) { f.UserName = "a\nb" }, "UserName"},
		"no password":                          {func(f *selftest.Form) { f.Password = "" }, "Password"},
		"password of two lines":                {func(f *selftest.Form) { f.Password = "a\nb" }, "Password"},
		"a key has lines":                      {func(f *selftest.Form) { f.Password = "-----BEGIN RSA PRIVATE KEY-----\nMII\n" }, ""},
		"key that is too long":                 {func(f *selftest.Form) { f.Password = "-----BEGIN RSA PRIVATE KEY-----\n" + long(16<<10) }, "Password"},
		"Windows":                              {func(f *selftest.Form) { f.OS, f.PortNo = "Windows", "5986" }, ""},
		"any case":                             {func(f *selftest.Form) { f.OS = "linux" }, ""},
		"another system":                       {func(f *selftest.Form) { f.OS = "BeOS" }, "OS"},
		"no system":                            {func(f *selftest.Form) { f.OS = "" }, "OS"},
		"highest port":                         {func(f *selftest.Form) { f.PortNo = "65535" }, ""},
		"a port too high":                      {func(f *selftest.Form) { f.PortNo = "65536" }, "PortNo"},
		"port 0":                               {func(f *selftest.Form) { f.PortNo = "0" }, "PortNo"},
		"port by name":                         {func(f *selftest.Form) { f.PortNo = "ssh" }, "PortNo"},
		"no port":                              {func(f *selftest.Form) { f.PortNo = "" }, "PortNo"},
		"no company":                           {func(f *selftest.Form) { f.CompanyName = "" }, "CompanyName"},
		"company too long":                     {func(f *selftest.Form) { f.CompanyName = long(257) }, "CompanyName"},
		"no application":                       {func(f *selftest.Form) { f.AppID = "" }, "AppId"},
		"no directory":                         {func(f *selftest.Form) { f.TenantID = "" }, "TenantId"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := form()
			row.change(&f)
			table := selftesttest.Ubuntu()
			if f.OS == "Windows" {
				table = selftesttest.WindowsServer()
			}
			_, err := service(t, &selftesttest.Dialer{Table: table}, selftest.Limits{}).Run(t.Context(), caller, f)
			if row.target == "" {
				require.NoError(t, err)
				return
			}
			got := fault.As(err)
			require.Equal(t, fault.Invalid, got.Kind)
			require.Equal(t, "BadArgument", got.Code)
			require.Equal(t, row.target, got.Target)
			require.Contains(t, got.Message, row.target, "the contract's error has no target")
		})
	}
}

func TestAllFindingsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := service(t, &selftesttest.Dialer{}, selftest.Limits{}).Run(t.Context(), caller, selftest.Form{})
	got := fault.As(err)
	require.Equal(t, "BadArgument", got.Code)
	require.Len(t, got.Details, 8)
	for _, d := range got.Details {
		require.Contains(t, got.Message, d.Target)
	}
}

func TestVMO103CallerIsWhoTheBodyNames(t *testing.T) {
	t.Parallel()
	const other = "11111111-1111-4111-8111-111111111111"
	for name, row := range map[string]struct {
		tenant, app, want string
	}{
		"VMO-103 same":                {tenant, app, ""},
		"VMO-103 in capitals":         {"72F988BF-86F1-41AF-91AB-2D7CD011DB47", app, ""},
		"VMO-103 another directory":   {other, app, "TenantId"},
		"VMO-103 another application": {tenant, other, "AppId"},
		"VMO-103 no GUID":             {tenant, "Contoso", "AppId"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := form()
			f.TenantID, f.AppID = row.tenant, row.app
			dialer := &selftesttest.Dialer{Table: selftesttest.Ubuntu()}
			_, err := service(t, dialer, selftest.Limits{}).Run(t.Context(), caller, f)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			got := fault.As(err)
			require.Equal(t, fault.Forbidden, got.Kind)
			require.Equal(t, "TenantOrAppMismatch", got.Code)
			require.Equal(t, row.want, got.Target)
			require.Empty(t, dialer.Target(), "nobody was called")
		})
	}
}

func TestFivePerDirectory(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	dialer := &selftesttest.Dialer{Table: selftesttest.Ubuntu(), Dials: func(context.Context, selftest.Target) error {
		inside <- struct{}{}
		<-leave
		return nil
	}}
	s := service(t, dialer, selftest.Limits{})
	done := make(chan error)
	start := func(c account.Caller) {
		f := form()
		f.TenantID = c.TenantID
		go func() { _, err := s.Run(t.Context(), c, f); done <- err }()
	}
	for range 5 {
		start(caller)
		<-inside
	}
	_, err := s.Run(t.Context(), caller, form())
	got := fault.As(err)
	require.Equal(t, fault.Throttled, got.Kind)
	require.Equal(t, "TooManyRuns", got.Code)
	require.Positive(t, got.RetryAfter)
	other := caller
	other.TenantID = "11111111-1111-4111-8111-111111111111"
	start(other)
	<-inside // another directory has its own
	close(leave)
	for range 6 {
		require.NoError(t, <-done)
	}
	start(caller)
	<-inside // the places are free again
	require.NoError(t, <-done)
}

func TestTimesAndRefusals(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	limits := selftest.Limits{PerTenant: 5, Connect: time.Minute, Run: time.Minute}
	short := 20 * time.Millisecond
	for name, row := range map[string]struct {
		dialer *selftesttest.Dialer
		limits selftest.Limits
		kind   fault.Kind
		code   string
	}{
		"no log-on in time": {&selftesttest.Dialer{Dials: func(ctx context.Context, _ selftest.Target) error { return wait(ctx) }},
			selftest.Limits{PerTenant: 5, Connect: short, Run: time.Minute}, fault.NotReady, "VmUnreachable"},
		"no report in time": {&selftesttest.Dialer{Runs: func(ctx context.Context, _ string) error { return wait(ctx) }},
			selftest.Limits{PerTenant: 5, Connect: time.Minute, Run: short}, fault.Unavailable, "SelfTestTimeout"},
		"no time left to log on": {&selftesttest.Dialer{Dials: func(ctx context.Context, _ selftest.Target) error { return wait(ctx) }},
			selftest.Limits{PerTenant: 5, Connect: time.Minute, Run: short}, fault.Unavailable, "SelfTestTimeout"},
		"refused": {&selftesttest.Dialer{Dials: func(context.Context, selftest.Target) error { return selftest.AccessDenied("no") }},
			limits, fault.NotReady, "VmAccessDenied"},
		"lost on the way": {&selftesttest.Dialer{Table: selftesttest.Ubuntu(), Runs: func(_ context.Context, c string) error {
			if c == "" || bytes.Contains([]byte(c), []byte("uname -m")) {
				return selftest.Unreachable("gone")
			}
			return nil
		}}, limits, fault.NotReady, "VmUnreachable"},
		"a shell that says nothing": {&selftesttest.Dialer{Table: selftesttest.Table{}}, limits, fault.NotReady, "VmAccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := service(t, row.dialer, row.limits).Run(t.Context(), caller, form())
			got := fault.As(err)
			require.Equal(t, row.kind, got.Kind, "%v", err)
			require.Equal(t, row.code, got.Code)
			require.Zero(t, row.dialer.Open())
		})
	}
	require.Equal(t, selftest.Limits{PerTenant: 5, Connect: time.Minute, Run: 200 * time.Second}, selftest.DefaultLimits)
}

// VMO-102: a machine that repeats the password in all it says does not bring it into the report.
func TestVMO102SecretIsInNoReport(t *testing.T) {
	t.Parallel()
	echo := selftesttest.Ubuntu()
	for part, out := range echo {
		echo[part] = selftest.Output{Text: out.Text + password + "\n"}
	}
	echo = echo.With("os-release", "NAME="+password+"\nID=x\nVERSION_ID="+password+"\nPRETTY_NAME="+password).
		With("/etc/waagent.conf", "AutoUpdate.Enabled="+password).With("ClientAliveInterval", "ClientAliveInterval "+password)
	_, document := run(t, echo, "Linux")
	require.NotContains(t, document, password)
	require.Contains(t, document, "***")
	windows := selftesttest.WindowsServer()
	for part, out := range windows {
		windows[part] = selftest.Output{Text: password + "\n" + out.Text + password}
	}
	_, document = run(t, windows, "Windows")
	require.NotContains(t, document, password)
}

// VMO-102: however a secret is printed, it does not show.
func TestVMO102SecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	target := selftest.Target{Host: "h", Secret: selftest.NewSecret(password)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "target", target, "secret", target.Secret, "pointer", &target)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "target", target, "secret", target.Secret, "pointer", &target)
	asJSON, err := json.Marshal(target)
	require.NoError(t, err)
	all := []string{log.String(), string(asJSON)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all = append(all, fmt.Sprintf(verb, target), fmt.Sprintf(verb, &target), fmt.Sprintf(verb, target.Secret))
	}
	for _, printed := range all {
		require.NotContains(t, printed, password)
		require.NotContains(t, printed, fmt.Sprintf("%x", password))
	}
	require.Equal(t, password, target.Secret.Reveal())
}

// VMO-105: publishing does not know that there are self-tests.
func TestVMO105PublishingDoesNotAsk(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"../publish", "../offer", "../packages"} {
		files, err := os.ReadDir(folder)
		require.NoError(t, err)
		for _, f := range files {
			if f.IsDir() {
				continue
			}
			source, err := os.ReadFile(folder + "/" + f.Name())
			require.NoError(t, err)
			require.NotContains(t, string(source), "stoa/shared/selftest", f.Name())
		}
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	_, err := selftest.New(selftest.Deps{})
	require.Error(t, err)
}
