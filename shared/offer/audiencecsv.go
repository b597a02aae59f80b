package offer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// AudienceKind is what the entries of an audience are.
type AudienceKind struct {
	Types  []string // what a file may call them; the first is what is exported
	Max    int
	Valid  func(id string) bool
	Called string
}

// Kinds of audience (SAS-26, SAS-27, SAS-44). The guide prints the first with a slip of the pen, which is accepted.
var (
	PreviewUsers = AudienceKind{Types: []string{"MixedAadMsaId", "MixedAadMsald"}, Max: 20, Valid: account.IsMail, Called: "an e-mail address"}
	PlanTenants  = AudienceKind{Types: []string{"TenantID"}, Max: 20_000, Valid: func(id string) bool { return account.GUID(id) != "" }, Called: "a GUID"}
)

var audienceHeader = []string{"ID", "Description", "Type"}

// ExportAudience writes a list as a file: ID, Description, Type.
func ExportAudience(k AudienceKind, ids []string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(audienceHeader); err != nil {
		return nil, fmt.Errorf("export audience: %w", err)
	}
	for _, id := range ids {
		if err := w.Write([]string{id, "", k.Types[0]}); err != nil {
			return nil, fmt.Errorf("export audience: %w", err)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// ImportAudience reads a file into the list that replaces what was there. Invalid, with a detail per row that is
// wrong, counted from the header as row 1.
func ImportAudience(k AudienceKind, file io.Reader) ([]string, error) {
	r := csv.NewReader(file)
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	header, err := r.Read()
	if err != nil || !isHeader(header) {
		return nil, fault.New(fault.Invalid, CodeInvalid, "row 1", "The first row is ID,Description,Type.").Because(err)
	}
	var wrong fault.Findings
	var ids []string
	seen := map[string]bool{}
	for row := 2; ; row++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		target := fmt.Sprintf("row %d", row)
		if err != nil {
			return nil, fault.New(fault.Invalid, CodeInvalid, target, "The row cannot be read.").Because(err)
		}
		if len(ids) == k.Max {
			return nil, fault.New(fault.Invalid, CodeLimit, target, "An audience has at most %d entries.", k.Max)
		}
		id, words := k.entry(record)
		if key := strings.ToLower(id); words == "" && seen[key] {
			words = "The ID stands twice."
		} else {
			seen[key] = true
		}
		if words != "" {
			wrong.Add(CodeInvalid, target, "%s", words)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		wrong.Add(CodeRequired, "row 2", "The file has no entries.")
	}
	return ids, wrong.Err(fault.Invalid, CodeInvalid, "Some rows cannot be imported.")
}

func isHeader(row []string) bool {
	if len(row) == 0 {
		return false
	}
	row[0] = strings.TrimPrefix(row[0], "\ufeff")
	return slices.EqualFunc(row, audienceHeader, func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), b) })
}

// entry reads one row and says what is wrong with it.
func (k *AudienceKind) entry(record []string) (id, words string) {
	if len(record) != len(audienceHeader) {
		return "", "A row has three columns: ID, Description, Type."
	}
	id = strings.TrimSpace(record[0])
	switch {
	case !k.Valid(id):
		return id, "The ID must be " + k.Called + "."
	case !slices.Contains(k.Types, strings.TrimSpace(record[2])):
		return id, "The type must be " + k.Types[0] + "."
	}
	return id, ""
}
