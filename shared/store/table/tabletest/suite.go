package tabletest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// Suite is the behaviour every Table has. open gives an empty table each time.
func Suite(t *testing.T, open func(t *testing.T) table.Table) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, table.Table){
		"insert creates once":                     insertOnce,
		"replace needs the ETag that was read":    replaceLocks,
		"delete needs the ETag that was read":     deleteLocks,
		"upsert and remove ask for nothing":       unconditional,
		"a transaction is all or nothing":         allOrNothing,
		"a transaction names the guilty row":      namesGuilty,
		"a transaction gives usable ETags":        transactionETags,
		"a broken program is refused early":       refusesMistakes,
		"a query pages in key order":              pages,
		"a query bounds keys and partitions":      bounds,
		"a foreign continuation is refused":       foreignContinuation,
		"large and odd documents come back whole": documents,
		"of many writers one wins":                oneWins,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func row(key, data string) table.Row {
	return table.Row{Partition: "p", Key: key, Data: []byte(data)}
}

func insert(t *testing.T, tbl table.Table, r table.Row) string {
	t.Helper()
	etags, err := tbl.Apply(context.Background(), table.Op{Action: table.Insert, Row: r})
	require.NoError(t, err)
	require.NotEmpty(t, etags[0])
	return etags[0]
}

func read(t *testing.T, tbl table.Table, key string) table.Row {
	t.Helper()
	r, err := tbl.Get(context.Background(), "p", key)
	require.NoError(t, err)
	return r
}

func requireKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	require.Truef(t, fault.Is(err, kind), "got %v, want a fault of kind %s", err, kind)
}

func insertOnce(t *testing.T, tbl table.Table) {
	etag := insert(t, tbl, row("k", `{"n":1}`))
	got := read(t, tbl, "k")
	require.Equal(t, table.Row{Partition: "p", Key: "k", ETag: etag, Data: []byte(`{"n":1}`)}, got)
	_, err := tbl.Apply(context.Background(), table.Op{Action: table.Insert, Row: row("k", `{"n":2}`)})
	requireKind(t, err, fault.Conflict)
	require.Equal(t, 0, table.FailedOp(err))
	require.JSONEq(t, `{"n":1}`, string(read(t, tbl, "k").Data))
	_, err = tbl.Get(context.Background(), "p", "other")
	requireKind(t, err, fault.NotFound)
}

func replaceLocks(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	insert(t, tbl, row("k", `{"n":1}`))
	first := read(t, tbl, "k")
	second := first
	first.Data, second.Data = []byte(`{"n":2}`), []byte(`{"n":3}`)
	etags, err := tbl.Apply(ctx, table.Op{Action: table.Replace, Row: first})
	require.NoError(t, err)
	_, err = tbl.Apply(ctx, table.Op{Action: table.Replace, Row: second})
	requireKind(t, err, fault.StaleETag)
	require.JSONEq(t, `{"n":2}`, string(read(t, tbl, "k").Data))
	first.ETag, first.Data = etags[0], []byte(`{"n":4}`)
	_, err = tbl.Apply(ctx, table.Op{Action: table.Replace, Row: first})
	require.NoError(t, err)
	gone := row("gone", `{}`)
	gone.ETag = first.ETag
	_, err = tbl.Apply(ctx, table.Op{Action: table.Replace, Row: gone})
	requireKind(t, err, fault.NotFound)
}

func deleteLocks(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	insert(t, tbl, row("k", `{"n":1}`))
	old := read(t, tbl, "k")
	changed := old
	changed.Data = []byte(`{"n":2}`)
	etags, err := tbl.Apply(ctx, table.Op{Action: table.Replace, Row: changed})
	require.NoError(t, err)
	_, err = tbl.Apply(ctx, table.Op{Action: table.Delete, Row: old})
	requireKind(t, err, fault.StaleETag)
	old.ETag = etags[0]
	_, err = tbl.Apply(ctx, table.Op{Action: table.Delete, Row: old})
	require.NoError(t, err)
	for _, key := range []string{"k", "", "a/b", "a?b", "a'b", "\x00", "\xff", strings.Repeat("x", 20_000)} {
		_, err = tbl.Get(ctx, "p", key)
		requireKind(t, err, fault.NotFound)
		_, err = tbl.Get(ctx, key, "k")
		requireKind(t, err, fault.NotFound)
	}
}

func unconditional(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	for _, data := range []string{`{"n":1}`, `{"n":2}`} {
		_, err := tbl.Apply(ctx, table.Op{Action: table.Upsert, Row: row("k", data)})
		require.NoError(t, err)
		require.JSONEq(t, data, string(read(t, tbl, "k").Data))
	}
	_, err := tbl.Apply(ctx, table.Op{Action: table.Remove, Row: row("k", "")})
	require.NoError(t, err)
	_, err = tbl.Apply(ctx, table.Op{Action: table.Remove, Row: row("k", "")})
	requireKind(t, err, fault.NotFound)
}

func allOrNothing(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	insert(t, tbl, row("taken", `{"by":"first"}`))
	_, err := tbl.Apply(ctx,
		table.Op{Action: table.Insert, Row: row("new", `{}`)},
		table.Op{Action: table.Insert, Row: row("taken", `{"by":"second"}`)})
	requireKind(t, err, fault.Conflict)
	_, err = tbl.Get(ctx, "p", "new")
	requireKind(t, err, fault.NotFound)

	stale := read(t, tbl, "taken")
	stale.Data = []byte(`{"by":"third"}`)
	_, err = tbl.Apply(ctx, table.Op{Action: table.Replace, Row: stale})
	require.NoError(t, err)
	stale.Data = []byte(`{"by":"fourth"}`)
	_, err = tbl.Apply(ctx,
		table.Op{Action: table.Insert, Row: row("new", `{}`)},
		table.Op{Action: table.Replace, Row: stale})
	requireKind(t, err, fault.StaleETag)
	_, err = tbl.Get(ctx, "p", "new")
	requireKind(t, err, fault.NotFound)
}

func namesGuilty(t *testing.T, tbl table.Table) {
	insert(t, tbl, row("c", `{}`))
	_, err := tbl.Apply(context.Background(),
		table.Op{Action: table.Insert, Row: row("a", `{"a":1}`)},
		table.Op{Action: table.Insert, Row: row("b", `{"b":1}`)},
		table.Op{Action: table.Insert, Row: row("c", `{"c":1}`)})
	requireKind(t, err, fault.Conflict)
	require.Equal(t, 2, table.FailedOp(err))
}

func transactionETags(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	insert(t, tbl, row("gone", `{}`))
	etags, err := tbl.Apply(ctx,
		table.Op{Action: table.Insert, Row: row("a", `{}`)},
		table.Op{Action: table.Delete, Row: read(t, tbl, "gone")},
		table.Op{Action: table.Upsert, Row: row("b", `{}`)})
	require.NoError(t, err)
	require.Len(t, etags, 3)
	require.Equal(t, read(t, tbl, "a").ETag, etags[0])
	require.Empty(t, etags[1])
	require.Equal(t, read(t, tbl, "b").ETag, etags[2])
}

func refusesMistakes(t *testing.T, tbl table.Table) {
	other := row("k", "{}")
	other.Partition = "q"
	big := row("big", "{}")
	big.Data = make([]byte, table.MaxData+1)
	for name, ops := range map[string][]table.Op{
		"nothing to do":          {},
		"no ETag on replace":     {{Action: table.Replace, Row: row("k", "{}")}},
		"no ETag on delete":      {{Action: table.Delete, Row: row("k", "{}")}},
		"two partitions":         {{Action: table.Insert, Row: row("k", "{}")}, {Action: table.Insert, Row: other}},
		"a row twice":            {{Action: table.Insert, Row: row("k", "{}")}, {Action: table.Upsert, Row: row("k", "{}")}},
		"no key":                 {{Action: table.Insert, Row: row("", "{}")}},
		"a slash in the key":     {{Action: table.Insert, Row: row("a/b", "{}")}},
		"a backslash in the key": {{Action: table.Insert, Row: row(`a\b`, "{}")}},
		"a hash in the key":      {{Action: table.Insert, Row: row("a#b", "{}")}},
		"a question mark":        {{Action: table.Insert, Row: row("a?b", "{}")}},
		"a control character":    {{Action: table.Insert, Row: row("a\tb", "{}")}},
		"a key too long":         {{Action: table.Insert, Row: row(strings.Repeat("k", table.MaxKey+1), "{}")}},
		"a document too large":   {{Action: table.Insert, Row: big}},
		"too many rows":          make([]table.Op, table.MaxOps+1),
	} {
		_, err := tbl.Apply(context.Background(), ops...)
		require.Error(t, err, name)
	}
	page, err := tbl.Query(context.Background(), table.Query{Partition: "p"})
	require.NoError(t, err)
	require.Empty(t, page.Rows)
}

func fill(t *testing.T, tbl table.Table, n int) {
	t.Helper()
	var ops []table.Op
	for i := range n {
		ops = append(ops, table.Op{Action: table.Insert, Row: row(fmt.Sprintf("k%02d", i), fmt.Sprintf(`{"n":%d}`, i))})
	}
	_, err := tbl.Apply(context.Background(), ops...)
	require.NoError(t, err)
}

func pages(t *testing.T, tbl table.Table) {
	fill(t, tbl, 7)
	var keys []string
	q := table.Query{Partition: "p", Limit: 3}
	for n := 1; ; n++ {
		page, err := tbl.Query(context.Background(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Rows), 3)
		for _, r := range page.Rows {
			keys = append(keys, r.Key)
			require.Empty(t, r.ETag, "a row of a plain query cannot be written back")
		}
		if page.Next == "" {
			require.Equal(t, 3, n)
			break
		}
		q.After = page.Next
	}
	require.Equal(t, []string{"k00", "k01", "k02", "k03", "k04", "k05", "k06"}, keys)
	page, err := tbl.Query(context.Background(), table.Query{Partition: "p", WithETags: true})
	require.NoError(t, err)
	page.Rows[0].Data = []byte(`{"n":"new"}`)
	_, err = tbl.Apply(context.Background(), table.Op{Action: table.Replace, Row: page.Rows[0]})
	require.NoError(t, err)
}

func bounds(t *testing.T, tbl table.Table) {
	ctx := context.Background()
	for _, at := range [][2]string{{"a", "1"}, {"b", "1"}, {"b", "2"}, {"b", "3"}, {"c", "1"}} {
		insert(t, tbl, table.Row{Partition: at[0], Key: at[1], Data: []byte("{}")})
	}
	for _, c := range []struct {
		q    table.Query
		want string
	}{
		{table.Query{Partition: "b"}, "b1 b2 b3"},
		{table.Query{Partition: "b", From: "2"}, "b2 b3"},
		{table.Query{Partition: "b", Until: "2"}, "b1"},
		{table.Query{Partition: "b", From: "2", Until: "3"}, "b2"},
		{table.Query{Partition: "a", PartitionEnd: "c"}, "a1 b1 b2 b3"},
		{table.Query{Partition: "x"}, ""},
	} {
		page, err := tbl.Query(ctx, c.q)
		require.NoError(t, err)
		var got []string
		for _, r := range page.Rows {
			got = append(got, r.Partition+r.Key)
		}
		require.Equalf(t, c.want, strings.Join(got, " "), "%+v", c.q)
	}
}

func foreignContinuation(t *testing.T, tbl table.Table) {
	for _, text := range []string{"x", "!!", "OTk6eA", "9:x"} {
		_, err := tbl.Query(context.Background(), table.Query{Partition: "p", After: text})
		requireKind(t, err, fault.Invalid)
	}
}

func documents(t *testing.T, tbl table.Table) {
	for key, data := range map[string]string{
		"empty":  "",
		"quotes": `{"a":"\"b\" <c> & 'd' \\ ü 日本 🙂 \u0000"}`,
		"edge":   `"` + strings.Repeat("x", 29998) + `"`,
		"large":  `"` + strings.Repeat("日本🙂\\n", 30000) + `"`,
	} {
		insert(t, tbl, row(key, data))
		got := string(read(t, tbl, key).Data)
		require.Truef(t, sameJSON(data, got), "%s: %d bytes came back of %d", key, len(got), len(data))
		page, err := tbl.Query(context.Background(), table.Query{Partition: "p", From: key, Until: table.PrefixEnd(key)})
		require.NoError(t, err)
		require.True(t, sameJSON(data, string(page.Rows[0].Data)), key)
	}
}

func sameJSON(a, b string) bool {
	var left, right any
	if json.Unmarshal([]byte(a), &left) != nil || json.Unmarshal([]byte(b), &right) != nil {
		return a == b
	}
	return reflect.DeepEqual(left, right)
}

func oneWins(t *testing.T, tbl table.Table) {
	insert(t, tbl, row("k", `{"by":-1}`))
	base := read(t, tbl, "k")
	var won atomic.Int32
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			mine := base
			mine.Data = fmt.Appendf(nil, `{"by":%d}`, i)
			if _, err := tbl.Apply(context.Background(), table.Op{Action: table.Replace, Row: mine}); err == nil {
				won.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, won.Load())
}
