package table_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/infra/local/faults"
	"stoa/shared/fault"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

func TestMain(m *testing.M) { azuritetest.Main(m) }

var tables atomic.Int32

func openReal(t *testing.T, perRetry ...policy.Policy) table.Table {
	t.Helper()
	account, err := table.Open(table.Options{ConnectionString: azuritetest.Storage(t).ConnectionString(), PerRetry: perRetry})
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

// An act whose answer is lost is tried again by the SDK and must not be taken for someone else's.
func TestAppliedButAnswerLost(t *testing.T) {
	t.Parallel()
	script := &faults.Script{}
	tbl := openReal(t, script.Policy())
	writes := func(o faults.Operation) bool { return o.Method != http.MethodGet }
	first := func(o faults.Operation) faults.Fault { // of two tries the first loses its answer
		if o.N%2 == 1 {
			return faults.Lose
		}
		return faults.Pass
	}
	script.Arm(faults.Where(writes, first))
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
	require.Len(t, script.Harms(), 3)
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
