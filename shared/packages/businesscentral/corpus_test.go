package businesscentral_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive/archivetest"
	"stoa/shared/packages/businesscentral"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// base is the clean submission that the cases change.
func base(t testing.TB) []packagestest.File { return packagestest.Base(t, "testdata/base.txt") }

// cms is signed data by its outermost form.
func cms(t testing.TB, kind ...int) []byte {
	t.Helper()
	raw, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content []int `asn1:"explicit,tag:0"`
	}{kind, []int{1}})
	require.NoError(t, err)
	return raw
}

// extension is an .app file around an archive, broken in the way that is named.
func extension(t testing.TB, content []byte, broken string) []byte {
	t.Helper()
	switch broken {
	case "nothing":
		return nil
	case "runtime":
		content = append([]byte(".NEA"), content...)
	case "content":
		content = []byte("no archive")
	}
	var b bytes.Buffer
	b.WriteString(map[bool]string{true: "NAVY", false: "NAVX"}[broken == "first mark"])
	_ = binary.Write(&b, binary.LittleEndian, []uint32{map[bool]uint32{true: 44, false: 40}[broken == "header size"], 2, 1, 2, 3, 4})
	length := uint64(len(content))
	switch broken {
	case "long":
		length += uint64(len(block(t, 0, ""))) + 1
	case "longest":
		length = 1<<64 - 1
	}
	_ = binary.Write(&b, binary.LittleEndian, length)
	b.WriteString(map[bool]string{true: "NXSB", false: "NAVX"}[broken == "second mark"])
	if broken == "39 bytes" {
		return b.Bytes()[:39]
	}
	b.Write(content)
	if broken != "unsigned" {
		b.Write(block(t, uint32(b.Len()), broken))
	}
	return b.Bytes()
}

// block is a signature block that stands at an offset.
func block(t testing.TB, at uint32, broken string) []byte {
	t.Helper()
	message := cms(t, 1, 2, 840, 113549, 1, 7, 2)
	switch broken {
	case "blanks":
		return []byte("    ")
	case "no cms":
		message = []byte("no message")
	case "other data":
		message = cms(t, 1, 2, 840, 113549, 1, 7, 1)
	case "offset":
		at++
	case "large block":
		message = append(message, make([]byte, 1<<20)...)
	}
	out := append([]byte("NXSB"), message...)
	out = binary.LittleEndian.AppendUint32(out, at)
	if broken == "no end" {
		return out
	}
	return append(out, "NXSB"...)
}

// slots are the files of a case, with these options beside those of packagestest.Changed:
//
//	rename=OLD NEW           an archive that has another name
//	bytes NAME=HOW           an archive that is broken in a way of extension
func slots(t testing.TB, clean []packagestest.File, c packagestest.Case) map[string]*businesscentral.File {
	t.Helper()
	inside := map[string][]archivetest.File{}
	for _, f := range packagestest.Changed(t, clean, c) {
		slot, rest, _ := strings.Cut(f.Name, "!/")
		inside[slot] = append(inside[slot], archivetest.File{Name: rest, Bytes: []byte(f.Text)})
	}
	out := map[string]*businesscentral.File{}
	for slot, files := range inside {
		wrap := func(name string, content []byte) []byte {
			return extension(t, content, c.Options["bytes "+slot+"!/"+name])
		}
		raw := archivetest.Zip(t, files, wrap)
		if strings.HasSuffix(slot, ".app") || c.Options["bytes "+slot] != "" {
			raw = extension(t, raw, c.Options["bytes "+slot])
		}
		f := &businesscentral.File{Name: slot, Bytes: bytes.NewReader(raw), Size: int64(len(raw))}
		if c.Options["bytes "+slot] == "large" {
			f.Size = 300<<20 + 1
		}
		if old, with, _ := strings.Cut(c.Options["rename"], " "); old == slot {
			f.Name = with
		}
		out[slot] = f
	}
	return out
}

func submission(slots map[string]*businesscentral.File) businesscentral.Submission {
	s := businesscentral.Submission{Main: slots["main.app"], Library: slots["library.zip"], Tests: slots["tests.app"], Dependency: slots["dependency.app"]}
	if library := slots["library.app"]; library != nil {
		s.Library = library
	}
	return s
}

func options(t testing.TB, c packagestest.Case, main *businesscentral.File) businesscentral.Options {
	t.Helper()
	o := businesscentral.Options{
		Connect: c.Options["connect"] != "", Name: c.Options["name"], Publisher: c.Options["publisher"],
		AppVersion: c.Options["version"], LiveID: c.Options["live"],
	}
	if markets := c.Options["markets"]; markets != "" {
		o.Markets = strings.Split(markets, ",")
	}
	for _, text := range strings.Split(c.Options["published"], ";") {
		fields := strings.Fields(text)
		if len(fields) < 3 {
			continue
		}
		p := businesscentral.Published{ID: fields[0], Version: fields[1], Markets: strings.Split(fields[2], ",")}
		p.Foreign = slices.Contains(fields, "foreign")
		if slices.Contains(fields, "same") {
			raw, err := io.ReadAll(io.NewSectionReader(main.Bytes, 0, main.Size))
			require.NoError(t, err)
			sum := sha256.Sum256(raw)
			p.SHA256 = strings.ToUpper(hex.EncodeToString(sum[:]))
		}
		o.Published = append(o.Published, p)
	}
	return o
}

// TestSubmissions finds in each case what it says: what the extensions need can be had (DYN-52), and they agree with the
// offer (DYN-54).
func TestSubmissions(t *testing.T) {
	t.Parallel()
	clean := base(t)
	cases := packagestest.Corpus(t, "testdata/corpus")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			files := slots(t, clean, c)
			report := finding.New("Dynamics365BusinessCentral")
			_, err := businesscentral.Validate(context.Background(), submission(files), options(t, c, files["main.app"]), report)
			require.NoError(t, err)
			require.ElementsMatch(t, c.Findings, packagestest.Described(report), c.Title)
			for _, f := range report.Findings {
				require.True(t, strings.Contains(c.Title, f.Rule) || len(c.Findings) > 1, "%s is found under %s", c.Title, f.Rule)
				require.True(t, f.Path == "" || f.Line > 0 && f.Column > 0, "%s has no line", f.Code)
			}
		})
	}
	packagestest.Breaks(t, cases, "DYN-49", "DYN-52", "DYN-53", "DYN-54")
	packagestest.Covers(t, cases, func(c finding.Code) bool {
		return strings.HasPrefix(c.Code, "BC_") || strings.HasPrefix(c.Code, "AVS") || strings.HasPrefix(c.Code, "AS0")
	})
}

// TestFacts is what a clean submission says of itself. The minimum release is the highest of what all extensions ask
// for, by the application or by a dependency on one of its parts.
func TestFacts(t *testing.T) {
	t.Parallel()
	facts, err := businesscentral.Validate(context.Background(), submission(slots(t, base(t), packagestest.Case{})), businesscentral.Options{}, finding.New(""))
	require.NoError(t, err)
	require.Equal(t, "24.1", facts.MinimumRelease)
	require.Len(t, facts.Extensions, 2)
	require.Equal(t, businesscentral.Extension{
		File: "main.app", ID: "11111111-1111-4111-8111-111111111111", Name: "Contoso Rental", Publisher: "Contoso", Version: "1.2.3.4", Application: "24.0.0.0",
		Dependencies: []businesscentral.Dependency{
			{ID: "437dbf0e-84ff-417a-965d-ed2bb9650972", Name: "Base Application", Publisher: "Microsoft", MinVersion: "24.1.0.0"},
			{ID: "22222222-2222-4222-8222-222222222222", Name: "Contoso Library", Publisher: "Contoso", MinVersion: "2.0.0.0"},
		},
	}, facts.Extensions[0])
	require.Equal(t, []string{"library.zip!/Contoso Library.app", "22222222-2222-4222-8222-222222222222"}, []string{facts.Extensions[1].File, facts.Extensions[1].ID})
}

// TestSource tells a store that fails from a file that is broken, wherever it fails.
func TestSource(t *testing.T) {
	t.Parallel()
	main := slots(t, base(t), packagestest.Case{})["main.app"]
	for _, good := range []int64{0, 40, 44, main.Size - 100, main.Size - 1} {
		f := &businesscentral.File{Name: "main.app", Bytes: packagestest.Failing{ReaderAt: main.Bytes, Good: good}, Size: main.Size}
		report := finding.New("")
		_, err := businesscentral.Validate(context.Background(), businesscentral.Submission{Main: f}, businesscentral.Options{}, report)
		require.ErrorIs(t, err, io.ErrClosedPipe, "%d bytes", good)
		require.Empty(t, report.Findings)
	}
}
