package offers

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path"
	"strconv"
	"strings"

	"stoa/shared/fault"
)

const (
	maxImage    = 2 << 20
	mediumSide  = 90 // pixels of a side
	smallSide   = 48
	smallestTop = 216 // of a large logo
	largestTop  = 350
)

// imageKinds are the kinds of upload that are pictures.
var imageKinds = []string{kindLogo, kindMediumLogo, kindSmallLogo, kindScreenshot, kindThumbnail}

// imageSizes are the exact sizes of pictures, by kind; a large logo has a range.
var imageSizes = map[string]image.Point{
	kindMediumLogo: {X: mediumSide, Y: mediumSide}, kindSmallLogo: {X: smallSide, Y: smallSide},
	kindScreenshot: {X: 1280, Y: 720}, kindThumbnail: {X: 1280, Y: 720},
}

// checkImage wants a PNG of the kind's size by its bytes (SAS-22, SAS-23).
func checkImage(kind string, content []byte) error {
	config, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return fault.New(fault.Invalid, "NotPNG", "file", "The file is not a PNG image.").Because(err)
	}
	size, exact := imageSizes[kind]
	switch {
	case exact && (config.Width != size.X || config.Height != size.Y):
		return fault.New(fault.Invalid, "WrongImageSize", "file", "The image has %d x %d pixels; it must have %d x %d.", config.Width, config.Height, size.X, size.Y)
	case !exact && (config.Width != config.Height || config.Width < smallestTop || config.Width > largestTop):
		return fault.New(fault.Invalid, "WrongImageSize", "file", "The logo has %d x %d pixels; it must be square with sides of %d to %d.",
			config.Width, config.Height, smallestTop, largestTop)
	}
	return nil
}

// scaledName is where a smaller logo lies that was made of a large one.
func scaledName(file string, side int) string {
	return strings.TrimSuffix(file, path.Ext(file)) + "." + strconv.Itoa(side) + ".png"
}

// shrink makes the medium and the small logo of a large one and keeps them beside it (SAS-22). Made before, they are
// the same.
func (h *Handler) shrink(ctx context.Context, file string, content []byte) error {
	logo, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		return fault.New(fault.Invalid, "NotPNG", "file", "The file is not a PNG image.").Because(err)
	}
	for _, side := range []int{mediumSide, smallSide} {
		var b bytes.Buffer
		if err := png.Encode(&b, scaled(logo, side)); err != nil {
			return fmt.Errorf("shrink logo %s: %w", file, err)
		}
		err := h.deps.Files.PutNew(ctx, mediaContainer, scaledName(file, side), b.Bytes(), "image/png")
		if err != nil && !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("shrink logo %s: %w", file, err)
		}
	}
	return nil
}

// scaled is a square picture made smaller: each pixel is the average of those it stands for.
func scaled(from image.Image, side int) image.Image {
	out := image.NewNRGBA64(image.Rect(0, 0, side, side))
	at := from.Bounds()
	for y := range side {
		top, bottom := at.Min.Y+y*at.Dy()/side, at.Min.Y+(y+1)*at.Dy()/side
		for x := range side {
			left, right := at.Min.X+x*at.Dx()/side, at.Min.X+(x+1)*at.Dx()/side
			out.Set(x, y, average(from, image.Rect(left, top, right, bottom)))
		}
	}
	return out
}

func average(of image.Image, area image.Rectangle) color.Color {
	var r, g, b, a uint64
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			pr, pg, pb, pa := of.At(x, y).RGBA()
			r, g, b, a = r+uint64(pr), g+uint64(pg), b+uint64(pb), a+uint64(pa)
		}
	}
	n := uint64(area.Dx() * area.Dy())
	return color.RGBA64{R: uint16(r / n), G: uint16(g / n), B: uint16(b / n), A: uint16(a / n)}
}
