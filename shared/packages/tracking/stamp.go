package tracking

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"stoa/shared/packages/jsondoc"
)

// symbolicKey is the key of the tracking resource in a template whose resources are an object (CUA-4).
const symbolicKey = "partnerTracking"

// resource is the tracking resource, on one line (section 6.6).
const resource = `{"type": "Microsoft.Resources/deployments", "apiVersion": "2020-06-01", "name": %q, "properties": {"mode": "Incremental", ` +
	`"template": {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": []}}}`

var mark = []byte("\xef\xbb\xbf")

// Stamp inserts the tracking resource at the end of a template's resources. Every other byte stays as it is, a
// byte-order mark included. The text must be a template without comments.
func Stamp(template []byte, id string) ([]byte, error) {
	start := 0
	if bytes.HasPrefix(template, mark) {
		start = len(mark)
	}
	root, problems := jsondoc.Parse(template[start:])
	list := root.Get("resources")
	if root == nil || len(problems) > 0 || list == nil || list.Kind != jsondoc.Array && list.Kind != jsondoc.Object {
		return nil, errors.New("stamp a template: it has no resources to add to")
	}
	open := start + list.Offset
	end, ok := closing(template, open)
	if !ok {
		return nil, errors.New("stamp a template: its resources do not end")
	}
	inserted := fmt.Sprintf(resource, id)
	if list.Kind == jsondoc.Object {
		inserted = fmt.Sprintf("%q: %s", freeKey(list), inserted)
	}
	body := bytes.TrimRight(template[open+1:end], " \t\r\n")
	at := open + 1 + len(body)
	if len(list.Items)+len(list.Members) > 0 {
		inserted = "," + gap(template[open+1:end]) + inserted
	}
	out := make([]byte, 0, len(template)+len(inserted))
	out = append(out, template[:at]...)
	out = append(out, inserted...)
	return append(out, template[at:]...), nil
}

// freeKey is the key of the tracking resource, with a number behind it when a resource has that key already.
func freeKey(list *jsondoc.Node) string {
	key := symbolicKey
	for n := 2; list.Get(key) != nil; n++ {
		key = fmt.Sprintf("%s%d", symbolicKey, n)
	}
	return key
}

// gap is the white space in front of the first resource, which the new one gets as well.
func gap(body []byte) string {
	blank := string(body[:len(body)-len(bytes.TrimLeft(body, " \t\r\n"))])
	if i := strings.LastIndexByte(blank, '\n'); i > 0 {
		return strings.TrimLeft(blank[:i], " \t\n") + blank[i:]
	}
	if blank == "" {
		return " "
	}
	return blank
}

// closing is the place of the bracket that closes the one at open.
func closing(text []byte, open int) (int, bool) {
	depth, quoted := 0, false
	for i := open; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i, true
			}
		}
	}
	return 0, false
}
