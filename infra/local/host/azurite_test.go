package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/stretchr/testify/require"
)

// azurite is the one storage emulator of this test binary.
var azurite struct {
	once    sync.Once
	process *os.Process
	exited  chan struct{}
	port    string
	err     error
}

// storageConnection starts Azurite at the first call. Without its npm package the test is skipped, or
// fails when STOA_TEST_ALL=1.
func storageConnection(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../node_modules/.bin/azurite-blob")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("STOA_TEST_ALL") == "1" {
			require.NoError(t, err, "STOA_TEST_ALL=1 needs the npm packages of infra/local")
		}
		t.Skipf("Azurite is not installed in infra/local: %v", err)
	}
	azurite.once.Do(func() { azurite.err = startAzurite(program) })
	require.NoError(t, azurite.err)
	return "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
		"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
		"BlobEndpoint=http://127.0.0.1:" + azurite.port + "/devstoreaccount1;"
}

func startAzurite(program string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "--silent", "--inMemoryPersistence", "--skipApiVersionCheck",
		"--disableProductStyleUrl", "--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", port)
	if err := cmd.Start(); err != nil {
		return err
	}
	azurite.port, azurite.process, azurite.exited = port, cmd.Process, make(chan struct{})
	go func() { _ = cmd.Wait(); close(azurite.exited) }()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			return c.Close()
		}
		select {
		case <-azurite.exited:
			return fmt.Errorf("azurite ended: %s", cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("azurite did not listen on port %s", port)
}

func stopAzurite() {
	if azurite.process != nil {
		_ = azurite.process.Kill()
		<-azurite.exited
	}
}

// blobApp is an app with one blob function on a container of its own.
func blobApp(t *testing.T, pattern, extra string) (*app, *azblob.Client, string) {
	connection := storageConnection(t)
	client, err := blobClient(connection)
	require.NoError(t, err)
	container := fmt.Sprintf("c%d", time.Now().UnixNano())
	_, err = client.CreateContainer(context.Background(), container, nil)
	require.NoError(t, err)
	a := newApp(t, "", map[string]string{"packages": `{"bindings":[{"type":"blobTrigger","name":"package","path":"` + container + "/" + pattern + `"` + extra + `}]}`})
	a.opts.Settings["AzureWebJobsStorage"] = connection
	a.opts.Settings["AzureFunctionsWebHost__hostid"] = container
	return a, client, container
}

func containsAll(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
