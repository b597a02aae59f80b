package packages

import (
	"path"
	"slices"
	"strings"

	"stoa/shared/fault"
)

// Slot says what an upload is for where an offer takes several (04, 6.3).
type Slot string

// The slots. What is uploaded without one goes by its extension.
const (
	Extension        Slot = "bcExtension"
	Library          Slot = "bcLibrary"
	Tests            Slot = "bcTests"
	ValidationAssets Slot = "opsValidationAssets"
	VisualPackage    Slot = "pbiviz"
	SampleReport     Slot = "pbix"

	dependency Slot = "bcDependency" // retired (DYN-53)
)

// slotForm is the kind of package that a slot takes, and how its names end.
type slotForm struct {
	kind       string
	extensions []string
	needs      []Slot // slots of the same offer that it is validated together with
}

var slots = map[Slot]slotForm{
	Extension:        {kind: businessCentral, extensions: []string{".app"}, needs: []Slot{Library, Tests}},
	Library:          {kind: businessCentral, extensions: []string{".app", ".zip"}},
	Tests:            {kind: businessCentral, extensions: []string{".app"}},
	ValidationAssets: {kind: operations, extensions: []string{".zip", ".xls", ".xlsx"}},
	VisualPackage:    {kind: visual, extensions: []string{".pbiviz"}},
	SampleReport:     {kind: visual, extensions: []string{".pbix"}, needs: []Slot{VisualPackage}},
}

// slotMark stands between the slot and the file name in the name of an upload. No file name has it.
const slotMark = "@"

// UploadName is the name under which a file is uploaded to a slot. Invalid when there is no such slot, when the slot
// takes no files of that extension (PKG_WRONG_EXTENSION), and for the slot that is retired (DependencyPackageRetired).
func UploadName(slot Slot, fileName string) (string, error) {
	form, known := slots[slot]
	switch {
	case slot == "":
		return fileName, nil
	case slot == dependency:
		return "", fault.New(fault.Gone, "DependencyPackageRetired", "slot", "The slot for dependency packages is retired; upload a library.")
	case !known:
		return "", fault.New(fault.Invalid, "InvalidValue", "slot", "The slot is one of %s.", strings.Join(slotNames(), ", "))
	case !slices.Contains(form.extensions, strings.ToLower(path.Ext(fileName))):
		return "", fault.New(fault.Invalid, "PKG_WRONG_EXTENSION", "fileName", "A file of the slot %s ends in %s.", slot, strings.Join(form.extensions, " or "))
	}
	return string(slot) + slotMark + fileName, nil
}

func slotNames() []string {
	var names []string
	for s := range slots {
		names = append(names, string(s))
	}
	slices.Sort(names)
	return names
}

// slotOf is the slot of an upload, empty for one whose offer has no slots.
func slotOf(name string) Slot {
	slot, _, marked := strings.Cut(name, slotMark)
	if _, known := slots[Slot(slot)]; marked && known {
		return Slot(slot)
	}
	for _, s := range []Slot{Extension, VisualPackage, SampleReport} {
		if slices.Contains(slots[s].extensions, strings.ToLower(path.Ext(name))) {
			return s
		}
	}
	return ""
}

// fileNameOf is the name of an upload without its slot.
func fileNameOf(name string) string {
	if slot, file, marked := strings.Cut(name, slotMark); marked {
		if _, known := slots[Slot(slot)]; known {
			return file
		}
	}
	return name
}
