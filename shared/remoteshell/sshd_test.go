package remoteshell_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"stoa/shared/fault"
	"stoa/shared/selftest"
)

// sshd serves with OpenSSH's daemon, one process for each connection, and knows one key.
func sshd(t *testing.T, known ssh.PublicKey) uint16 {
	t.Helper()
	program := "/usr/sbin/sshd"
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("STOA_TEST_ALL") != "" {
			t.Fatal("sshd is not installed (Debian: openssh-server)")
		}
		t.Skip("sshd is not installed")
	}
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where the daemon of root confines itself
	}
	dir := t.TempDir()
	hostKey, _ := newKey(t, "")
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	// SHLVL keeps bash from reading the user's own start-up file, which may take a second.
	config := file("sshd_config", fmt.Sprintf("SetEnv SHLVL=2\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nClientAliveInterval 180\n",
		file("host", hostKey), file("keys", string(ssh.MarshalAuthorizedKey(known)))))
	return listen(t, func(conn net.Conn) {
		socket, err := conn.(*net.TCPConn).File()
		if err != nil {
			return
		}
		defer socket.Close()
		cmd := exec.Command(program, "-i", "-e", "-f", config)
		cmd.Stdin, cmd.Stdout = socket, socket
		_ = cmd.Run() // ends with the connection
	})
}

// The whole self-test of this machine, through OpenSSH's daemon and a real shell.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	require.NoError(t, err)
	key, known := newKey(t, "")
	port := sshd(t, known)
	to := target(port, key)
	to.User = me.Username
	got, err := report(t, loopback(t), to)
	if err != nil && os.Geteuid() != 0 && fault.As(err).Code == "VmAccessDenied" {
		t.Skip("the user may not use sudo")
	}
	require.NoError(t, err)
	require.Len(t, got.Tests, 12)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(release)), got.KernelVersion)
	require.NotEmpty(t, got.OSName)
	if runtime.GOARCH == "amd64" {
		require.Equal(t, "x86_64\n\n", got.Tests[8].ActualValue)
	}
	for _, test := range got.Tests {
		require.NotEmpty(t, test.ActualValue, test.TestCaseName)
		t.Logf("%s %s: %s %q", test.TestID, test.TestCaseName, test.Result, test.ActualValue)
	}

	otherKey, _ := newKey(t, "")
	to.Secret = selftest.NewSecret(otherKey)
	_, err = report(t, loopback(t), to)
	require.Equal(t, "VmAccessDenied", fault.As(err).Code, "%v", err)
}
