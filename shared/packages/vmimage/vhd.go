package vmimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"stoa/shared/packages/finding"
)

const (
	sector     = 512
	mib        = 1 << 20
	gib        = 1 << 30
	minVirtual = 20 * mib
	fixedDisk  = 2
	firstLBA   = 2048 // at least, of the first partition: 1 MiB
)

// Family is an operating system family.
type Family string

// The families.
const (
	Linux   Family = "linux"
	Windows Family = "windows"
)

// Disk says what a VHD is for.
type Disk struct {
	Data         bool   // a data disk, not the one with the operating system
	Family       Family // of the operating system
	Generation   int    // 1 or 2
	ApprovedBase bool   // made from an approved base image, whose free space is known (VMO-87)
}

// CheckVHD looks at the footer of a VHD and, of an operating system disk, at its partitions, reading the last
// sector and the first 34 (VMO-83 to VMO-88). The error is that of the source.
func CheckVHD(file string, r io.ReaderAt, length int64, d Disk, report *finding.Report) error {
	at := finding.Place{File: file}
	if length < sector || length%sector != 0 {
		report.Say("VHD-SHORT", at, "The file has %d bytes, which are no whole sectors.", length)
		return nil
	}
	f, err := readFooter(r, length)
	if err != nil {
		return fmt.Errorf("read the footer of %s: %w", file, err)
	}
	if !f.check(length, at, report) {
		return nil
	}
	checkSize(f.size, d, at, report)
	if d.Data {
		return nil
	}
	head := make([]byte, min(34*sector, length-sector))
	if _, err := r.ReadAt(head, 0); err != nil {
		return fmt.Errorf("read the partition table of %s: %w", file, err)
	}
	checkPartitions(head, d, at, report)
	return nil
}

// footer is the last sector of a VHD, all numbers big-endian.
type footer struct {
	raw      []byte
	size     int64 // virtual, "current size"
	diskType uint32
	telltale string // what the file seems to be instead
}

func readFooter(r io.ReaderAt, length int64) (footer, error) {
	f := footer{raw: make([]byte, sector)}
	if _, err := r.ReadAt(f.raw, length-sector); err != nil {
		return f, err
	}
	f.size = int64(binary.BigEndian.Uint64(f.raw[48:]))
	f.diskType = binary.BigEndian.Uint32(f.raw[60:])
	head := make([]byte, min(2*sector, length))
	if _, err := r.ReadAt(head, 0); err != nil {
		return f, err
	}
	f.telltale = telltale(head)
	return f, nil
}

// telltale names the kind of file by its first bytes.
func telltale(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("vhdxfile")):
		return "The file is a VHDX."
	case bytes.HasPrefix(head, []byte("QFI\xfb")):
		return "The file is a qcow2 image."
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "The file is compressed with gzip."
	case bytes.HasPrefix(head, []byte("conectix")) && len(head) > sector && bytes.HasPrefix(head[sector:], []byte("cxsparse")):
		return "The file is a dynamic VHD."
	}
	return ""
}

// check looks at the footer itself (VMO-83 to VMO-85); false when its numbers mean nothing.
func (f footer) check(length int64, at finding.Place, report *finding.Report) bool {
	switch {
	case !bytes.HasPrefix(f.raw, []byte("conectix")):
		report.Say("VHD-COOKIE", at, "The last 512 bytes are no VHD footer. %s", f.telltale)
		return false
	case checksum(f.raw) != binary.BigEndian.Uint32(f.raw[64:]):
		report.Say("VHD-CHECKSUM", at, "The checksum of the footer is wrong.")
		return false
	case f.diskType != fixedDisk:
		report.Say("VHD-FIXED", at, "The disk type is %d. %s", f.diskType, f.telltale)
		return false
	}
	if f.size%mib != 0 {
		report.Say("VHD-ALIGN", at, "The virtual size is %d bytes.", f.size)
	}
	if f.size < minVirtual {
		report.Say("VHD-MIN", at, "The virtual size is %d bytes.", f.size)
	}
	if f.size != length-sector {
		report.Say("VHD-LENGTH", at, "The virtual size is %d bytes, the file without its footer has %d.", f.size, length-sector)
	}
	return true
}

// checksum is the one's complement of the sum of the footer's bytes without the checksum.
func checksum(raw []byte) uint32 {
	sum := uint32(0)
	for i, b := range raw {
		if i < 64 || i >= 68 {
			sum += uint32(b)
		}
	}
	return ^sum
}

// checkSize compares the virtual size with what the platform takes (VMO-86).
func checkSize(size int64, d Disk, at finding.Place, report *finding.Report) {
	code, least, most := "VHD-OS-LINUX", int64(gib), int64(1023*gib)
	switch {
	case d.Data:
		code, least = "VHD-DATA-MAX", 0
	case d.Family == Windows:
		code, least, most = "VHD-OS-WINDOWS", 30*gib, 250*gib
	}
	if size < least || size > most {
		report.Say(code, at, "The virtual size is %d bytes.", size)
	}
}
