package jsondoc

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Lines are marks in a text, so that many places are found without reading the text again for each.
type Lines []mark

// mark is a place in a text: its byte, the number of the line, from 0, and of the character in it.
type mark struct{ at, line, column int }

// step is how many bytes lie between two marks.
const step = 1 << 10

// LinesOf reads a text.
func LinesOf(text []byte) Lines {
	out := Lines{{}}
	for last := out[0]; last.at+step < len(text); out = append(out, last) {
		end := last.at + step
		for !utf8.RuneStart(text[end]) && end > last.at+1 {
			end--
		}
		last = last.to(text, end)
	}
	return out
}

// to is the mark at a later byte.
func (m mark) to(text []byte, end int) mark {
	if newline := bytes.LastIndexByte(text[m.at:end], '\n'); newline >= 0 {
		m.line += bytes.Count(text[m.at:end], []byte("\n"))
		m.at, m.column = m.at+newline+1, 0
	}
	m.column += utf8.RuneCount(text[m.at:end])
	m.at = end
	return m
}

// Position is the line and the column of an offset, both from 1; columns count characters.
func (l Lines) Position(text []byte, offset int) (line, column int) {
	offset = min(max(offset, 0), len(text))
	n, found := slices.BinarySearchFunc(l, offset, func(m mark, offset int) int { return m.at - offset })
	if !found {
		n--
	}
	m := l[n].to(text, offset)
	return m.line + 1, m.column + 1
}
