package toolkit

import (
	"fmt"
	"strings"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

// uiTests are the tests of the UI definition (AZA-201 to AZA-217). Without one that is an object they find nothing, and
// those that compare it with the main template find nothing without a template.
var uiTests = map[string]Test{
	"Allowed-Values-Should-Actually-Be-Allowed":                   both(uiAllowedValues),       // AZA-201
	"Controls-In-Outputs-Must-Exist":                              ui(uiControlsInOutputs),     // AZA-202
	"CreateUIDefinition-Must-Not-Have-Blanks":                     ui(uiBlanks),                // AZA-203
	"CreateUIDefinition-Should-Have-Schema":                       ui(uiSchema),                // AZA-204
	"Credential-Confirmation-Should-Not-Be-Hidden":                ui(uiConfirmation),          // AZA-205
	"Handler-Must-Be-Correct":                                     ui(uiHandler),               // AZA-206
	"HideExisting-Must-Be-Correctly-Handled":                      ui(uiHideExisting),          // AZA-207
	"Location-Should-Be-In-Outputs":                               ui(uiLocation),              // AZA-208
	"Outputs-Must-Be-Present-In-Template-Parameters":              both(uiOutputsInTemplate),   // AZA-209
	"Parameters-Without-Default-Must-Exist-In-CreateUIDefinition": both(uiParametersInOutputs), // AZA-210
	"Password-Textboxes-Must-Be-Used-For-Password-Parameters":     both(uiPasswordParameters),  // AZA-211
	"PasswordBoxes-Must-Have-Min-Length":                          ui(uiPasswordLength),        // AZA-212
	"Textboxes-Are-Well-Formed":                                   ui(uiTextBoxes),             // AZA-213
	"Tooltips-Should-Be-Present":                                  ui(uiToolTips),              // AZA-214
	"Usernames-Should-Not-Have-A-Default":                         ui(uiUserNames),             // AZA-215
	"Validations-Must-Have-Message":                               ui(uiValidations),           // AZA-216
	"VMSizes-Must-Match-Template":                                 both(uiVMSizes),             // AZA-217
}

// ui is a test that looks at the UI definition alone.
func ui(test Test) Test {
	return func(in *Input, found *Found) {
		if in.Definition != nil && in.Definition.Root.Is(jsondoc.Object) {
			test(in, found)
		}
	}
}

// both is a test that compares the UI definition with the main template.
func both(test Test) Test {
	return ui(func(in *Input, found *Found) {
		if in.Main != nil {
			test(in, found)
		}
	})
}

// OnUI records a finding about a place of the UI definition.
func (f *Found) OnUI(in *Input, where uidefinition.Spot, format string, args ...any) {
	f.aboutUI("", in, where, clipped(format, args))
}

// WarnUI records a finding about a place of the UI definition that does not block.
func (f *Found) WarnUI(in *Input, where uidefinition.Spot, format string, args ...any) {
	f.aboutUI(finding.Warning, in, where, clipped(format, args))
}

func (f *Found) aboutUI(s finding.Severity, in *Input, where uidefinition.Spot, message func() string) {
	if f.report.Full() { // only its severity counts
		f.report.Put(finding.Finding{Code: f.code, Severity: s})
		return
	}
	pointer, begin := where.Place()
	f.put(s, in.UI, pointer, begin, message())
}

// maxShown is how many bytes of a name or a value a message shows.
const maxShown = 200

// clipped is a message with the texts in it cut short.
func clipped(format string, args []any) func() string {
	return func() string {
		for i, arg := range args {
			if text, ok := arg.(string); ok && len(text) > maxShown {
				args[i] = strings.ToValidUTF8(text[:maxShown], "") + "…"
			}
		}
		return fmt.Sprintf(format, args...)
	}
}

// controlsOf are the objects anywhere in the definition that are of one of the types. Like the toolkit, it does not
// look into members whose name begins with parent.
func controlsOf(in *Input, types ...string) []*uidefinition.Object {
	out := []*uidefinition.Object{}
	for _, o := range in.Definition.Objects {
		if oneOf(o.Word("type"), types) && !hidden(o) {
			out = append(out, o)
		}
	}
	return out
}

func hidden(o *uidefinition.Object) bool {
	for ; o != nil; o = o.Up(0) {
		if len(o.Key) >= 6 && strings.EqualFold(o.Key[:6], "parent") {
			return true
		}
	}
	return false
}

// writtenOut is how the language of the toolkit writes a value into a text.
func writtenOut(n *jsondoc.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	writeOut(&b, n)
	return b.String()
}

func writeOut(b *strings.Builder, n *jsondoc.Node) {
	switch n.Kind {
	case jsondoc.Array:
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeOut(b, item)
		}
	case jsondoc.Object:
		if len(n.Members) == 0 {
			return
		}
		b.WriteString("@{")
		for i, m := range n.Members {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(m.Key + "=")
			writeOut(b, m.Value)
		}
		b.WriteByte('}')
	case jsondoc.String, jsondoc.Number, jsondoc.Bool:
		b.WriteString(n.Text)
	}
}

// isTrue is what the toolkit takes for the value true: the word, also as a text, and the number one.
func isTrue(n *jsondoc.Node) bool {
	return n != nil && (strings.EqualFold(n.Text, "true") || n.Is(jsondoc.Number) && n.Text == "1")
}
