package vmprice

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/shopspring/decimal"
)

//go:embed sizes.json
var sizesJSON []byte

//go:embed regions.json
var regionsJSON []byte

// Size is a core size that a plan has a price for.
type Size struct {
	ID    string
	cores *big.Rat
}

// NewSize makes a core size of so many cores, such as "16core" of "16" or "sharedcore" of "1/6".
func NewSize(id, cores string) (Size, error) {
	n, ok := new(big.Rat).SetString(cores)
	if id == "" || !ok || n.Sign() <= 0 {
		return Size{}, fmt.Errorf("core size %q: %q is no number of cores", id, cores)
	}
	return Size{ID: id, cores: n}, nil
}

// cost is the price of so many cores, to the decimals of a price per unit.
func (s Size) cost(perCore *big.Rat) decimal.Decimal {
	exact := new(big.Rat).Mul(perCore, s.cores)
	num, den := decimal.NewFromBigInt(exact.Num(), 0), decimal.NewFromBigInt(exact.Denom(), 0)
	const guard = 2 * decimals // a repeating fraction is never exactly a half
	return num.DivRound(den, guard).RoundBank(decimals)
}

const decimals = 6

var sizes = readSizes(sizesJSON)

func readSizes(raw []byte) []Size {
	var file struct {
		Sizes []struct{ Size, Cores string }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("sizes.json: %v", err))
	}
	var out []Size
	for _, row := range file.Sizes {
		s, err := NewSize(row.Size, row.Cores)
		if err != nil {
			panic(fmt.Sprintf("sizes.json: %v", err))
		}
		out = append(out, s)
	}
	return out
}

// Sizes are the core sizes, the smallest first.
func Sizes() []Size { return slices.Clone(sizes) }

// SizeOf finds a core size by its ID.
func SizeOf(id string) (Size, bool) {
	i := slices.IndexFunc(sizes, func(s Size) bool { return s.ID == id })
	if i < 0 {
		return Size{}, false
	}
	return sizes[i], true
}

var regions = readRegions(regionsJSON)

func readRegions(raw []byte) map[string]string {
	var file struct {
		Regions []struct{ Region, Currency string }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("regions.json: %v", err))
	}
	out := map[string]string{}
	for _, row := range file.Regions {
		out[row.Region] = row.Currency
	}
	return out
}

// CurrencyOf is the currency of prices per market and core size in a region.
func CurrencyOf(region string) (string, bool) {
	c, ok := regions[region]
	return c, ok
}
