package powerbi

import (
	"bytes"
	"image"
	"image/png"

	"stoa/shared/packages/finding"
)

// Slot is a place for an image of a listing.
type Slot struct {
	Width, Height int
	MaxBytes      int
}

// The slots of a visual's listing (PBV-9).
var (
	Icon       = Slot{Width: 300, Height: 300, MaxBytes: maxIcon}
	Screenshot = Slot{Width: 1366, Height: 768, MaxBytes: 1 << 20}
)

// CheckImage looks at an image for a slot (PBV-9).
func CheckImage(name string, raw []byte, slot Slot, report *finding.Report) {
	at := finding.Place{File: name}
	if len(raw) > slot.MaxBytes {
		report.Add("IMG_TOO_LARGE", at, "The image has %d bytes; at most %d are allowed.", len(raw), slot.MaxBytes)
		return
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || kind != "png" {
		report.Add("IMG_NOT_PNG", at, "The image does not decode as PNG.")
		return
	}
	if config.Width != slot.Width || config.Height != slot.Height {
		report.Add("IMG_SIZE", at, "The image is %d x %d; it must be %d x %d.", config.Width, config.Height, slot.Width, slot.Height)
		return
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		report.Add("IMG_NOT_PNG", at, "The image does not decode as PNG.")
	}
}
