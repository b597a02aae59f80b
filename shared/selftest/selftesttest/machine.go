// Package selftesttest has machines that answer from a table, for tests of the self-test and of the ways to it.
package selftesttest

import (
	"context"
	"maps"
	"strings"
	"sync"

	"stoa/shared/selftest"
)

// Table says what a machine answers, by a part of the command.
type Table map[string]selftest.Output

// Answer is what the machine says to a command: the output of the longest part that the command has; without one,
// that the command is not found.
func (t Table) Answer(command string) selftest.Output {
	best, out := "", selftest.Output{Code: 127}
	for part, o := range t {
		if strings.Contains(command, part) && len(part) > len(best) {
			best, out = part, o
		}
	}
	return out
}

// With is the table with another output for the commands with the part.
func (t Table) With(part, text string) Table { return t.WithOutput(part, selftest.Output{Text: text}) }

// WithOutput is With for a whole output.
func (t Table) WithOutput(part string, out selftest.Output) Table {
	other := maps.Clone(t)
	other[part] = out
	return other
}

// Disks of a machine: the system on sda, with what it starts from; the temporary disk on sdb, with swap.
const Disks = `NAME="sda" KNAME="sda" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT=""
NAME="sda1" KNAME="sda1" PKNAME="sda" TYPE="part" FSTYPE="ext4" MOUNTPOINT="/"
NAME="sda14" KNAME="sda14" PKNAME="sda" TYPE="part" FSTYPE="" MOUNTPOINT=""
NAME="sda15" KNAME="sda15" PKNAME="sda" TYPE="part" FSTYPE="vfat" MOUNTPOINT="/boot/efi"
NAME="sdb" KNAME="sdb" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT=""
NAME="sdb1" KNAME="sdb1" PKNAME="sdb" TYPE="part" FSTYPE="ext4" MOUNTPOINT="/mnt"
NAME="sdb2" KNAME="sdb2" PKNAME="sdb" TYPE="part" FSTYPE="swap" MOUNTPOINT="[SWAP]"
`

// Ubuntu is the machine of the contract's sample: everything passes, but for two warnings.
func Ubuntu() Table {
	return Table{
		"id -u":      {Text: "0\n"},
		"os-release": {Text: "NAME=\"Ubuntu\"\nVERSION=\"18.04.5 LTS (Bionic Beaver)\"\nID=ubuntu\nID_LIKE=debian\nPRETTY_NAME=\"Ubuntu 18.04.5 LTS\"\nVERSION_ID=\"18.04\"\n"},
		"uname -r":   {Text: "5.4.0-1023-azure\n"},
		"/proc/version": {Text: "Linux version 5.4.0-1023-azure (buildd@lgw01-amd64-053) (gcc version 7.5.0 (Ubuntu 7.5.0-3ubuntu1~18.04)) " +
			"#23~18.04.1-Ubuntu SMP Thu Aug 20 14:46:48 UTC 2020\n"},
		"/etc/passwd":         {},
		"waagent --version":   {Text: "WALinuxAgent-2.2.49 running on ubuntu 18.04\nPython: 3.6.9\nGoal state agent: 2.2.49\n"},
		"/proc/cmdline":       {Text: "BOOT_IMAGE=/boot/vmlinuz-5.4.0-1023-azure root=PARTUUID=1 ro console=tty1 console=ttyS0 earlyprintk=ttyS0\n"},
		"lsblk":               {Text: Disks},
		"openssl version":     {Text: "OpenSSL 1.1.1  11 Sep 2018\n"},
		"python":              {Text: "Python 2.7.17\n"},
		"ClientAliveInterval": {Text: "clientaliveinterval 120\n"},
		"uname -m":            {Text: "x86_64\n"},
		"/etc/waagent.conf":   {Text: "# AutoUpdate.Enabled=y\n"},
	}
}

// WindowsServer is a server with nothing but IPv6 that the tests look at.
func WindowsServer() Table {
	return Table{
		"Win32_OperatingSystem":   {Text: "Microsoft Windows Server 2016 Datacenter\r\n10.0.14393\r\n64-bit\r\n"},
		"WindowsIdentity":         {Text: "S-1-5-21-397955417-626881126-188441444-1001\r\nMYVM\\isv\r\n"},
		"Get-WindowsFeature":      {Text: "FileAndStorage-Services\r\nNET-Framework-45-Core\r\nPowerShell\r\n"},
		"ms_tcpip6":               {Text: "Enabled\r\n"},
		"Win32_EncryptableVolume": {Text: "Disabled\r\n"},
	}
}

// Dialer leads to one machine, whatever the target. Dial, when set, is asked first.
type Dialer struct {
	Table Table
	Dials func(ctx context.Context, t selftest.Target) error
	Runs  func(ctx context.Context, command string) error

	mu     sync.Mutex
	target selftest.Target
	open   int
}

// Dial implements selftest.Dialer.
func (d *Dialer) Dial(ctx context.Context, t selftest.Target) (selftest.Machine, error) {
	d.mu.Lock()
	d.target = t
	d.mu.Unlock()
	if d.Dials != nil {
		if err := d.Dials(ctx, t); err != nil {
			return nil, err
		}
	}
	d.count(1)
	return machine{d}, nil
}

// Target is where the last log-on went.
func (d *Dialer) Target() selftest.Target {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.target
}

// Open is how many are logged on.
func (d *Dialer) Open() int { return d.count(0) }

func (d *Dialer) count(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open += n
	return d.open
}

type machine struct{ dialer *Dialer }

// Run implements selftest.Machine.
func (m machine) Run(ctx context.Context, command string) (selftest.Output, error) {
	if m.dialer.Runs != nil {
		if err := m.dialer.Runs(ctx, command); err != nil {
			return selftest.Output{}, err
		}
	}
	return m.dialer.Table.Answer(command), nil
}

// Close implements selftest.Machine.
func (m machine) Close() error { m.dialer.count(-1); return nil }
