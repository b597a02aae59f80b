package uidefinition_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/uidefinition"
)

func parse(t testing.TB, text string) *uidefinition.Definition {
	t.Helper()
	doc := content.Parse("createUiDefinition.json", []byte(text), finding.New(""))
	require.NotNil(t, doc)
	return uidefinition.New(doc)
}

const definition = `{"PARAMETERS": {
 "basics": [{"name": "a", "type": "microsoft.common.textbox"}, 7, {"name": "s", "type": "Microsoft.Common.Section", "elements": [{"name": "b"}]}],
 "steps": [{"name": "one", "elements": [{"name": "s", "elements": [{"name": "c"}, {"name": "d"}]}]}, {"name": "two", "elements": {}}],
 "outputs": {"x": "[basics('a')]", "Y/": {"z": 1}}}}`

func TestModel(t *testing.T) {
	t.Parallel()
	d := parse(t, definition)
	got := []string{}
	for _, e := range d.Elements() {
		got = append(got, e.Step+":"+strings.Join(e.Path, ".")+" "+e.Pointer())
	}
	require.Equal(t, []string{
		":a /PARAMETERS/basics/0", ": /PARAMETERS/basics/1", ":s /PARAMETERS/basics/2", ":s.b /PARAMETERS/basics/2/elements/0",
		"one:s /PARAMETERS/steps/0/elements/0", "one:s.c /PARAMETERS/steps/0/elements/0/elements/0", "one:s.d /PARAMETERS/steps/0/elements/0/elements/1",
	}, got)
	require.Len(t, d.Steps, 2)
	require.Equal(t, "x", d.Outputs[0].Name)
	require.Equal(t, "Y/", d.Outputs[1].Name)
	require.True(t, d.Basics[0].Known())
	require.True(t, d.Basics[0].NeedsLabel())
	require.True(t, d.Basics[2].OfType(uidefinition.Section))
	require.False(t, d.Steps[0].Elements[0].Known())
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	d := parse(t, definition)
	for _, row := range []struct {
		spot    uidefinition.Spot
		pointer string
		begins  string
	}{
		{d.Root.At(), "", `{"PARAMETERS`},
		{d.Root.At("parameters", "basics"), "/PARAMETERS/basics", `"basics"`},
		{d.Root.At("parameters", "outputs", "y/"), "/PARAMETERS/outputs/Y~1", `"Y/"`},
		{d.Root.At("parameters", "basics", "1"), "/PARAMETERS/basics/1", `7`},
		{d.Root.At("parameters", "basics", "9", "x"), "/PARAMETERS/basics/9/x", `"basics"`},
		{d.Root.At("parameters", "basics", "-1"), "/PARAMETERS/basics/-1", `"basics"`},
		{d.Basics[0].At("label"), "/PARAMETERS/basics/0/label", `{"name": "a"`},
		{d.Basics[0].At("TYPE"), "/PARAMETERS/basics/0/type", `"type"`},
	} {
		pointer, begin := row.spot.Place()
		require.Equal(t, row.pointer, pointer)
		require.True(t, strings.HasPrefix(definition[begin:], row.begins), "%s begins at %.10s", pointer, definition[begin:])
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	d := parse(t, definition)
	b, c := d.Basics[2].Elements[0], d.Steps[0].Elements[0].Elements[0]
	for _, row := range []struct {
		name, text string
		toB, toC   bool
	}{
		{"an element in a section of the first page", "[basics('s').b]", true, false},
		{"an element in a section of a step", "[steps('one').s.c]", false, true},
		{"what an element gives", "[steps('one').s.c.resourceGroup]", false, true},
		{"another case and an index", "[ STEPS('One')['S'].C ]", false, true},
		{"inside of a call", "[concat(steps('one').s.c, basics('s').b)]", true, true},
		{"the section", "[steps('one').s]", false, false},
		{"another step", "[steps('two').s.c]", false, false},
		{"another element", "[basics('s').c]", false, false},
		{"the name is computed", "[basics(concat('s')).b]", false, false},
		{"in a text", "[concat('basics(''s'').b')]", false, false},
		{"no expression", "basics('s').b", false, false},
		{"not readable", "[basics('s').b", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			toB, toC := false, false
			for _, r := range uidefinition.References(row.text) {
				toB, toC = toB || r.To(b), toC || r.To(c)
			}
			require.Equal(t, [2]bool{row.toB, row.toC}, [2]bool{toB, toC})
		})
	}
}

// FuzzDefinition: any JSON is read, every object stands where its pointer says, and References takes any text.
func FuzzDefinition(f *testing.F) {
	f.Add(definition)
	f.Add(`[[{"a": [[{}]]}]]`)
	f.Add(`{"parameters": {"outputs": {"a": "[steps('a')['b'].c]"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		uidefinition.References(text)
		doc := content.Parse("x.json", []byte(text), finding.New(""))
		if doc == nil {
			return
		}
		d := uidefinition.New(doc)
		for _, o := range d.Objects {
			require.Contains(t, "{", string(doc.Text[o.Offset]))
			require.True(t, o.Parent == nil || strings.HasPrefix(o.Pointer(), o.Parent.Pointer()))
		}
		for _, e := range d.Elements() {
			require.NotEmpty(t, e.Path)
		}
	})
}
