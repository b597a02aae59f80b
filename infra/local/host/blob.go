package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// blobPath is a blobTrigger's path: a container and a pattern of names.
type blobPath struct {
	container string
	prefix    string // the literal beginning of every name
	pattern   *regexp.Regexp
	names     []string
}

var pathParameter = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*)\}`)

func parseBlobPath(path string) (blobPath, error) {
	var p blobPath
	var name string
	p.container, name, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if p.container == "" || strings.ContainsAny(p.container, "{}") {
		return p, fmt.Errorf("path %q does not begin with a container", path)
	}
	if name == "" {
		name = "{name}"
	}
	found := pathParameter.FindAllStringSubmatchIndex(name, -1)
	pattern, end := "(?s)^", 0
	p.prefix = name
	for i, f := range found {
		if i == 0 {
			p.prefix = name[:f[0]]
		}
		capture := "([^/]+?)"
		if i == len(found)-1 {
			capture = "(.+)" // the last parameter takes folders in
		}
		pattern += regexp.QuoteMeta(name[end:f[0]]) + capture
		p.names = append(p.names, name[f[2]:f[3]])
		end = f[1]
	}
	if strings.ContainsAny(pathParameter.ReplaceAllString(name, ""), "{}") {
		return p, fmt.Errorf("path %q is malformed", path)
	}
	p.pattern = regexp.MustCompile(pattern + regexp.QuoteMeta(name[end:]) + "$")
	return p, nil
}

// match returns the path parameters of a blob's name.
func (p blobPath) match(name string) (bindingData, bool) {
	m := p.pattern.FindStringSubmatch(name)
	if m == nil {
		return nil, false
	}
	data := bindingData{}
	for i, parameter := range p.names {
		data.set(parameter, m[i+1])
	}
	return data, true
}

// blobVersion is one content of one blob.
type blobVersion struct{ container, name, etag string }

// blobTrigger polls one container for one function.
type blobTrigger struct {
	host     *Host
	function *function
	path     blobPath
	client   *azblob.Client
	slots    chan struct{}

	mu      sync.Mutex
	settled map[blobVersion]bool // has a receipt
	busy    map[blobVersion]bool
	tries   map[blobVersion]int
}

// blobWorkers is how many blobs of one function are worked on at a time.
const blobWorkers = 8

func (h *Host) newBlobTrigger(f *function) (*blobTrigger, error) {
	if h.storage == nil {
		return nil, errors.New("AzureWebJobsStorage is not set")
	}
	connection, err := connectionString(h.opts.Settings, f.trigger.Connection, "AzureWebJobsStorage")
	if err != nil {
		return nil, err
	}
	client, err := blobClient(connection)
	if err != nil {
		return nil, err
	}
	path, err := parseBlobPath(f.trigger.Path)
	return &blobTrigger{
		host: h, function: f, path: path, client: client, slots: make(chan struct{}, blobWorkers),
		settled: map[blobVersion]bool{}, busy: map[blobVersion]bool{}, tries: map[blobVersion]int{},
	}, err
}

func (h *Host) startBlob(ctx context.Context, f *function) error {
	t, err := h.newBlobTrigger(f)
	if err != nil {
		return err
	}
	h.triggers.Add(1)
	go func() {
		defer h.triggers.Done()
		t.poll(ctx)
	}()
	return nil
}

func (t *blobTrigger) poll(ctx context.Context) {
	tick := time.NewTicker(t.host.opts.BlobPollInterval)
	defer tick.Stop()
	for {
		if err := t.scan(ctx); err != nil && ctx.Err() == nil {
			t.host.logFunction(Warning, t.function.name, "poll container %s: %v", t.path.container, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// scan lists the container once and starts work on every version without a receipt.
func (t *blobTrigger) scan(ctx context.Context) error {
	pager := t.client.NewListBlobsFlatPager(t.path.container, &container.ListBlobsFlatOptions{Prefix: &t.path.prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if bloberror.HasCode(err, bloberror.ContainerNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, item := range page.Segment.BlobItems {
			if item.Name == nil || item.Properties == nil || item.Properties.ETag == nil {
				continue
			}
			v := blobVersion{t.path.container, *item.Name, string(*item.Properties.ETag)}
			if err := t.consider(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// consider takes one version up unless it is done, being worked on, or does not fit the path.
func (t *blobTrigger) consider(ctx context.Context, v blobVersion) error {
	data, fits := t.path.match(v.name)
	t.mu.Lock()
	skip := !fits || t.settled[v] || t.busy[v]
	t.mu.Unlock()
	if skip {
		return nil
	}
	done, err := t.host.storage.hasReceipt(ctx, t.function.name, v)
	if err != nil {
		return err
	}
	if done {
		t.settle(v)
		return nil
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !t.host.work.begin() {
		return errStopped
	}
	t.mu.Lock()
	t.busy[v] = true
	t.mu.Unlock()
	t.host.triggers.Add(1)
	go func() {
		defer t.host.triggers.Done()
		defer t.host.work.end()
		t.process(t.host.running, v, data)
		t.mu.Lock()
		delete(t.busy, v)
		t.mu.Unlock()
		<-t.slots
	}()
	return nil
}

func (t *blobTrigger) settle(v blobVersion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settled[v] = true
	delete(t.tries, v)
}

// process invokes the function for one version. A failure leaves it to the next poll, five tries in all;
// then it is poison (HST-25).
func (t *blobTrigger) process(ctx context.Context, v blobVersion, data bindingData) {
	h, name := t.host, t.function.name
	c, err := t.call(ctx, v, data)
	if errors.Is(err, errGone) {
		return
	}
	if err == nil {
		_, err = h.invoke(ctx, t.function, c)
	}
	if err != nil {
		if ctx.Err() != nil || !t.exhausted(v) {
			return
		}
		if !t.poison(ctx, v) {
			return
		}
	}
	if err := h.storage.writeReceipt(ctx, name, v); err != nil {
		h.logFunction(Error, name, "write receipt of %s/%s: %v", v.container, v.name, err)
		return
	}
	t.settle(v)
}

func (t *blobTrigger) exhausted(v blobVersion) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries[v]++
	return t.tries[v] >= t.host.config.blobTries
}

func (t *blobTrigger) poison(ctx context.Context, v blobVersion) bool {
	h, name := t.host, t.function.name
	message := marshal(map[string]any{
		"Type": "BlobTrigger", "FunctionId": h.storage.hostID + ".Functions." + name, "BlobType": "BlockBlob",
		"ContainerName": v.container, "BlobName": v.name, "ETag": v.etag,
	})
	where, err := h.storage.writePoison(ctx, name, message)
	if err != nil {
		h.logFunction(Error, name, "write poison message of %s/%s: %v", v.container, v.name, err)
		return false
	}
	h.logFunction(Error, name, "Message has reached MaxDequeueCount of %d. Moving message to queue '%s': here the blob %s/%s",
		h.config.blobTries, poisonContainer, poisonContainer, where)
	return true
}

// call reads the blob and builds the trigger's data: bytes for dataType binary, else text (HST-25).
func (t *blobTrigger) call(ctx context.Context, v blobVersion, data bindingData) (call, error) {
	options := &azblob.DownloadStreamOptions{}
	if v.etag != "" {
		etag := azcore.ETag(v.etag)
		options.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag}}
	}
	got, err := t.client.DownloadStream(ctx, v.container, v.name, options)
	if bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound, bloberror.ConditionNotMet) {
		return call{}, errGone
	}
	if err != nil {
		return call{}, fmt.Errorf("read blob %s/%s: %w", v.container, v.name, err)
	}
	defer func() { _ = got.Body.Close() }()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		return call{}, fmt.Errorf("read blob %s/%s: %w", v.container, v.name, err)
	}
	all := bindingData{
		"BlobTrigger": v.container + "/" + v.name,
		"Uri":         t.client.ServiceClient().NewContainerClient(v.container).NewBlobClient(v.name).URL(),
		"Properties":  blobProperties(got, len(raw)),
		"Metadata":    stringMap(got.Metadata),
	}
	for key, value := range data {
		all.set(key, value)
	}
	if strings.EqualFold(t.function.trigger.DataType, "binary") {
		return call{value: encode(raw), data: all}, nil
	}
	text := readText(raw)
	all.addJSON(text)
	return call{value: encode(text), data: all}, nil
}

func blobProperties(got azblob.DownloadStreamResponse, length int) map[string]any {
	properties := map[string]any{"Length": length, "ContentLength": length, "BlobType": 0}
	if got.ETag != nil {
		properties["ETag"] = string(*got.ETag)
	}
	if got.LastModified != nil {
		properties["LastModified"] = isoTime(*got.LastModified)
	}
	if got.ContentType != nil {
		properties["ContentType"] = *got.ContentType
	}
	return properties
}

func stringMap(in map[string]*string) map[string]string {
	out := map[string]string{}
	for key, value := range in {
		if value != nil {
			out[key] = *value
		}
	}
	return out
}

// runBlobByHand invokes a blob function for a blob named through the admin API, receipt or not.
func (h *Host) runBlobByHand(ctx context.Context, f *function, container, name string) {
	t, err := h.newBlobTrigger(f)
	if err != nil {
		h.logFunction(Error, f.name, "%v", err)
		return
	}
	data, fits := t.path.match(name)
	if !fits || container != t.path.container {
		h.logFunction(Error, f.name, "blob %s/%s does not fit the path %s", container, name, f.trigger.Path)
		return
	}
	c, err := t.call(ctx, blobVersion{container: container, name: name}, data)
	if err != nil {
		h.logFunction(Error, f.name, "blob %s/%s: %v", container, name, err)
		return
	}
	_, _ = h.invoke(ctx, f, c)
}
