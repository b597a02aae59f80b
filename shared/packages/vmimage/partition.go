package vmimage

import (
	"bytes"
	"encoding/binary"

	"stoa/shared/packages/finding"
)

// efiSystem is the type of an EFI system partition, C12A7328-F81F-11D2-BA4B-00A0C93EC93B, as it stands on a disk.
var efiSystem = []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}

// partitions is what the first 34 sectors of a disk say.
type partitions struct {
	efi   bool   // has an EFI system partition
	first uint64 // lowest sector a partition begins at; 0 when there is none
}

// checkPartitions looks at the free space before the first partition and at how a machine boots (VMO-87, VMO-88).
func checkPartitions(head []byte, d Disk, at finding.Place, report *finding.Report) {
	p := readPartitions(head)
	if p.first < firstLBA {
		why := "The disk has no partition table."
		if p.first > 0 {
			why = "A partition begins before the sector 2048."
		}
		free(d, at, why, report)
	}
	if d.Generation == 2 && !p.efi {
		report.Say("VHD-GEN2", at, "The disk has no GPT with an EFI system partition.")
	}
}

// free reports the missing space; an image made from an approved base has it whatever its table says.
func free(d Disk, at finding.Place, why string, report *finding.Report) {
	c, _ := finding.Lookup("VHD-1MB-FREE")
	f := finding.Finding{Code: c.Code, File: at.File, Message: c.Message, Fix: why + " " + c.Fix}
	if d.ApprovedBase {
		f.Severity = finding.Warning
	}
	report.Put(f)
}

// readPartitions reads an MBR, and the GPT that its protective entry announces.
func readPartitions(head []byte) partitions {
	const table, entry, entries, signature = 446, 16, 4, 510
	var p partitions
	if len(head) < sector || head[signature] != 0x55 || head[signature+1] != 0xaa {
		return p
	}
	for i := range entries {
		e := head[table+i*entry:]
		kind, start := e[4], uint64(binary.LittleEndian.Uint32(e[8:]))
		switch {
		case kind == 0xee:
			return readGPT(head)
		case kind != 0:
			p.begin(start)
		}
	}
	return p
}

// readGPT reads the entries that lie within the first 34 sectors, which are all 128 of the usual table.
func readGPT(head []byte) partitions {
	const entriesAt, sizeAt, least = 72, 84, 128
	var p partitions
	if len(head) < 2*sector || !bytes.HasPrefix(head[sector:], []byte("EFI PART")) {
		return partitions{}
	}
	header := head[sector:]
	at, size := binary.LittleEndian.Uint64(header[entriesAt:]), uint64(binary.LittleEndian.Uint32(header[sizeAt:]))
	if size < least || at > uint64(len(head))/sector {
		return p
	}
	for at *= sector; at+size <= uint64(len(head)); at += size {
		e := head[at:]
		if bytes.Equal(e[:16], make([]byte, 16)) {
			continue
		}
		p.efi = p.efi || bytes.Equal(e[:16], efiSystem)
		p.begin(binary.LittleEndian.Uint64(e[32:]))
	}
	return p
}

func (p *partitions) begin(lba uint64) {
	if p.first == 0 || lba < p.first {
		p.first = max(lba, 1) // a partition at sector 0 is one all the same
	}
}
