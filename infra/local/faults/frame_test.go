package faults

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire makes a frame of a performative with its list's items.
func wire(channel uint16, code byte, count byte, items ...byte) []byte {
	body := append([]byte{0x00, 0x53, code, 0xc0, byte(len(items) + 1), count}, items...)
	raw := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	raw = append(raw, 2, 0)
	raw = binary.BigEndian.AppendUint16(raw, channel)
	return append(raw, body...)
}

func TestReadFrame(t *testing.T) {
	t.Parallel()
	var stream []byte
	stream = append(stream, "AMQP\x00\x01\x00\x00"...)
	stream = append(stream, 0, 0, 0, 8, 2, 0, 0, 0) // empty: the other side is alive
	stream = append(stream, 0, 0, 0, 12, 2, 1, 0, 0, 0x00, 0x53, 0x41, 0x45)
	sent := append(wire(3, transferCode, 6, 0x52, 7, 0x70, 0, 0, 1, 2, 0xa0, 2, 9, 9, 0x43, 0x42, 0x41), "payload"...)
	binary.BigEndian.PutUint32(sent, uint32(len(sent)))
	stream = append(stream, sent...)
	in := bytes.NewReader(stream)
	var passed []byte
	var last frame
	for i := range 4 {
		f, err := readFrame(in)
		require.NoError(t, err)
		passed = append(passed, f.raw...)
		if i < 3 {
			require.Zero(t, f.code)
		}
		last = f
	}
	require.Equal(t, stream, passed, "every byte goes on")
	require.Equal(t, byte(transferCode), last.code)
	require.Equal(t, uint16(3), last.channel)
	got, err := last.transfer()
	require.NoError(t, err)
	require.Equal(t, transfer{handle: 7, delivery: field{present: true, number: 258}, more: true}, got)

	for name, bad := range map[string][]byte{
		"too small": {0, 0, 0, 7, 2, 0, 0, 0}, "too large": {0xff, 0, 0, 0, 2, 0, 0, 0}, "cut": {0, 0, 0, 20, 2, 0, 0, 0, 1},
	} {
		_, err := readFrame(bytes.NewReader(bad))
		require.Error(t, err, name)
	}
}

func TestTransferFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		count byte
		items []byte
		want  transfer
	}{
		"a later frame":       {6, []byte{0x43, 0x40, 0x40, 0x40, 0x40, 0x42}, transfer{}},
		"left-out fields":     {2, []byte{0x43, 0x43}, transfer{delivery: field{present: true}}},
		"settled, long forms": {5, []byte{0x70, 0, 0, 0, 1, 0x52, 5, 0xb0, 0, 0, 0, 1, 9, 0x43, 0x56, 1}, transfer{handle: 1, delivery: field{present: true, number: 5}, settled: true}},
	} {
		f, err := readFrame(bytes.NewReader(wire(0, transferCode, c.count, c.items...)))
		require.NoError(t, err)
		got, err := f.transfer()
		require.NoError(t, err)
		require.Equal(t, c.want, got, name)
	}
	f, err := readFrame(bytes.NewReader(wire(0, transferCode, 3, 0x43, 0x43, 0xa0, 9, 1)))
	require.NoError(t, err)
	_, err = f.transfer()
	require.ErrorIs(t, err, errShort)
}

func TestDispositionRange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		items []byte
		ids   map[uint64]bool
	}{
		"one":          {[]byte{0x41, 0x52, 4, 0x40}, map[uint64]bool{3: false, 4: true, 5: false}},
		"several":      {[]byte{0x41, 0x52, 4, 0x52, 6}, map[uint64]bool{3: false, 4: true, 6: true, 7: false}},
		"the sender's": {[]byte{0x42, 0x52, 4, 0x52, 6}, map[uint64]bool{4: false}},
	} {
		f, err := readFrame(bytes.NewReader(wire(0, dispositionCode, 3, c.items...)))
		require.NoError(t, err)
		for id, want := range c.ids {
			require.Equal(t, want, f.settles(id), "%s: %d", name, id)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(wire(1, transferCode, 2, 0x43, 0x43))
	f.Add([]byte("AMQP\x03\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := readFrame(bytes.NewReader(raw))
		if err != nil {
			return
		}
		require.True(t, bytes.HasPrefix(raw, got.raw))
		_, _ = got.transfer()
		_ = got.settles(1)
	})
}
