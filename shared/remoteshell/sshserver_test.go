package remoteshell_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

// sshMachine is a machine that answers from a table behind a real SSH server.
type sshMachine struct {
	table    selftesttest.Table
	password string        // "" takes none
	key      ssh.PublicKey // nil takes none
	asks     bool          // takes the password by keyboard-interactive only
	sudo     string        // "": is root; nopasswd, password, none
	refuses  bool          // refuses to run anything
	hangsUp  string        // ends the connection at the command with this part
	stalls   string        // never answers the command with this part
}

// serve starts the machine and returns its port.
func (m *sshMachine) serve(t *testing.T) uint16 {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	host, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	config := &ssh.ServerConfig{MaxAuthTries: 3}
	config.AddHostKey(host)
	right := func(password string) error {
		if m.password == "" || subtle.ConstantTimeCompare([]byte(password), []byte(m.password)) == 0 {
			return errors.New("no")
		}
		return nil
	}
	switch {
	case m.key != nil:
		config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(key.Marshal(), m.key.Marshal()) {
				return nil, errors.New("no")
			}
			return nil, nil
		}
	case m.asks:
		config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errors.New("no")
			}
			return nil, right(answers[0])
		}
	default:
		config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return nil, right(string(password))
		}
	}
	return listen(t, func(conn net.Conn) {
		session, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for c := range channels {
			channel, requests, err := c.Accept()
			if err != nil {
				return
			}
			go m.session(session, channel, requests)
		}
	})
}

// listen serves connections on a free port of loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { close(done); l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { <-done; conn.Close() }()
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func (m *sshMachine) session(conn ssh.Conn, channel ssh.Channel, requests <-chan *ssh.Request) {
	for r := range requests {
		var exec struct{ Command string }
		if r.Type != "exec" || m.refuses || ssh.Unmarshal(r.Payload, &exec) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		switch {
		case m.hangsUp != "" && strings.Contains(exec.Command, m.hangsUp):
			conn.Close()
			return
		case m.stalls != "" && strings.Contains(exec.Command, m.stalls):
			return
		}
		out := m.execute(plain(exec.Command), channel)
		_, _ = io.WriteString(channel, out.Text)
		_, _ = channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(out.Code)))
		channel.Close()
	}
}

// execute is what the machine says to a line, by who may.
func (m *sshMachine) execute(line string, stdin io.Reader) selftest.Output {
	no := selftest.Output{Code: 1}
	switch {
	case m.sudo == "" || strings.HasPrefix(line, "powershell "):
		return m.table.Answer(line)
	case strings.Contains(line, "id -u"):
		return selftest.Output{Text: "1000\n"}
	case strings.HasPrefix(line, "sudo -n "):
		if m.sudo != "nopasswd" {
			return no
		}
	case strings.HasPrefix(line, "sudo -S "):
		input, _ := io.ReadAll(io.LimitReader(stdin, int64(len(m.password)+1)))
		if m.sudo != "password" || string(input) != m.password+"\n" {
			return no
		}
	default:
		return no // the tests need the rights
	}
	if strings.HasSuffix(line, "sh -c 'true'") {
		return selftest.Output{}
	}
	return m.table.Answer(line)
}

// plain shows a table what an encoded command for PowerShell says.
func plain(line string) string {
	const flag = " -EncodedCommand "
	i := strings.Index(line, flag)
	if i < 0 {
		return line
	}
	raw, err := base64.StdEncoding.DecodeString(line[i+len(flag):])
	if err != nil {
		return line
	}
	units := make([]uint16, len(raw)/2)
	for n := range units {
		units[n] = binary.LittleEndian.Uint16(raw[2*n:])
	}
	return line[:i] + " " + string(utf16.Decode(units))
}

// newKey makes a key: its PEM, and what a machine knows of it.
func newKey(t *testing.T, passphrase string) (string, ssh.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	require.NoError(t, err)
	known, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), known
}
