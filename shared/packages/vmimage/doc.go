// Package vmimage checks the disks of a virtual machine image before a machine is made of them: the SAS links, the
// set of disks, and the VHD files themselves (rules VMO-50 to VMO-54, VMO-59 to VMO-89).
//
// Findings carry the codes and texts of the published certification checks. A link's signature never appears in a
// finding (VMO-62). Files are read by ranges: the last sector and, of an operating system disk, the first 34.
package vmimage
