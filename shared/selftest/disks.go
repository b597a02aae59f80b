package selftest

import (
	"maps"
	"regexp"
	"strings"
)

// device is a block device: a disk, a partition, a logical volume.
type device struct {
	name, parent, fsType, mount string
}

func (d device) swap() bool { return d.fsType == "swap" || d.mount == "[SWAP]" }

// system reports whether the device carries a file system of the system itself, beyond what it starts from.
func (d device) system() bool {
	return strings.HasPrefix(d.mount, "/") && d.mount != "/boot" && !strings.HasPrefix(d.mount, "/boot/") && d.mount != "/efi"
}

// disks are the devices of a machine, what each of them lies on, and the disks that / lies on.
type disks struct {
	devices []device
	parents map[string][]string
	roots   map[string]bool
}

var pair = regexp.MustCompile(`([A-Z]+)="([^"]*)"`)

// parseDisks reads the pairs of lsblk. A device below several, such as a mirror, is listed below each of them.
func parseDisks(text string) disks {
	d := disks{parents: map[string][]string{}, roots: map[string]bool{}}
	for line := range strings.Lines(text) {
		values := map[string]string{}
		for _, m := range pair.FindAllStringSubmatch(line, -1) {
			values[m[1]] = m[2]
		}
		if len(values) == 0 {
			continue
		}
		one := device{name: values["KNAME"], parent: values["PKNAME"], fsType: values["FSTYPE"], mount: values["MOUNTPOINT"]}
		d.devices = append(d.devices, one)
		if one.parent != "" {
			d.parents[one.name] = append(d.parents[one.name], one.parent)
		}
	}
	for _, one := range d.devices {
		if one.mount == "/" {
			maps.Copy(d.roots, d.below(one.name))
		}
	}
	return d
}

// below finds the disks a device lies on. A machine may say anything, also that a disk lies on itself.
func (d disks) below(name string) map[string]bool {
	tops, seen := map[string]bool{}, map[string]bool{}
	for next := []string{name}; len(next) > 0; next = next[1:] {
		switch at := next[0]; {
		case seen[at]:
		case len(d.parents[at]) == 0:
			tops[at] = true
		default:
			next = append(next, d.parents[at]...)
		}
		seen[next[0]] = true
	}
	return tops
}

// count counts the devices of a kind on the disk of the operating system. Where that cannot be told, every disk counts.
func (d disks) count(kind func(device) bool) int {
	n, counted := 0, map[string]bool{}
	for _, one := range d.devices {
		if !kind(one) || one.name != "" && counted[one.name] {
			continue
		}
		counted[one.name] = true
		if len(d.roots) == 0 || d.onRoot(one.name) {
			n++
		}
	}
	return n
}

func (d disks) onRoot(name string) bool {
	for top := range d.below(name) {
		if d.roots[top] {
			return true
		}
	}
	return false
}
