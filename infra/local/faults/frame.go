package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The AMQP performatives that are looked at.
const (
	transferCode    = 0x14
	dispositionCode = 0x15
)

// largestFrame bounds a frame; the largest either side offers is far smaller.
const largestFrame = 64 << 20

// frame is one frame, or a protocol header, as it goes over the wire.
type frame struct {
	raw     []byte
	code    byte // of its performative; 0 for a protocol header, an empty frame, or one that is not AMQP
	channel uint16
	fields  []byte // the performative's list, its items only
	count   int    // items of the list
}

// readFrame reads the next frame whole.
func readFrame(r io.Reader) (frame, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return frame{}, err
	}
	if string(head[:4]) == "AMQP" {
		return frame{raw: head}, nil
	}
	size := binary.BigEndian.Uint32(head)
	if size < 8 || size > largestFrame {
		return frame{}, fmt.Errorf("read a frame: it cannot have %d bytes", size)
	}
	raw := append(head, make([]byte, size-8)...)
	if _, err := io.ReadFull(r, raw[8:]); err != nil {
		return frame{}, err
	}
	f := frame{raw: raw, channel: binary.BigEndian.Uint16(raw[6:])}
	if offset := int(raw[4]) * 4; raw[5] == 0 && offset <= len(raw) {
		f.parse(raw[offset:])
	}
	return f, nil
}

// parse finds the performative: a described list. What is none is left alone.
func (f *frame) parse(body []byte) {
	if len(body) < 4 || body[0] != 0x00 || body[1] != 0x53 {
		return
	}
	switch list := body[3:]; {
	case list[0] == 0xc0 && len(list) >= 3:
		f.code, f.count, f.fields = body[2], int(list[2]), list[3:]
	case list[0] == 0xd0 && len(list) >= 9:
		f.code, f.count, f.fields = body[2], int(binary.BigEndian.Uint32(list[5:])), list[9:]
	}
}

var errShort = errors.New("read a frame: a field ends early")

// field is one item of a performative's list.
type field struct {
	present bool
	number  uint64
	truth   bool
}

// first reads the first n fields of the performative; those the sender left out are absent.
func (f frame) first(n int) ([]field, error) {
	fields := make([]field, n)
	rest := f.fields
	for i := range min(n, f.count) {
		var err error
		if fields[i], rest, err = readField(rest); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// readField reads one primitive value. Text and binary are skipped.
func readField(b []byte) (field, []byte, error) {
	if len(b) == 0 {
		return field{}, nil, errShort
	}
	code, b := b[0], b[1:]
	size := 0
	switch {
	case code == 0x40:
		return field{}, b, nil
	case code == 0x41 || code == 0x42:
		return field{present: true, truth: code == 0x41}, b, nil
	case code == 0x43 || code == 0x44 || code == 0x45:
		return field{present: true}, b, nil
	case code>>4 >= 0x5 && code>>4 <= 0x9:
		size = 1 << (code>>4 - 5)
		if len(b) < size {
			return field{}, nil, errShort
		}
		return field{present: true, number: number(b[:size]), truth: code == 0x56 && b[0] == 1}, b[size:], nil
	case code>>4 == 0xa && len(b) >= 1:
		size = 1 + int(b[0])
	case code>>4 == 0xb && len(b) >= 4:
		size = 4 + int(binary.BigEndian.Uint32(b))
	default:
		return field{}, nil, fmt.Errorf("read a frame: a field of type %#x was not expected", code)
	}
	if size > len(b) {
		return field{}, nil, errShort
	}
	return field{present: true}, b[size:], nil
}

func number(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// transfer is what a transfer frame says of its delivery.
type transfer struct {
	handle   uint64
	delivery field // its id, on the first frame of a delivery only
	settled  bool  // the sender expects no answer
	more     bool  // further frames of the delivery follow
}

func (f frame) transfer() (transfer, error) {
	v, err := f.first(6)
	if err != nil {
		return transfer{}, err
	}
	return transfer{handle: v[0].number, delivery: v[1], settled: v[4].truth, more: v[5].truth}, nil
}

// settles reports whether a disposition is the receiver's answer to the delivery.
func (f frame) settles(delivery uint64) bool {
	v, err := f.first(3)
	if err != nil || !v[0].truth {
		return false
	}
	last := v[1].number
	if v[2].present {
		last = v[2].number
	}
	return v[1].number <= delivery && delivery <= last
}
