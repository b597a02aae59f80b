package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite"
	"stoa/infra/local/faults"
	"stoa/infra/local/servicebus"
)

var (
	storage *azurite.Azurite
	broker  *servicebus.Broker
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		storage, err = azurite.Start(context.Background(), azurite.Options{})
		if errors.Is(err, azurite.ErrNotInstalled) && os.Getenv("STOA_TEST_ALL") != "1" {
			fmt.Fprintln(os.Stderr, "some tests are skipped:", err)
			return m.Run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer storage.Stop()
		if broker, err = servicebus.Start(context.Background(), servicebus.Options{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer broker.Stop()
		return m.Run()
	}())
}

func needParts(t *testing.T) {
	t.Helper()
	if storage == nil {
		t.Skip(azurite.ErrNotInstalled)
	}
}

// once is the SDK without retries, so that a fault is seen as it comes.
var once = policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}

// proxied are clients of a table, through the script and past it.
func proxied(t *testing.T, script *faults.Script, options policy.ClientOptions) (through, past *aztables.Client) {
	t.Helper()
	needParts(t)
	proxy, err := faults.StartStorage(script, storage.TablePort())
	require.NoError(t, err)
	t.Cleanup(proxy.Stop)
	name := fmt.Sprintf("faults%d", tables.Add(1))
	client := func(connection string, options policy.ClientOptions) *aztables.Client {
		service, err := aztables.NewServiceClientFromConnectionString(connection, &aztables.ClientOptions{ClientOptions: options})
		require.NoError(t, err)
		return service.NewClient(name)
	}
	past = client(storage.ConnectionString(), once)
	_, err = past.CreateTable(t.Context(), nil)
	require.NoError(t, err)
	return client(azurite.ConnectionStringAt(storage.BlobPort(), proxy.Port()), options), past
}

var tables atomic.Int32

func entity(row string) []byte {
	return fmt.Appendf(nil, `{"PartitionKey":"p","RowKey":%q}`, row)
}

func exists(t *testing.T, table *aztables.Client, row string) bool {
	t.Helper()
	_, err := table.GetEntity(t.Context(), "p", row, nil)
	var reply *azcore.ResponseError
	if errors.As(err, &reply) && reply.StatusCode == 404 {
		return false
	}
	require.NoError(t, err)
	return true
}

// Each fault either happens or does not, and the caller hears of it as he should.
func TestStorageFaults(t *testing.T) {
	t.Parallel()
	for fault, c := range map[faults.Fault]struct{ happened, answered, killed bool }{
		faults.Pass:     {true, true, false},
		faults.Refuse:   {false, true, false},
		faults.TimeOut:  {false, false, false},
		faults.Lose:     {true, false, false},
		faults.Kill:     {false, false, true},
		faults.KillLate: {true, false, true},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			var killed atomic.Int32
			script := &faults.Script{Hold: 20 * time.Millisecond}
			script.OnKill(func() { killed.Add(1) })
			through, past := proxied(t, script, once)
			script.Arm(faults.At(2, fault))
			_, err := through.AddEntity(t.Context(), entity("first"), nil)
			require.NoError(t, err)
			began := time.Now()
			_, err = through.AddEntity(t.Context(), entity("second"), nil)
			var reply *azcore.ResponseError
			require.Equal(t, fault != faults.Pass, err != nil)
			require.Equal(t, c.answered, err == nil || errors.As(err, &reply), "%v", err)
			if fault == faults.Refuse {
				require.Equal(t, 503, reply.StatusCode)
				require.Equal(t, "ServerBusy", reply.ErrorCode)
			}
			if fault == faults.TimeOut {
				require.GreaterOrEqual(t, time.Since(began), script.Hold)
			}
			require.Equal(t, c.happened, exists(t, past, "second"))
			require.Equal(t, c.killed, killed.Load() == 1)
			require.Equal(t, 2, script.Operations())
		})
	}
}

// The SDK's own retries get through every fault of storage, a transaction is signed and read as without the proxy.
func TestStorageRetries(t *testing.T) {
	t.Parallel()
	script := &faults.Script{Hold: time.Millisecond}
	through, past := proxied(t, script, policy.ClientOptions{Retry: policy.RetryOptions{RetryDelay: time.Millisecond}})
	script.Arm(faults.Every(2, faults.Refuse, faults.TimeOut))
	for i := range 6 {
		_, err := through.SubmitTransaction(t.Context(), []aztables.TransactionAction{
			{ActionType: aztables.TransactionTypeAdd, Entity: entity(fmt.Sprint("a", i))},
			{ActionType: aztables.TransactionTypeAdd, Entity: entity(fmt.Sprint("b", i))},
		}, nil)
		require.NoError(t, err)
		require.True(t, exists(t, past, fmt.Sprint("b", i)))
	}
	require.GreaterOrEqual(t, len(script.Harms()), 5)
}

// A Blob client sees the refusal in its own service's form.
func TestBlobIsRefused(t *testing.T) {
	t.Parallel()
	needParts(t)
	script := &faults.Script{}
	proxy, err := faults.StartStorage(script, storage.BlobPort())
	require.NoError(t, err)
	t.Cleanup(proxy.Stop)
	client, err := azblob.NewClientFromConnectionString(azurite.ConnectionStringAt(proxy.Port(), storage.TablePort()), &azblob.ClientOptions{ClientOptions: once})
	require.NoError(t, err)
	script.Arm(faults.At(1, faults.Refuse))
	var reply *azcore.ResponseError
	_, err = client.CreateContainer(t.Context(), "faults", nil)
	require.ErrorAs(t, err, &reply)
	require.Equal(t, "ServerBusy", reply.ErrorCode)
	_, err = client.CreateContainer(t.Context(), "faults", nil)
	require.NoError(t, err)
	_, err = client.UploadBuffer(t.Context(), "faults", "a b/ü", []byte("content"), nil)
	require.NoError(t, err, "a path with escapes keeps its signature")
}

// The policy does to a client of the own process what the proxy does to another's.
func TestPolicyFaults(t *testing.T) {
	t.Parallel()
	for fault, happened := range map[faults.Fault]bool{
		faults.Refuse: false, faults.TimeOut: false, faults.Lose: true, faults.Kill: false, faults.KillLate: true,
	} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			script, below := &faults.Script{}, &faults.Script{Hold: time.Millisecond}
			var killed atomic.Bool
			below.OnKill(func() { killed.Store(true) })
			options := once
			options.PerRetryPolicies = []policy.Policy{below.Policy()}
			through, past := proxied(t, script, options)
			below.Arm(faults.At(1, fault))
			_, err := through.AddEntity(t.Context(), entity("a"), nil)
			require.Error(t, err)
			var reply *azcore.ResponseError
			require.Equal(t, fault == faults.Refuse, errors.As(err, &reply))
			require.Equal(t, happened, exists(t, past, "a"))
			require.Equal(t, fault == faults.Kill || fault == faults.KillLate, killed.Load())
			require.Equal(t, happened, script.Operations() == 1)
		})
	}
}
