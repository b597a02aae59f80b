package vmimage_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/packages/vmimage"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// qemuImg runs the real tool that publishers make their disks with.
func qemuImg(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		if os.Getenv("STOA_TEST_ALL") != "" {
			t.Fatal("qemu-img is not installed (Debian: qemu-utils)")
		}
		t.Skip("qemu-img is not installed")
	}
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// disk makes a disk of a size whose first bytes are given, in a format; options as qemu-img takes them.
func disk(t *testing.T, size int64, head []byte, format, options string) *os.File {
	t.Helper()
	dir := t.TempDir()
	raw, made := filepath.Join(dir, "raw"), filepath.Join(dir, "made")
	require.NoError(t, os.WriteFile(raw, head, 0o600))
	require.NoError(t, os.Truncate(raw, size))
	args := []string{"convert", "-f", "raw", "-O", format}
	if options != "" {
		args = append(args, "-o", options)
	}
	qemuImg(t, append(args, raw, made)...)
	f, err := os.Open(made)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func fixed(t *testing.T, size int64, head []byte) *os.File {
	return disk(t, size, head, "vpc", "subformat=fixed,force_size=on")
}

// mbr is a partition table whose entries begin at the sectors.
func mbr(starts ...uint32) []byte {
	b := make([]byte, 512)
	for i, lba := range starts {
		e := b[446+16*i:]
		e[4] = 0x83
		binary.LittleEndian.PutUint32(e[8:], lba)
		binary.LittleEndian.PutUint32(e[12:], 1000)
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}

var (
	efi  = []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}
	root = []byte{0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}
)

// gpt is a GUID partition table with one partition of each type at the sectors.
func gpt(kinds [][]byte, starts ...uint64) []byte {
	b := append(mbr(1), make([]byte, 33*512)...)
	b[446+4] = 0xee
	header := b[512:]
	copy(header, "EFI PART")
	binary.LittleEndian.PutUint64(header[72:], 2)
	binary.LittleEndian.PutUint32(header[80:], 128)
	binary.LittleEndian.PutUint32(header[84:], 128)
	for i, lba := range starts {
		e := b[1024+128*i:]
		copy(e, kinds[i])
		binary.LittleEndian.PutUint64(e[32:], lba)
	}
	return b
}

func check(t *testing.T, f *os.File, d vmimage.Disk) *finding.Report {
	t.Helper()
	info, err := f.Stat()
	require.NoError(t, err)
	report := finding.New("VirtualMachine")
	require.NoError(t, vmimage.CheckVHD("os", f, info.Size(), d, report))
	return report
}

// covered are the codes that the tables have found.
var covered sync.Map

func codes(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Code)
		covered.Store(f.Code, true)
	}
	return out
}

// TestImages goes through the tables of this package, in which every code of an image is found.
func TestImages(t *testing.T) {
	t.Run("links", links)
	t.Run("sets of disks", setsOfDisks)
	t.Run("configurations", configurations)
	t.Run("new images", newImages)
	t.Run("files", files)
	t.Run("galleries", galleries)
	t.Run("damage", damage)
	t.Run("disks", disks)
	t.Run("other formats", otherFormats)
	t.Run("every code", func(t *testing.T) {
		qemuImg(t, "--version") // without it the tables are not whole
		var found []string
		covered.Range(func(code, _ any) bool { found = append(found, code.(string)); return true })
		packagestest.Covers(t, []packagestest.Case{{}}, func(c finding.Code) bool {
			for _, prefix := range []string{"SAS-", "DL-", "VHD-", "CFG-"} {
				if strings.HasPrefix(c.Code, prefix) {
					return true
				}
			}
			return false
		}, found...)
	})
}

// Disks as qemu-img writes them.
func disks(t *testing.T) {
	linux, windows, data := vmimage.Disk{Family: vmimage.Linux, Generation: 1}, vmimage.Disk{Family: vmimage.Windows, Generation: 1}, vmimage.Disk{Data: true}
	second := vmimage.Disk{Family: vmimage.Linux, Generation: 2}
	approved := vmimage.Disk{Family: vmimage.Linux, Generation: 1, ApprovedBase: true}
	for _, row := range []struct {
		name string
		size int64
		head []byte
		disk vmimage.Disk
		want []string
	}{
		{"VMO-86 a Linux disk of 1 GiB", gib, mbr(2048), linux, []string{}},
		{"VMO-86 a Linux disk below 1 GiB", gib - mib, mbr(2048), linux, []string{"VHD-OS-LINUX"}},
		{"VMO-86 a Linux disk of 1023 GiB", 1023 * gib, mbr(2048), linux, []string{}},
		{"VMO-86 a Linux disk above 1023 GiB", 1023*gib + mib, mbr(2048), linux, []string{"VHD-OS-LINUX"}},
		{"VMO-86 a Windows disk of 30 GiB", 30 * gib, mbr(2048), windows, []string{}},
		{"VMO-86 a Windows disk below 30 GiB", 30*gib - mib, mbr(2048), windows, []string{"VHD-OS-WINDOWS"}},
		{"VMO-86 a Windows disk of 250 GiB", 250 * gib, mbr(2048), windows, []string{}},
		{"VMO-86 a Windows disk above 250 GiB", 250*gib + mib, mbr(2048), windows, []string{"VHD-OS-WINDOWS"}},
		{"VMO-86 a data disk of 1023 GiB", 1023 * gib, nil, data, []string{}},
		{"VMO-86 a data disk above 1023 GiB", 1023*gib + mib, nil, data, []string{"VHD-DATA-MAX"}},
		{"VMO-84 20 MiB", 20 * mib, nil, data, []string{}},
		{"VMO-84 below 20 MiB", 19 * mib, nil, data, []string{"VHD-MIN"}},
		{"VMO-84 no whole MiB", 20*mib + 512, nil, data, []string{"VHD-ALIGN"}},
		{"VMO-87 the first partition at sector 2047", gib, mbr(4096, 2047), linux, []string{"VHD-1MB-FREE"}},
		{"VMO-87 no table", gib, nil, linux, []string{"VHD-1MB-FREE"}},
		{"VMO-87 GPT at sector 2048", gib, gpt([][]byte{root}, 2048), linux, []string{}},
		{"VMO-87 GPT at sector 34", gib, gpt([][]byte{root}, 34), linux, []string{"VHD-1MB-FREE"}},
		{"VMO-87 a protective entry without a GPT", gib, gpt(nil)[:512], linux, []string{"VHD-1MB-FREE"}},
		{"VMO-88 generation 2 with an EFI system partition", gib, gpt([][]byte{root, efi}, 4096, 2048), second, []string{}},
		{"VMO-88 generation 2 without one", gib, gpt([][]byte{root}, 2048), second, []string{"VHD-GEN2"}},
		{"VMO-88 generation 2 with an MBR", gib, mbr(2048), second, []string{"VHD-GEN2"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, codes(check(t, fixed(t, row.size, row.head), row.disk)))
		})
	}
	report := check(t, fixed(t, gib, mbr(63)), approved)
	require.Equal(t, []string{"VHD-1MB-FREE"}, codes(report))
	require.False(t, report.Blocking, "VMO-87: an approved base is warned of only")
}

// What publishers upload by mistake is named (VMO-83).
func otherFormats(t *testing.T) {
	for _, row := range []struct {
		name, format, options, code, says string
	}{
		{"dynamic", "vpc", "subformat=dynamic,force_size=on", "VHD-FIXED", "dynamic VHD"},
		{"VHDX", "vhdx", "", "VHD-COOKIE", "VHDX"},
		{"qcow2", "qcow2", "", "VHD-COOKIE", "qcow2"},
		{"raw", "raw", "", "VHD-COOKIE", "no VHD footer"},
	} {
		t.Run("VMO-83 "+row.name, func(t *testing.T) {
			t.Parallel()
			report := check(t, disk(t, 32*mib, mbr(2048), row.format, row.options), vmimage.Disk{Data: true})
			require.Equal(t, []string{row.code}, codes(report))
			require.Contains(t, report.Findings[0].Fix, row.says)
			require.Contains(t, report.Findings[0].Message, "Invalid virtual hard disk (VHD)")
		})
	}
}

// Damage to a good footer (VMO-83, VMO-85).
func damage(t *testing.T) {
	good, err := os.ReadFile(fixed(t, 20*mib, nil).Name())
	require.NoError(t, err)
	size := len(good)
	for _, row := range []struct {
		name    string
		content []byte
		want    []string
	}{
		{"VMO-83 good", good, []string{}},
		{"VMO-83 a flipped bit", flip(good, size-100), []string{"VHD-CHECKSUM"}},
		{"VMO-83 no cookie", flip(good, size-512), []string{"VHD-COOKIE"}},
		{"VMO-83 cut off", good[:size-1], []string{"VHD-SHORT"}},
		{"VMO-83 nothing", nil, []string{"VHD-SHORT"}},
		{"VMO-83 gzip", append([]byte{0x1f, 0x8b}, make([]byte, 1022)...), []string{"VHD-COOKIE"}},
		{"VMO-85 a sector is missing", append(bytes.Clone(good[:512]), good[1024:]...), []string{"VHD-LENGTH"}},
	} {
		report := finding.New("VirtualMachine")
		require.NoError(t, vmimage.CheckVHD("os", bytes.NewReader(row.content), int64(len(row.content)), vmimage.Disk{Data: true}, report), row.name)
		require.Equal(t, row.want, codes(report), row.name)
	}
	err = vmimage.CheckVHD("os", failing{}, 1024, vmimage.Disk{}, finding.New(""))
	require.ErrorContains(t, err, "gone", "a failure of the source is no finding")
}

func flip(b []byte, at int) []byte {
	out := bytes.Clone(b)
	out[at] ^= 0xff
	return out
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("gone") }

// FuzzVHD: any bytes give a report and no panic, with the checksum set right so that what lies behind is reached.
func FuzzVHD(f *testing.F) {
	f.Add(mbr(2048), []byte("conectix"), true)
	f.Add(gpt([][]byte{efi}, 2048), make([]byte, 512), false)
	f.Fuzz(func(t *testing.T, head, footer []byte, data bool) {
		content := make([]byte, 20*1024+512)
		copy(content, head)
		last := content[len(content)-512:]
		copy(last, footer)
		copy(last, "conectix")
		binary.BigEndian.PutUint32(last[60:], 2)
		sum := uint32(0)
		for i, b := range last {
			if i < 64 || i >= 68 {
				sum += uint32(b)
			}
		}
		binary.BigEndian.PutUint32(last[64:], ^sum)
		report := finding.New("")
		require.NoError(t, vmimage.CheckVHD("x", bytes.NewReader(content), int64(len(content)), vmimage.Disk{Data: data, Generation: 2}, report))
		for _, found := range report.Findings {
			require.NotContains(t, []string{"VHD-COOKIE", "VHD-CHECKSUM", "VHD-FIXED"}, found.Code)
		}
	})
}
