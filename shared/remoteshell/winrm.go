package remoteshell

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/go-ntlmssp"

	"stoa/shared/fault"
	"stoa/shared/selftest"
)

const (
	maxEnvelope = 1 << 20 // bytes of an answer
	logOff      = 5 * time.Second
)

// overWinRM is a shell on a Windows machine.
type overWinRM struct {
	target    selftest.Target
	url       string
	transport *http.Transport
	basic     bool // the machine takes no NTLM: the password itself is sent, inside TLS
	shell     string
}

func dialWinRM(ctx context.Context, connect func(context.Context) (net.Conn, error), t selftest.Target) (selftest.Machine, error) {
	m := &overWinRM{target: t, url: "https://" + net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) + "/wsman", transport: &http.Transport{
		// No Proxy: a proxy would connect in our place.
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) },
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.Host, InsecureSkipVerify: true}, // self-signed by the machine
		// NTLM proves who speaks for a connection and not for a request, so there is one.
		MaxConnsPerHost: 1,
	}}
	made, err := m.say(ctx, message{
		action: actionCreate, options: [][2]string{{"WINRS_NOPROFILE", "TRUE"}, {"WINRS_CODEPAGE", "65001"}},
		body: `<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`,
	})
	if m.shell = made.shell(); err == nil && m.shell == "" {
		err = m.stranger()
	}
	if err != nil {
		m.transport.CloseIdleConnections()
		return nil, err
	}
	return m, nil
}

// stranger says that something else than WinRM answers.
func (m *overWinRM) stranger() error {
	return selftest.Unreachable("%s does not speak WinRM over HTTPS on port %d", m.target.Host, m.target.Port)
}

// Run implements selftest.Machine.
func (m *overWinRM) Run(ctx context.Context, command string) (selftest.Output, error) {
	line, _ := asPowerShell(command)
	begun, err := m.say(ctx, message{
		action: actionCommand, shell: m.shell, options: [][2]string{{"WINRS_CONSOLEMODE_STDIN", "TRUE"}, {"WINRS_SKIP_CMD_SHELL", "FALSE"}},
		body: `<rsp:CommandLine><rsp:Command>` + escape(line) + `</rsp:Command></rsp:CommandLine>`,
	})
	if err != nil {
		return selftest.Output{}, err
	}
	if begun.CommandID == "" {
		return selftest.Output{}, m.stranger()
	}
	id := escape(begun.CommandID)
	out, err := m.receive(ctx, id)
	if err != nil {
		return selftest.Output{}, err
	}
	// The command has ended; the signal lets the machine forget it.
	_, err = m.say(ctx, message{
		action: actionSignal, shell: m.shell, body: `<rsp:Signal CommandId="` + id + `"><rsp:Code>` + signalEnd + `</rsp:Code></rsp:Signal>`,
	})
	return out, err
}

// receive reads what a command writes until it has ended.
func (m *overWinRM) receive(ctx context.Context, id string) (selftest.Output, error) {
	out := &output{}
	for {
		part, err := m.say(ctx, message{
			action: actionReceive, shell: m.shell, body: `<rsp:Receive><rsp:DesiredStream CommandId="` + id + `">stdout stderr</rsp:DesiredStream></rsp:Receive>`,
		})
		if err != nil {
			return selftest.Output{}, err
		}
		for _, s := range part.Streams {
			text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Text))
			if err != nil {
				return selftest.Output{}, m.stranger()
			}
			if s.Name == "stdout" {
				_, _ = out.Write(text) // takes everything
			}
		}
		if part.State.State == stateDone {
			return selftest.Output{Text: string(out.kept), Code: part.State.Code}, nil
		}
	}
}

// say sends a request and reads the answer. A fault that only says that there is nothing to receive yet is an empty
// answer.
func (m *overWinRM) say(ctx context.Context, q message) (answer, error) {
	status, body, err := m.post(ctx, q.envelope(m.url))
	var a answer
	switch {
	case err != nil:
		return a, err
	case status == http.StatusUnauthorized:
		return a, selftest.AccessDenied("%s refuses the user or the password", m.target.Host)
	case status == http.StatusForbidden:
		return a, m.denied()
	case xml.Unmarshal(body, &a) != nil:
		return answer{}, m.stranger()
	case a.Fault == nil && status == http.StatusOK, a.Fault != nil && a.Fault.Detail.Code == faultTimeout:
		return a, nil
	case a.Fault == nil:
		return answer{}, m.stranger()
	case a.Fault.Detail.Code == faultDenied:
		return answer{}, m.denied()
	}
	return answer{}, selftest.AccessDenied("%s lets the user in and refuses commands", m.target.Host)
}

func (m *overWinRM) denied() error {
	return selftest.AccessDenied("the user may not run commands on %s: it must be an administrator", m.target.Host)
}

// post proves who speaks by NTLM, and by the password itself where the machine takes nothing else.
func (m *overWinRM) post(ctx context.Context, envelope string) (int, []byte, error) {
	status, header, body, err := m.try(ctx, envelope)
	if err == nil && status == http.StatusUnauthorized && !m.basic && offersBasic(header) {
		m.basic = true
		status, _, body, err = m.try(ctx, envelope)
	}
	return status, body, err
}

func offersBasic(header http.Header) bool {
	for _, offer := range header.Values("Www-Authenticate") {
		if scheme, _, _ := strings.Cut(offer, " "); strings.EqualFold(scheme, "Basic") {
			return true
		}
	}
	return false
}

func (m *overWinRM) try(ctx context.Context, envelope string) (int, http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, strings.NewReader(envelope))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("ask %s: %w", m.target.Host, err)
	}
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	r.SetBasicAuth(m.target.User, m.target.Secret.Reveal())
	var by http.RoundTripper = whole{m.transport}
	if !m.basic {
		by = ntlmssp.Negotiator{RoundTripper: by}
	}
	// A round trip follows no redirects.
	response, err := by.RoundTrip(r)
	if err != nil {
		return 0, nil, nil, m.failed(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if ctx.Err() != nil {
		err = ctx.Err() // the negotiation hides it
	}
	if err != nil {
		return 0, nil, nil, m.failed(ctx, err)
	}
	return response.StatusCode, response.Header, body, nil
}

// failed says why there was no answer.
func (m *overWinRM) failed(ctx context.Context, err error) error {
	var known *fault.Error
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return selftest.Unreachable("%s did not answer in time on port %d", m.target.Host, m.target.Port)
	case errors.As(err, &notTLS):
		return m.stranger()
	}
	return lost(m.target)
}

// Close implements selftest.Machine.
func (m *overWinRM) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), logOff)
	defer cancel()
	defer m.transport.CloseIdleConnections()
	_, err := m.say(ctx, message{action: actionDelete, shell: m.shell})
	return err
}

// whole reads every answer to its end before anybody looks at it, so that its connection is free for the next step of
// a negotiation.
type whole struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxEnvelope+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxEnvelope {
		return nil, errors.New("the answer is too long")
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
