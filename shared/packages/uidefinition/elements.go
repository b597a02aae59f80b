package uidefinition

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed data/elements.json
var elementsJSON []byte

// Types of elements that rules look at.
const (
	Section         = "Microsoft.Common.Section"
	JITConfigurator = "Microsoft.Solutions.JitConfigurator"
)

var types, withoutLabel = func() (map[string]bool, map[string]bool) {
	var table struct {
		Types        []string `json:"types"`
		WithoutLabel []string `json:"withoutLabel"`
	}
	if err := json.Unmarshal(elementsJSON, &table); err != nil {
		panic(fmt.Sprintf("elements.json: %v", err))
	}
	return set(table.Types), set(table.WithoutLabel)
}()

func set(words []string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[strings.ToLower(w)] = true
	}
	return out
}

// Known reports whether the type is one of the documented ones (AZA-153).
func (e *Element) Known() bool { return types[strings.ToLower(e.Type)] }

// NeedsLabel reports whether elements of the type have a label (AZA-151). A type that is not known need not.
func (e *Element) NeedsLabel() bool { return e.Known() && !withoutLabel[strings.ToLower(e.Type)] }

// OfType reports whether the element is of the type.
func (e *Element) OfType(kind string) bool { return strings.EqualFold(e.Type, kind) }
