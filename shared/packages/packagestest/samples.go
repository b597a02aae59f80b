package packagestest

import (
	"archive/zip"
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// Zip is an archive of files by name.
func Zip(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = f.Write([]byte(files[name]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// Identity names an extension of Business Central.
type Identity struct{ ID, Name, Version string }

// Extension is a signed .app file of the publisher Contoso that needs others.
func Extension(t testing.TB, of Identity, needs ...Identity) []byte {
	t.Helper()
	var on strings.Builder
	for _, d := range needs {
		fmt.Fprintf(&on, `<Dependency Id=%q Name=%q Publisher="Contoso" MinVersion=%q />`, d.ID, d.Name, d.Version)
	}
	content := Zip(t, map[string]string{
		"NavxManifest.xml": fmt.Sprintf(`<Package xmlns="http://schemas.microsoft.com/navx/2015/manifest">
			<App Id=%q Name=%q Publisher="Contoso" Version=%q Brief="Sells." Description="Sells things." PrivacyStatement="https://contoso.example/privacy"
				EULA="https://contoso.example/eula" Help="https://contoso.example/help" Logo="Logo.png" Application="24.0.0.0" />
			<Dependencies>%s</Dependencies></Package>`, of.ID, of.Name, of.Version, on.String()),
		"Logo.png": "picture",
	})
	var b bytes.Buffer
	b.WriteString("NAVX")
	_ = binary.Write(&b, binary.LittleEndian, []uint32{40, 2, 1, 2, 3, 4})
	_ = binary.Write(&b, binary.LittleEndian, uint64(len(content)))
	b.WriteString("NAVX")
	b.Write(content)
	at := uint32(b.Len())
	signature, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content []int `asn1:"explicit,tag:0"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, []int{1}})
	require.NoError(t, err)
	b.WriteString("NXSB")
	b.Write(signature)
	_ = binary.Write(&b, binary.LittleEndian, at)
	b.WriteString("NXSB")
	return b.Bytes()
}

// Visual is the package of a Power BI visual.
func Visual(t testing.TB, guid, version string) []byte {
	t.Helper()
	const icon = "iVBORw0KGgoAAAANSUhEUgAAABQAAAAUCAIAAAAC64paAAAAEklEQVR42mNgGAWjYBSMgqELAATEAAHOCvZkAAAAAElFTkSuQmCC"
	visual := fmt.Sprintf(`{"name":"radar","displayName":"Radar","guid":%q,"visualClassName":"Visual","version":%q,"description":"A radar.","supportUrl":"https://contoso.example"}`, guid, version)
	const author = `{"name":"Contoso","email":"dev@contoso.com"}`
	resource := "resources/" + guid + ".pbiviz.json"
	return Zip(t, map[string]string{
		"package.json": fmt.Sprintf(`{"version":%q,"author":%s,"resources":[{"resourceId":"rId0","sourceType":5,"file":%q}],"visual":%s,"metadata":{"pbivizjson":{"resourceId":"rId0"}}}`,
			version, author, resource, visual),
		resource: fmt.Sprintf(`{"visual":%s,"author":%s,"apiVersion":"3.8.0","capabilities":{"dataRoles":[]},"content":{"js":"var radar = {};","css":"","iconBase64":"data:image/png;base64,%s"}}`,
			visual, author, icon),
	})
}

// SampleReport is a PBIX that shows a visual.
func SampleReport(t testing.TB, guid, version string) []byte {
	t.Helper()
	utf16le := func(text string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return string(b)
	}
	return Zip(t, map[string]string{
		"[Content_Types].xml": "<Types/>", "Version": utf16le("1.28"), "DataModel": "model", "Report/Layout": utf16le("{}"),
		"Report/CustomVisuals/" + guid + "/package.json": fmt.Sprintf(`{"visual":{"guid":%q,"version":%q}}`, guid, version),
	})
}
