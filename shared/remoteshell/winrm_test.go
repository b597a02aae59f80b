package remoteshell_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

// winrmMachine is a Windows machine that answers from a table behind WinRM over HTTPS, in the published answers of
// WS-Management.
type winrmMachine struct {
	t         *testing.T
	table     selftesttest.Table
	user      string
	password  string // of Basic
	schemes   []string
	fault     string // the code of a fault that answers everything
	reason    string // of that fault
	status    int    // answers everything
	body      string // with the status
	hangsUpAt string // action

	mu       sync.Mutex
	proved   map[string]bool // connections
	commands map[string]string
	told     map[string]int
	deleted  int
	seen     []string // headers that prove who speaks
}

func (m *winrmMachine) serve(t *testing.T) uint16 {
	t.Helper()
	m.t, m.proved, m.commands, m.told = t, map[string]bool{}, map[string]string{}, map[string]int{}
	s := httptest.NewTLSServer(m)
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	n, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	return uint16(n)
}

// request is what of an envelope the machine looks at.
type request struct {
	Action   string `xml:"Header>Action"`
	Resource string `xml:"Header>ResourceURI"`
	Shell    string `xml:"Header>SelectorSet>Selector"`
	Command  string `xml:"Body>CommandLine>Command"`
	Receive  struct {
		ID string `xml:"CommandId,attr"`
	} `xml:"Body>Receive>DesiredStream"`
	Signal struct {
		ID   string `xml:"CommandId,attr"`
		Code string `xml:"Code"`
	} `xml:"Body>Signal"`
}

func (m *winrmMachine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/wsman" || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/soap+xml") {
		http.Error(w, "no", http.StatusNotFound)
		return
	}
	if !m.knows(w, r) {
		return
	}
	if m.status != 0 {
		w.WriteHeader(m.status)
		_, _ = io.WriteString(w, m.body)
		return
	}
	var q request
	if xml.Unmarshal(body, &q) != nil || q.Resource != "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	action := q.Action[strings.LastIndexByte(q.Action, '/')+1:]
	if action == m.hangsUpAt {
		panic(http.ErrAbortHandler)
	}
	if m.fault != "" {
		m.write(w, http.StatusInternalServerError, "fault.xml", "{{code}}", m.fault, "{{reason}}", m.reason)
		return
	}
	m.answer(w, action, q)
}

const (
	theShell   = "2D6534D0-6B12-40E3-B773-CBA26459CFA8"
	theCommand = "772B44DF-2EA2-4AA5-87D1-A07E1FAE7A4E"
)

func (m *winrmMachine) answer(w http.ResponseWriter, action string, q request) {
	if action != "Create" && q.Shell != theShell {
		m.t.Errorf("%s of the shell %q", action, q.Shell)
	}
	switch action {
	case "Create":
		m.write(w, 200, "created.xml")
	case "Command":
		m.commands[theCommand] = q.Command
		m.told[theCommand] = 0
		m.write(w, 200, "begun.xml")
	case "Receive":
		m.receive(w, q.Receive.ID)
	case "Signal":
		if q.Signal.ID != theCommand || !strings.HasSuffix(q.Signal.Code, "/signal/terminate") {
			m.t.Errorf("signal %+v", q.Signal)
		}
		m.write(w, 200, "empty.xml")
	case "Delete":
		m.deleted++
		m.write(w, 200, "empty.xml")
	default:
		http.Error(w, "no", http.StatusBadRequest)
	}
}

// receive tells first that there is nothing yet, then half of the output, then the rest and the code.
func (m *winrmMachine) receive(w http.ResponseWriter, id string) {
	out := m.table.Answer(plain(m.commands[id]))
	half := len(out.Text) / 2
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	m.told[id]++
	switch m.told[id] {
	case 1:
		m.write(w, http.StatusInternalServerError, "timeout.xml")
	case 2:
		m.write(w, 200, "running.xml", "{{stdout}}", encode(out.Text[:half]))
	default:
		m.write(w, 200, "done.xml", "{{stdout}}", encode(out.Text[half:]), "{{code}}", strconv.Itoa(out.Code))
	}
}

func (m *winrmMachine) write(w http.ResponseWriter, status int, file string, replace ...string) {
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		m.t.Error(err)
	}
	for i := 1; i < len(replace); i += 2 {
		replace[i] = html.EscapeString(replace[i])
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = strings.NewReplacer(replace...).WriteString(w, string(text))
}

// knows takes the password itself, or NTLM: the first message gets a challenge, the last one proves the connection.
func (m *winrmMachine) knows(w http.ResponseWriter, r *http.Request) bool {
	if m.proved[r.RemoteAddr] {
		return true
	}
	given := r.Header.Get("Authorization")
	m.seen = append(m.seen, given)
	scheme, text, _ := strings.Cut(given, " ")
	for _, s := range m.schemes {
		if !strings.EqualFold(s, scheme) {
			continue
		}
		if scheme == "Basic" {
			user, password, _ := r.BasicAuth()
			if user == m.user && password == m.password {
				return true
			}
			continue
		}
		token, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(token) < 12 || !strings.HasPrefix(string(token), "NTLMSSP\x00") {
			continue
		}
		switch binary.LittleEndian.Uint32(token[8:]) {
		case 1:
			w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(challenge()))
			w.WriteHeader(http.StatusUnauthorized)
			return false
		case 3:
			if m.password == "" || !strings.Contains(string(token), utf16LE(m.user)) {
				continue
			}
			m.proved[r.RemoteAddr] = true
			return true
		}
	}
	for _, s := range m.schemes {
		if s == "Basic" {
			s += ` realm="WSMAN"`
		}
		w.Header().Add("WWW-Authenticate", s)
	}
	http.Error(w, "who are you?", http.StatusUnauthorized)
	return false
}

func utf16LE(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// challenge is the second message of NTLM: the machine's name and a number to prove with.
func challenge() []byte {
	name := utf16LE("MYVM")
	info := func(id uint16, value string) []byte {
		b := binary.LittleEndian.AppendUint16(nil, id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		return append(b, value...)
	}
	targets := append(append(info(2, name), info(1, name)...), 0, 0, 0, 0)
	const head = 48
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	field := func(length, at int) {
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
		b = binary.LittleEndian.AppendUint32(b, uint32(at))
	}
	field(len(name), head)
	b = binary.LittleEndian.AppendUint32(b, 0xa2898205)           // Unicode, NTLM, extended security, target info, 128, 56
	b = append(b, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef) // the number
	b = append(b, make([]byte, 8)...)
	field(len(targets), head+len(name))
	return append(append(b, name...), targets...)
}

func windows(port uint16) selftest.Target {
	to := target(port, password)
	to.OS, to.User = selftest.Windows, "isv"
	return to
}

func TestWindowsOverWinRM(t *testing.T) {
	t.Parallel()
	for name, schemes := range map[string][]string{
		"NTLM": {"NTLM"}, "Negotiate": {"Negotiate"}, "the password where nothing else is taken": {"Basic"}, "NTLM before the password": {"Negotiate", "Basic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &winrmMachine{table: selftesttest.WindowsServer(), user: "isv", password: password, schemes: schemes}
			got, err := report(t, loopback(t), windows(m.serve(t)))
			require.NoError(t, err)
			require.Equal(t, "Microsoft Windows Server 2016 Datacenter", got.OSName)
			require.Equal(t, "Pass", got.TestResult)
			require.Len(t, got.Tests, 17)
			require.Equal(t, "isv", got.Tests[1].ActualValue)
			require.Equal(t, 1, m.deleted, "the shell is gone")
			for _, header := range m.seen {
				if schemes[0] != "Basic" {
					require.NotContains(t, header, "Basic")
				}
				require.NotContains(t, header, password)
			}
		})
	}
}

func TestFailingMachineOverWinRM(t *testing.T) {
	t.Parallel()
	m := &winrmMachine{user: "isv", password: password, schemes: []string{"NTLM"},
		table: selftesttest.WindowsServer().With("Get-WindowsFeature", "Hyper-V\r\n").WithOutput("ms_tcpip6", selftest.Output{Text: "Disabled", Code: 1})}
	got, err := report(t, loopback(t), windows(m.serve(t)))
	require.NoError(t, err)
	require.Equal(t, "Fail", got.TestResult)
	require.Equal(t, selftest.Failed, got.Tests[5].Result)
	require.Equal(t, "Not Found", got.Tests[3].ActualValue, "a command that failed tells nothing")
}

// A key in a request for a Windows machine, and the port of SSH, lead over SSH.
func TestWindowsOverSSH(t *testing.T) {
	t.Parallel()
	key, known := newKey(t, "")
	m := &sshMachine{key: known, table: selftesttest.WindowsServer(), sudo: "none"}
	to := windows(m.serve(t))
	to.Secret = selftest.NewSecret(key)
	got, err := report(t, loopback(t), to)
	require.NoError(t, err)
	require.Equal(t, "10.0.14393", got.OSVersion)
	require.Equal(t, "Pass", got.TestResult)
}

func TestWinRMRefusals(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		machine *winrmMachine
		code    string
	}{
		"wrong password, Basic": {&winrmMachine{user: "isv", password: "another", schemes: []string{"Basic"}}, "VmAccessDenied"},
		"wrong user, NTLM":      {&winrmMachine{user: "other", password: password, schemes: []string{"NTLM"}}, "VmAccessDenied"},
		"wrong both":            {&winrmMachine{user: "other", password: "x", schemes: []string{"Negotiate", "Basic"}}, "VmAccessDenied"},
		"only Kerberos":         {&winrmMachine{user: "isv", password: password, schemes: []string{"Kerberos"}}, "VmAccessDenied"},
		"no administrator": {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, fault: "5",
			reason: "Access is denied for " + password}, "VmAccessDenied"},
		"forbidden": {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 403}, "VmAccessDenied"},
		"too many shells": {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, fault: "2150859173",
			reason: password}, "VmAccessDenied"},
		"no WinRM":              {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 404, body: "<html>"}, "VmUnreachable"},
		"XML that says nothing": {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 200, body: "<a/>"}, "VmUnreachable"},
		"no XML":                {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 200, body: password}, "VmUnreachable"},
		"too much":              {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 200, body: strings.Repeat("x", 2<<20)}, "VmUnreachable"},
		"elsewhere":             {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, status: 302, body: ""}, "VmUnreachable"},
		"gone at a command":     {&winrmMachine{user: "isv", password: password, schemes: []string{"Basic"}, hangsUpAt: "Command"}, "VmUnreachable"},
		"gone at the output":    {&winrmMachine{user: "isv", password: password, schemes: []string{"NTLM"}, hangsUpAt: "Receive"}, "VmUnreachable"},
		"says nothing":          {&winrmMachine{user: "isv", password: password, schemes: []string{"NTLM"}}, "VmAccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := report(t, loopback(t), windows(row.machine.serve(t)))
			require.Equal(t, row.code, fault.As(err).Code, "%v", err)
			require.NotContains(t, err.Error(), password, "VMO-102: nothing of what the other side says is repeated")
		})
	}
	plainHTTP := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainHTTP.Close)
	_, text, _ := strings.Cut(strings.TrimPrefix(plainHTTP.URL, "http://"), ":")
	port, err := strconv.ParseUint(text, 10, 16)
	require.NoError(t, err)
	_, err = report(t, loopback(t), windows(uint16(port)))
	require.Equal(t, "VmUnreachable", fault.As(err).Code, "%v", err)
}
