// Package infra is the one list of what Stoa keeps its state in: the tables, queues, blob containers and timer
// schedules of resources.json, which the Bicep templates beside it deploy and the program uses by name.
//
// The package only tells; it creates nothing. Its values are read-only and safe for concurrent use.
package infra

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

//go:embed resources.json
var resourcesJSON []byte

// Resources is the content of resources.json.
type Resources struct {
	Tables         []string          // table names
	Queues         []Queue           // Service Bus queues
	Containers     []Container       // blob containers
	Schedules      map[string]string // NCRONTAB expression with seconds, by timer function
	PackageUploads PackageUploads    // the blob trigger
}

// Queue is a Service Bus queue with duplicate detection.
type Queue struct {
	Name                     string
	MaxDeliveryCount         int           // deliveries before a message is dead-lettered
	LockDuration             time.Duration // how long a receiver may keep a message, at most 5 minutes
	DuplicateDetectionWindow time.Duration // how long a message id is remembered, 20 seconds to 7 days
}

// Container is a blob container. Blobs are deleted DeleteAfterDays after their last change; 0 keeps them.
type Container struct {
	Name            string
	DeleteAfterDays int
}

// PackageUploads is the blob trigger: the function, the container it watches and its binding path.
type PackageUploads struct {
	Function  string
	Container string
	Path      string
}

// All is resources.json, parsed once at start. It must not be changed.
var All = mustLoad()

// Load parses the embedded resources.json anew. The error names the member that is wrong.
func Load() (Resources, error) {
	return parse(resourcesJSON)
}

// Queue returns the queue of that name, or false.
func (r Resources) Queue(name string) (Queue, bool) {
	i := slices.IndexFunc(r.Queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return Queue{}, false
	}
	return r.Queues[i], true
}

// TimerFunctions returns the names of the functions that have a schedule, sorted.
func (r Resources) TimerFunctions() []string {
	return slices.Sorted(maps.Keys(r.Schedules))
}

func mustLoad() Resources {
	r, err := Load()
	if err != nil {
		panic(err) // the file is part of the binary: only a broken build gets here
	}
	return r
}

type document struct {
	Comment        string            `json:"comment"`
	Tables         []string          `json:"tables"`
	Queues         []queueRow        `json:"queues"`
	Containers     []containerRow    `json:"containers"`
	Schedules      map[string]string `json:"schedules"`
	PackageUploads packageUploadsRow `json:"packageUploads"`
}

type queueRow struct {
	Name                     string `json:"name"`
	MaxDeliveryCount         int    `json:"maxDeliveryCount"`
	LockDuration             string `json:"lockDuration"`
	DuplicateDetectionWindow string `json:"duplicateDetectionWindow"`
}

type containerRow struct {
	Name            string `json:"name"`
	DeleteAfterDays int    `json:"deleteAfterDays"`
}

type packageUploadsRow struct {
	Function  string `json:"function"`
	Container string `json:"container"`
	Path      string `json:"path"`
}

func parse(data []byte) (Resources, error) {
	var doc document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return Resources{}, fmt.Errorf("read resources.json: %w", err)
	}
	r := Resources{
		Tables:         doc.Tables,
		Schedules:      doc.Schedules,
		PackageUploads: PackageUploads(doc.PackageUploads),
	}
	for _, row := range doc.Queues {
		q, err := row.queue()
		if err != nil {
			return Resources{}, fmt.Errorf("read resources.json: queue %s: %w", row.Name, err)
		}
		r.Queues = append(r.Queues, q)
	}
	for _, row := range doc.Containers {
		r.Containers = append(r.Containers, Container(row))
	}
	return r, nil
}

func (row queueRow) queue() (Queue, error) {
	lock, err := parseDuration(row.LockDuration)
	if err != nil {
		return Queue{}, fmt.Errorf("lockDuration: %w", err)
	}
	window, err := parseDuration(row.DuplicateDetectionWindow)
	if err != nil {
		return Queue{}, fmt.Errorf("duplicateDetectionWindow: %w", err)
	}
	return Queue{
		Name:                     row.Name,
		MaxDeliveryCount:         row.MaxDeliveryCount,
		LockDuration:             lock,
		DuplicateDetectionWindow: window,
	}, nil
}
