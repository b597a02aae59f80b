package xmldoc_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/xmldoc"
)

func utf16of(s string, order binary.ByteOrder) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(s)) {
		_ = binary.Write(&b, order, u)
	}
	return b.String()
}

func TestReadable(t *testing.T) {
	t.Parallel()
	const text = `<?xml version="1.0" encoding="utf-16"?><a><b>ü𝄞</b></a>`
	for name, raw := range map[string]string{
		"UTF-8 that declares UTF-16":      text,
		"UTF-8 with a mark":               "\xef\xbb\xbf" + text,
		"UTF-16, little end first":        utf16of(text, binary.LittleEndian),
		"UTF-16, big end first":           utf16of(text, binary.BigEndian),
		"UTF-16 with a mark":              "\xff\xfe" + utf16of(text, binary.LittleEndian),
		"UTF-16 with a mark, big end":     "\xfe\xff" + utf16of(text, binary.BigEndian),
		"a mark is believed before words": "\xef\xbb\xbf" + strings.Replace(text, "utf-16", "latin1", 1),
		"no declaration":                  `<a><b>ü𝄞</b></a>`,
		"a namespace":                     `<x:a xmlns:x="urn:a"><x:b>ü𝄞</x:b></x:a>`,
		"a comment and an instruction":    "<!-- a --><?b c?><a><b>ü<!-- d -->𝄞</b></a>\n",
		"character data":                  `<a><b><![CDATA[ü]]>&#x1D11E;</b></a>`,
		"a hundred deep":                  `<a><b>ü𝄞</b>` + strings.Repeat("<c>", 99) + strings.Repeat("</c>", 99) + `</a>`,
	} {
		doc, problem := xmldoc.Parse("f.xml", []byte(raw))
		require.Nil(t, problem, name)
		require.Equal(t, "ü𝄞", doc.Root.Content("b"), name)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing":                "",
		"a text":                 "a",
		"no end":                 "<a>",
		"another end":            "<a></b>",
		"two roots":              "<a/><b/>",
		"text behind the root":   "<a/>b",
		"a document type":        `<!DOCTYPE a><a/>`,
		"an unknown entity":      `<a>&b;</a>`,
		"an attribute twice":     `<a b="1" b="2"/>`,
		"no UTF-8":               "<a>\xff</a>",
		"half a character":       "\xff\xfe<\x00a",
		"another encoding":       `<?xml version="1.0" encoding="iso-8859-1"?><a/>`,
		"a hundred and one deep": strings.Repeat("<c>", 101) + strings.Repeat("</c>", 101),
		"too many elements":      "<a>" + strings.Repeat("<b/>", 100_000) + "</a>",
		"a tag that is too long": `<a b="` + strings.Repeat("c", 4<<20) + `"/>`,
	} {
		doc, problem := xmldoc.Parse("f.xml", []byte(raw))
		require.NotNil(t, problem, name)
		require.Nil(t, doc, name)
		require.NotEmpty(t, problem.Message, name)
		require.LessOrEqual(t, len(problem.Message), 210, name)
		require.Positive(t, problem.Place.Line, name)
	}
}

// TestManyElements is the border of what is kept.
func TestManyElements(t *testing.T) {
	t.Parallel()
	_, problem := xmldoc.Parse("f.xml", []byte("<a>"+strings.Repeat("<b/>", 99_999)+"</a>"))
	require.Nil(t, problem)
}

func TestPlace(t *testing.T) {
	t.Parallel()
	doc, problem := xmldoc.Parse("f.xml", []byte("<a>\n  <b/><b c='ü'/>\n  ü<d><e f='1'/></d>\n</a>"))
	require.Nil(t, problem)
	second, d := doc.Root.All("b")[1], doc.Root.Child("d")
	for _, row := range []struct {
		element *xmldoc.Element
		attr    string
		want    finding.Place
	}{
		{nil, "", finding.Place{File: "f.xml", Path: "/a", Line: 1, Column: 1}},
		{second, "", finding.Place{File: "f.xml", Path: "/a/b[2]", Line: 2, Column: 7}},
		{second, "c", finding.Place{File: "f.xml", Path: "/a/b[2]/@c", Line: 2, Column: 7}},
		{d.Child("e"), "f", finding.Place{File: "f.xml", Path: "/a/d/e/@f", Line: 3, Column: 7}},
	} {
		require.Equal(t, row.want, doc.Place(row.element, row.attr))
	}
	_, problem = xmldoc.Parse("f.xml", []byte("<a>\n  <b></c>\n</a>"))
	require.Equal(t, 2, problem.Place.Line)
}

// TestParts keeps what is asked for and nothing else, so that much else may stand beside it.
func TestParts(t *testing.T) {
	t.Parallel()
	text := `<a q="1"><x>` + strings.Repeat("<y z='1'>t</y>", 60_000) + `<Part><p>1</p></Part></x><b>t<PART c="2"/></b><part/></a>`
	doc, problem := xmldoc.Parse("f.xml", []byte(text), "part")
	require.Nil(t, problem)
	var names []string
	for _, e := range doc.Root.Children {
		names = append(names, fmt.Sprint(e.Name, e.Values()))
	}
	require.Equal(t, []string{"Part[1]", "PART[2]", "part[]"}, names)
	require.Equal(t, "/a/x/Part", doc.Place(doc.Root.Children[0], "").Path)
}

func TestAbsent(t *testing.T) {
	t.Parallel()
	var none *xmldoc.Element
	require.Empty(t, none.Attr("a"))
	require.Empty(t, none.All("a"))
	require.Nil(t, none.Child("a"))
	require.Empty(t, none.Content("a"))
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<a b='c'>d<e/></a>"), "")
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"), "e")
	f.Add([]byte(`<?xml version="1.0" encoding="utf-16"?><a><e>&amp;</e></a>`), "e")
	f.Fuzz(func(t *testing.T, raw []byte, part string) {
		var parts []string
		if part != "" {
			parts = []string{part}
		}
		doc, problem := xmldoc.Parse("f.xml", raw, parts...)
		require.Equal(t, doc == nil, problem != nil)
		if doc == nil {
			return
		}
		e := doc.Root
		require.True(t, strings.HasPrefix(doc.Place(e, "").Path, "/"))
		for len(e.Children) > 0 {
			e = e.Children[len(e.Children)-1]
		}
		require.LessOrEqual(t, e.Offset, len(doc.Text))
		require.Positive(t, doc.Place(e, "x").Line)
	})
}
