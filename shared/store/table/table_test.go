package table_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/infra/local/azurite"
	"stoa/shared/fault"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

var storage *azurite.Azurite

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		storage, err = azurite.Start(context.Background(), azurite.Options{})
		if err != nil && (os.Getenv("STOA_TEST_ALL") == "1" || !errors.Is(err, azurite.ErrNotInstalled)) {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if storage != nil {
			defer storage.Stop()
		}
		return m.Run()
	}())
}

var tables atomic.Int32

func openReal(t *testing.T, perRetry ...policy.Policy) table.Table {
	t.Helper()
	if storage == nil {
		t.Skip(azurite.ErrNotInstalled)
	}
	account, err := table.Open(table.Options{ConnectionString: storage.ConnectionString(), PerRetry: perRetry})
	require.NoError(t, err)
	name := fmt.Sprintf("suite%d", tables.Add(1))
	require.NoError(t, account.Create(context.Background(), name))
	require.NoError(t, account.Create(context.Background(), name), "creating twice is fine")
	return account.Table(name)
}

func TestTwin(t *testing.T) {
	t.Parallel()
	tabletest.Suite(t, func(*testing.T) table.Table { return new(tabletest.Account).Table("t") })
}

func TestAzurite(t *testing.T) {
	t.Parallel()
	tabletest.Suite(t, func(t *testing.T) table.Table { return openReal(t) })
}

// loseAnswers lets writes through and drops the answer of each one's first try.
type loseAnswers struct{ lost atomic.Int32 }

func (l *loseAnswers) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err != nil || req.Raw().Method == http.MethodGet || strings.HasSuffix(req.Raw().URL.Path, "/Tables") || l.lost.Add(1)%2 == 0 {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return nil, errors.New("connection reset by peer")
}

// An act whose answer is lost is tried again by the SDK and must not be taken for someone else's.
func TestAppliedButAnswerLost(t *testing.T) {
	t.Parallel()
	lose := &loseAnswers{}
	tbl := openReal(t, lose)
	ctx := context.Background()
	row := func(key, data string) table.Row { return table.Row{Partition: "p", Key: key, Data: []byte(data)} }
	etags, err := tbl.Apply(ctx, table.Op{Action: table.Insert, Row: row("a", `{"n":1}`)})
	require.NoError(t, err)
	changed := row("a", `{"n":2}`)
	changed.ETag = etags[0]
	etags, err = tbl.Apply(ctx, table.Op{Action: table.Replace, Row: changed})
	require.NoError(t, err)
	changed.ETag, changed.Data = etags[0], []byte(`{"n":3}`)
	etags, err = tbl.Apply(ctx,
		table.Op{Action: table.Replace, Row: changed},
		table.Op{Action: table.Insert, Row: row("b", `{"n":1}`)})
	require.NoError(t, err)
	require.NotEmpty(t, etags[0])
	require.GreaterOrEqual(t, lose.lost.Load(), int32(6))
	_, err = tbl.Apply(ctx, table.Op{Action: table.Insert, Row: row("b", `{"n":2}`)})
	require.True(t, fault.Is(err, fault.Conflict), "another's row stays another's")
}

// Keys made by Join are legal whatever they are made of, and tell different parts apart.
func TestJoin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringN(0, 8, 30), 1, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		ja, jb := table.Join(a...), table.Join(b...)
		if ja == jb {
			require.Equal(t, a, b)
		}
		if ja != "" {
			require.NoError(t, table.Check([]table.Op{{Action: table.Insert, Row: table.Row{Partition: ja, Key: ja}}}))
		}
		require.Less(t, ja, table.PrefixEnd(ja))
	})
	require.Equal(t, "a|b%7Cc", table.Join("a", "b|c"))
	require.False(t, bytes.ContainsAny([]byte(table.Join(`/\#?'`)), `/\#?'`))
}
