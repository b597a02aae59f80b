package testdrive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// Access is what a customer needs to get in.
type Access struct {
	HTML    string
	Outputs []Output
}

// Access is the way in while the session is active, nil else (TDR-60, TDR-65).
func (s *Session) Access() *Access {
	if s.State != Active {
		return nil
	}
	return &Access{HTML: fill(s.Config.AccessInfo, s.Outputs), Outputs: s.Outputs}
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]+?)\s*\}\}`)

// fill puts the outputs into the publisher's text: values escaped, addresses as links, names in any case of
// letters, an unknown name as nothing (TDR-34, TDR-61).
func fill(text string, outputs []Output) string {
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := placeholder.FindStringSubmatch(match)[1]
		for _, o := range outputs {
			if strings.EqualFold(o.Name, name) {
				return show(o.Value)
			}
		}
		return ""
	})
}

func show(value string) string {
	escaped := html.EscapeString(value)
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return escaped
	}
	return `<a href="` + escaped + `">` + escaped + `</a>`
}

// secretName tells the outputs that are left out of mail (TDR-60).
var secretName = regexp.MustCompile(`(?i)pass|pwd|secret|token|key`)

// Limits of what a workflow gives out.
const (
	maxOutputs = 50
	maxOutput  = 4000 // bytes of one value
)

// parseOutputs reads the answer of an assign workflow: {"outputs":{name: value}}, in its order. An answer without
// a body, or without outputs, has none.
func parseOutputs(body []byte) ([]Output, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var answer struct {
		Outputs json.RawMessage `json:"outputs"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("the answer is not a JSON object")
	}
	if len(answer.Outputs) == 0 || string(answer.Outputs) == "null" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(answer.Outputs))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the outputs are not a JSON object")
	}
	var outputs []Output
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errors.New("the outputs are not JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("the outputs are not JSON")
		}
		outputs = append(outputs, Output{Name: fmt.Sprint(name), Value: text(value)})
		if len(outputs) > maxOutputs || len(outputs[len(outputs)-1].Value) > maxOutput {
			return nil, fmt.Errorf("more than %d outputs, or one of more than %d bytes", maxOutputs, maxOutput)
		}
	}
	return outputs, nil
}

// text makes a value a text: strings as they are, null as nothing, everything else as compact JSON (TDR-61).
func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s // null leaves it empty
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return string(value)
	}
	return b.String()
}
