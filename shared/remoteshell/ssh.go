package remoteshell

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"

	"stoa/shared/selftest"
)

// overSSH is a machine at the other end of an SSH connection.
type overSSH struct {
	target selftest.Target
	client *ssh.Client
	// wrap makes the line that is sent of a command, and what the line reads.
	wrap func(command string) (line, input string)
}

func dialSSH(ctx context.Context, connect func(context.Context) (net.Conn, error), t selftest.Target) (selftest.Machine, error) {
	methods, err := methodsOf(t.Secret)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	// From the exchange of keys on, what goes wrong is the log-on.
	var authenticating atomic.Bool
	config := &ssh.ClientConfig{User: t.User, Auth: methods, HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error {
		authenticating.Store(true)
		return nil
	}}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	session, channels, requests, err := ssh.NewClientConn(conn, t.Host, config)
	if !stop() || err != nil {
		_ = conn.Close()
		return nil, refusal(ctx, t, authenticating.Load())
	}
	m := &overSSH{target: t, client: ssh.NewClient(session, channels, requests), wrap: asPowerShell}
	if t.OS == selftest.Linux {
		if err := m.elevate(ctx); err != nil {
			_ = m.Close()
			return nil, err
		}
	}
	return m, nil
}

// refusal says why there was no log-on.
func refusal(ctx context.Context, t selftest.Target, authenticating bool) error {
	switch {
	case ctx.Err() != nil:
		return selftest.Unreachable("%s did not answer in time on port %d", t.Host, t.Port)
	case !authenticating:
		return selftest.Unreachable("%s does not speak SSH on port %d", t.Host, t.Port)
	case t.Secret.Key():
		return selftest.AccessDenied("%s refuses the user or the private key", t.Host)
	}
	return selftest.AccessDenied("%s refuses the user or the password", t.Host)
}

// methodsOf are the ways to prove who one is. Systems that ask by keyboard-interactive want the password as well.
func methodsOf(s selftest.Secret) ([]ssh.AuthMethod, error) {
	if !s.Key() {
		answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = s.Reveal()
			}
			return answers, nil
		}
		return []ssh.AuthMethod{ssh.Password(s.Reveal()), ssh.KeyboardInteractive(answer)}, nil
	}
	signer, err := ssh.ParsePrivateKey([]byte(s.Reveal()))
	if locked := (*ssh.PassphraseMissingError)(nil); errors.As(err, &locked) {
		return nil, selftest.BadArgument("Password", "is a private key with a passphrase: send one without")
	}
	if err != nil {
		return nil, selftest.BadArgument("Password", "looks like a private key and cannot be read as one: send the whole PEM text, with its line ends")
	}
	return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
}

// elevate finds out how commands get the rights of an administrator: the user has them, or sudo gives them, without
// a password or with the user's.
func (m *overSSH) elevate(ctx context.Context) error {
	m.wrap = func(command string) (string, string) { return "sh -c " + quote(command), "" }
	out, err := m.Run(ctx, "id -u")
	if err != nil || strings.TrimSpace(out.Text) == "0" {
		return err
	}
	m.wrap = func(command string) (string, string) { return "sudo -n sh -c " + quote(command), "" }
	if out, err = m.Run(ctx, "true"); err != nil || out.Code == 0 {
		return err
	}
	if !m.target.Secret.Key() {
		m.wrap = func(command string) (string, string) {
			return "sudo -S -p '' sh -c " + quote(command), m.target.Secret.Reveal() + "\n"
		}
		if out, err = m.Run(ctx, "true"); err != nil || out.Code == 0 {
			return err
		}
	}
	return selftest.AccessDenied("the user may not run commands as an administrator on %s: it must be root or be allowed to use sudo", m.target.Host)
}

// quote makes one word of a text for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// asPowerShell is the line that runs a command in PowerShell, whatever the shell that reads the line.
func asPowerShell(command string) (line, input string) {
	var text []byte
	for _, unit := range utf16.Encode([]rune(command)) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	return "powershell -NoProfile -NonInteractive -EncodedCommand " + base64.StdEncoding.EncodeToString(text), ""
}

// Run implements selftest.Machine.
func (m *overSSH) Run(ctx context.Context, command string) (selftest.Output, error) {
	stop := context.AfterFunc(ctx, func() { _ = m.client.Close() })
	defer stop()
	session, err := m.client.NewSession()
	if err != nil {
		return selftest.Output{}, m.failed(err)
	}
	defer session.Close()
	line, input := m.wrap(command)
	out := &output{}
	session.Stdin, session.Stdout = strings.NewReader(input), out
	if err := session.Start(line); err != nil {
		return selftest.Output{}, m.failed(err)
	}
	err = session.Wait()
	var ended *ssh.ExitError
	switch {
	case err == nil:
		return selftest.Output{Text: string(out.kept)}, nil
	case errors.As(err, &ended):
		return selftest.Output{Text: string(out.kept), Code: exitCode(ended)}, nil
	}
	return selftest.Output{}, lost(m.target)
}

// failed tells a machine that refuses commands from one that is gone.
func (m *overSSH) failed(err error) error {
	if _, _, gone := m.client.SendRequest("keepalive@openssh.com", true, nil); gone != nil || errors.Is(err, io.EOF) {
		return lost(m.target)
	}
	return selftest.AccessDenied("%s lets the user in and refuses commands", m.target.Host)
}

// exitCode is what the command ended with. One that a signal ended has no code; it did not succeed.
func exitCode(e *ssh.ExitError) int {
	const bySignal = 128
	if e.Signal() != "" && e.ExitStatus() == 0 {
		return bySignal
	}
	return e.ExitStatus()
}

// Close implements selftest.Machine.
func (m *overSSH) Close() error {
	if err := m.client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return lost(m.target)
	}
	return nil
}
