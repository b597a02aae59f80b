package table

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// An entity holds the document as text in columns Data, Data1, Data2 …, each at most 32,768 UTF-16 units.
const columnLimit = 30000

type entity struct {
	ETag         string `json:"odata.etag,omitempty"`
	PartitionKey string
	RowKey       string
	Data         string
}

func encodeRow(r Row) []byte {
	data := ascii(r.Data)
	if len(data) <= columnLimit {
		// A document of our own always marshals: it is text.
		raw, err := json.Marshal(entity{PartitionKey: r.Partition, RowKey: r.Key, Data: string(data)})
		if err != nil {
			panic(err)
		}
		return raw
	}
	columns := map[string]string{"PartitionKey": r.Partition, "RowKey": r.Key}
	for i, part := range split(string(data)) {
		columns[column(i)] = part
	}
	raw, err := json.Marshal(columns)
	if err != nil {
		panic(err)
	}
	return raw
}

// ascii writes a document's other characters as \uXXXX, which is the same JSON: Azurite reads a body in pieces
// and damages a character that lies on their border.
func ascii(raw []byte) []byte {
	plain := true
	for _, c := range raw {
		if c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(raw)/2)
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		raw = raw[size:]
		switch {
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func column(i int) string {
	if i == 0 {
		return "Data"
	}
	return "Data" + strconv.Itoa(i)
}

// split cuts ASCII text into columns.
func split(text string) []string {
	var parts []string
	for len(text) > columnLimit {
		parts = append(parts, text[:columnLimit])
		text = text[columnLimit:]
	}
	return append(parts, text)
}

// decodeRow reads the answer to a read of one entity.
func decodeRow(raw []byte) (Row, error) {
	var e entity
	if err := json.Unmarshal(raw, &e); err != nil {
		return Row{}, fmt.Errorf("decode entity: %w", err)
	}
	row := e.row()
	if !e.more() {
		return row, nil
	}
	var columns map[string]any
	if err := json.Unmarshal(raw, &columns); err != nil {
		return Row{}, fmt.Errorf("decode entity: %w", err)
	}
	row.Data = joined(columns)
	return row, nil
}

// decodeRows reads the answer to a query.
func decodeRows(raw []byte) ([]Row, error) {
	var answer struct {
		Value []entity `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("decode entities: %w", err)
	}
	rows := make([]Row, len(answer.Value))
	long := false
	for i := range answer.Value {
		rows[i] = answer.Value[i].row()
		long = long || answer.Value[i].more()
	}
	if !long {
		return rows, nil
	}
	var columns struct {
		Value []map[string]any `json:"value"`
	}
	if err := json.Unmarshal(raw, &columns); err != nil {
		return nil, fmt.Errorf("decode entities: %w", err)
	}
	for i := range rows {
		rows[i].Data = joined(columns.Value[i])
	}
	return rows, nil
}

func (e *entity) row() Row {
	return Row{Partition: e.PartitionKey, Key: e.RowKey, ETag: e.ETag, Data: []byte(e.Data)}
}

// more reports whether the document may go on in further columns.
func (e *entity) more() bool { return len(e.Data) >= columnLimit }

// joined is the document that stands in the columns.
func joined(columns map[string]any) []byte {
	var data []byte
	for i := 0; ; i++ {
		part, ok := columns[column(i)].(string)
		if !ok {
			return data
		}
		data = append(data, part...)
	}
}
