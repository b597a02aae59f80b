package host

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBlobPath(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, path, blob string
		want             bindingData
	}{
		{"HST-25 three parameters", "c/{publisher}/{offer}/{name}", "p/o/n.zip", bindingData{"publisher": "p", "offer": "o", "name": "n.zip"}},
		{"HST-25 the last takes folders in", "c/{publisher}/{name}", "p/a/b.zip", bindingData{"publisher": "p", "name": "a/b.zip"}},
		{"HST-25 extension", "c/{name}.zip", "n.zip", bindingData{"name": "n"}},
		{"HST-25 other extension", "c/{name}.zip", "n.tar", nil},
		{"HST-25 too few parts", "c/{a}/{b}", "x", nil},
		{"HST-25 container alone", "c", "x/y", bindingData{"name": "x/y"}},
		{"HST-25 no parameter", "c/fixed.txt", "fixed.txt", bindingData{}},
		{"HST-25 no parameter, other name", "c/fixed.txt", "fixed.txt2", nil},
		{"HST-25 case matters", "c/In/{name}", "in/x", nil},
	} {
		p, err := parseBlobPath(row.path)
		require.NoError(t, err, row.name)
		got, ok := p.match(row.blob)
		require.Equal(t, row.want != nil, ok, row.name)
		require.Equal(t, row.want, got, row.name)
	}
}

func TestBlobTrigger(t *testing.T) {
	t.Parallel()
	a, client, container := blobApp(t, "{publisher}/{name}", "")
	upload := func(name, content string) {
		_, err := client.UploadBuffer(context.Background(), container, name, []byte(content), nil)
		require.NoError(t, err)
	}
	h := a.start()
	upload("contoso/dir/a.zip", "PK\xff\xfe\x80")
	s := a.awaitCalls(1)[0]
	require.Equal(t, "/packages", s.URI)
	data, meta := envelopeOf(t, s)
	require.Equal(t, "\"PK\ufffd\ufffd\ufffd\"", data["package"], "HST-25: the bytes are damaged")
	require.Equal(t, `"contoso"`, meta["publisher"], "HST-25 HST-22")
	require.Equal(t, `"dir/a.zip"`, meta["name"])
	require.Contains(t, meta["Uri"], "/"+container+"/contoso%2Fdir%2Fa.zip")
	require.NotContains(t, meta, "BlobTrigger", "HST-22")
	require.IsType(t, map[string]any{}, meta["Properties"])
	require.IsType(t, map[string]any{}, meta["Metadata"])

	upload("unfit", "x") // does not fit the path
	upload("contoso/b", `{"kind":"k"}`)
	_, meta = envelopeOf(t, a.awaitCalls(2)[1])
	require.Equal(t, `"k"`, meta["kind"], "HST-22: the text's properties")
	upload("contoso/b", "changed")
	data, _ = envelopeOf(t, a.awaitCalls(3)[2])
	require.Equal(t, `"changed"`, data["package"], "HST-25: a new version is processed")

	// HST-25: a version is processed once, also by the next host.
	require.NoError(t, h.Stop(context.Background()))
	a.start()
	upload("contoso/c", "marker")
	data, _ = envelopeOf(t, a.awaitCalls(4)[3])
	require.Equal(t, `"marker"`, data["package"])
	require.Never(t, func() bool { return len(a.seen()) > 4 }, 200*time.Millisecond, 20*time.Millisecond)
}

func TestBlobBinary(t *testing.T) {
	t.Parallel()
	a, client, container := blobApp(t, "{name}", `,"dataType":"binary"`)
	_, err := client.UploadBuffer(context.Background(), container, "x", []byte{0xff, 0}, nil)
	require.NoError(t, err)
	a.start()
	data, _ := envelopeOf(t, a.awaitCalls(1)[0])
	require.Equal(t, "/wA=", data["package"], "HST-25 HST-21: base64, not doubly quoted")
}

func TestBlobPoison(t *testing.T) {
	t.Parallel()
	a, client, container := blobApp(t, "{name}", "")
	a.onCall = func(seen) answer { return answer{Status: 500} }
	_, err := client.UploadBuffer(context.Background(), container, "bad", []byte("x"), nil)
	require.NoError(t, err)
	h := a.start()
	a.awaitLog(Error, "webjobs-blobtrigger-poison")
	require.Never(t, func() bool { return len(a.seen()) > 5 }, 200*time.Millisecond, 20*time.Millisecond)
	require.Len(t, a.seen(), 5, "HST-25: five tries in all")
	found := false
	for n := 1; !found; n++ {
		body, err := h.storage.get(context.Background(), poisonContainer, "packages/"+string(rune('0'+n))+".json")
		require.NoError(t, err)
		require.NotNil(t, body, "no poison message for the blob")
		found = len(body) > 0 && containsAll(string(body), container, `"BlobName":"bad"`)
	}
}

func TestBlobByHand(t *testing.T) {
	t.Parallel()
	a, client, container := blobApp(t, "{name}", "")
	_, err := client.UploadBuffer(context.Background(), container, "x", []byte("y"), nil)
	require.NoError(t, err)
	a.start()
	a.awaitCalls(1)
	reply, _ := a.do("POST", "/admin/functions/packages", `{"input":"`+container+`/x"}`)
	require.Equal(t, 202, reply.StatusCode)
	a.awaitCalls(2)
	a.do("POST", "/admin/functions/packages", `{"input":"`+container+`/gone"}`)
	a.awaitLog(Error, "gone")
}

func TestTimerMissedWhileDown(t *testing.T) {
	t.Parallel()
	a, c := timerApp(t, `"schedule":"0 */5 * * * *"`)
	a.opts.Settings["AzureWebJobsStorage"] = storageConnection(t)
	a.opts.Settings["AzureFunctionsWebHost__hostid"] = "missed"
	h := a.start()
	c.advance(5 * time.Minute)
	a.awaitCalls(1)
	a.awaitLog(Information, "(Succeeded")
	require.NoError(t, h.Stop(context.Background()))
	c.advance(time.Hour)
	a.start()
	info := timerInfo(t, a.awaitCalls(2)[1])
	require.Equal(t, true, info["IsPastDue"], "HST-23: a run missed while the host was down")
	require.Equal(t, "2026-01-01T00:05:30Z", info["ScheduleStatus"].(map[string]any)["Last"])
}
