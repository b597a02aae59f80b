package selftest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

// verdict is what one answer of a machine means to one test.
type verdict struct {
	name, part, text string // the machine's answer to the commands with the part
	id               string
	result           selftest.Verdict
	actual           string
}

func check(t *testing.T, base selftesttest.Table, family string, rows []verdict) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			t.Parallel()
			r, _ := run(t, base.With(row.part, row.text), family)
			got := byID(t, r, row.id)
			require.Equal(t, row.result, got.Result)
			require.Equal(t, row.actual, got.ActualValue)
		})
	}
}

const (
	passed  = selftest.Passed
	warning = selftest.Warning
	failed  = selftest.Failed
)

func TestLinuxVerdicts(t *testing.T) {
	t.Parallel()
	const all = "console=ttyS0,earlyprintk=ttyS0,rootdelay=300"
	check(t, selftesttest.Ubuntu(), "Linux", []verdict{
		{"VMO-95 no file", "/etc/passwd", "", "48", passed, "No file Exist"},
		{"VMO-95 as much as allowed", "/etc/passwd", "1000\n24\n", "48", passed, "1024"},
		{"VMO-95 one byte more", "/etc/passwd", "1000\n25\n", "48", failed, "1025"},
		{"VMO-95 empty files", "/etc/passwd", "0\n", "48", passed, "0"},
		{"nonsense", "/etc/passwd", "lots\n", "48", failed, "Not Found"},

		{"VMO-92 just enough", "waagent --version", "WALinuxAgent-2.2.41 running on\n", "39", passed, "2.2.41"},
		{"VMO-92 a number less", "waagent --version", "WALinuxAgent-2.2.40\n", "39", failed, "2.2.40"},
		{"VMO-92 by number and not by letter", "waagent --version", "WALinuxAgent-2.2.9\n", "39", failed, "2.2.9"},
		{"VMO-92 two digits in the middle", "waagent --version", "WALinuxAgent-2.10.0\n", "39", passed, "2.10.0"},
		{"VMO-92 four parts", "waagent --version", "WALinuxAgent-2.2.41.1\n", "39", passed, "2.2.41.1"},
		{"VMO-92 beyond all numbers", "waagent --version", "WALinuxAgent-99999999999999999999.0\n", "39", passed, "99999999999999999999.0"},
		{"not installed", "waagent --version", "", "39", failed, "Not Found"},

		{"VMO-93 all", "/proc/cmdline", "ro console=ttyS0 earlyprintk=ttyS0 rootdelay=300\n", "40", passed, "Matched Parameter: " + all},
		{"VMO-93 with a speed", "/proc/cmdline", "console=tty1 console=ttyS0,115200n8 earlyprintk=ttyS0,115200 rootdelay=300\n", "40", passed, "Matched Parameter: " + all},
		{"VMO-93 no rootdelay", "/proc/cmdline", "console=ttyS0 earlyprintk=ttyS0\n", "40", warning,
			"Missing Parameter: rootdelay=300\r\n\nMatched Parameter: console=ttyS0,earlyprintk=ttyS0"},
		{"VMO-93 no earlyprintk", "/proc/cmdline", "console=ttyS0 rootdelay=300\n", "40", warning,
			"Missing Parameter: earlyprintk=ttyS0\r\n\nMatched Parameter: console=ttyS0,rootdelay=300"},
		{"VMO-93 another delay", "/proc/cmdline", "console=ttyS0 earlyprintk=ttyS0 rootdelay=3000\n", "40", warning,
			"Missing Parameter: rootdelay=300\r\n\nMatched Parameter: console=ttyS0,earlyprintk=ttyS0"},
		{"VMO-93 no console", "/proc/cmdline", "console=tty1 earlyprintk=ttyS0 rootdelay=300\n", "40", failed,
			"Missing Parameter: console=ttyS0\r\n\nMatched Parameter: earlyprintk=ttyS0,rootdelay=300"},
		{"VMO-93 nothing", "/proc/cmdline", "ro quiet\n", "40", failed, "Missing Parameter: " + all + "\r\n\nMatched Parameter: "},

		{"swap on the other disk", "lsblk", selftesttest.Disks, "41", passed, "No. of Swap Partitions: 0"},
		{"swap on the system's disk", "lsblk", selftesttest.Disks + `KNAME="sda2" PKNAME="sda" TYPE="part" FSTYPE="swap" MOUNTPOINT=""`, "41", failed, "No. of Swap Partitions: 1"},
		{"swap in use whose kind is not told", "lsblk", selftesttest.Disks + `KNAME="sda2" PKNAME="sda" TYPE="part" FSTYPE="" MOUNTPOINT="[SWAP]"`, "41", failed, "No. of Swap Partitions: 1"},
		{"swap in a volume of the system's disk", "lsblk", lvm, "41", failed, "No. of Swap Partitions: 1"},
		{"a disk that cannot be told", "lsblk", `FSTYPE="swap"` + "\n" + `FSTYPE="swap"` + "\n", "41", failed, "No. of Swap Partitions: 2"},
		{"one root", "lsblk", selftesttest.Disks, "42", passed, "Root Partition: 1"},
		{"the system in two", "lsblk", lvm, "42", warning, "Root Partition: 2"},
		{"a mirror is one", "lsblk", mirror, "42", passed, "Root Partition: 1"},
		{"a disk that lies on itself", "lsblk", `KNAME="sda" PKNAME="sda" FSTYPE="ext4" MOUNTPOINT="/"`, "42", passed, "Root Partition: 1"},
		{"nothing", "lsblk", "", "42", warning, "Root Partition: 0"},

		{"just enough", "openssl version", "OpenSSL 0.9.8 05 Jul 2005\n", "44", passed, "0.9.8"},
		{"VMO-92 a letter", "openssl version", "OpenSSL 1.0.2k-fips  26 Jan 2017\n", "44", passed, "1.0.2"},
		{"VMO-92 letters of the lowest", "openssl version", "OpenSSL 0.9.8zh-fips\n", "44", passed, "0.9.8"},
		{"too old", "openssl version", "OpenSSL 0.9.7m\n", "44", failed, "0.9.7"},
		{"not installed", "openssl version", "", "44", failed, "Not Found"},

		{"just enough", "python", "Python 2.6\n", "45", passed, "2.6"},
		{"VMO-92 2.10 is more than 2.6", "python", "Python 2.10\n", "45", passed, "2.10"},
		{"too old", "python", "Python 2.5.9\n", "45", warning, "2.5.9"},
		{"not installed", "python", "", "45", warning, "Not Found"},

		{"VMO-94 recommended", "ClientAliveInterval", "clientaliveinterval 180\n", "46", passed, "180"},
		{"VMO-94 in a file", "ClientAliveInterval", "  ClientAliveInterval \"3m\"\n", "46", passed, "180"},
		{"VMO-94 least", "ClientAliveInterval", "clientaliveinterval 30\n", "46", warning, "30"},
		{"VMO-94 below", "ClientAliveInterval", "clientaliveinterval 29\n", "46", failed, "29"},
		{"VMO-94 most", "ClientAliveInterval", "clientaliveinterval 235\n", "46", warning, "235"},
		{"VMO-94 above", "ClientAliveInterval", "clientaliveinterval 236\n", "46", failed, "236"},
		{"VMO-94 the daemon's default", "ClientAliveInterval", "clientaliveinterval 0\n", "46", failed, "0"},
		{"VMO-94 unset", "ClientAliveInterval", "", "46", failed, "Not Found"},
		{"VMO-94 nonsense", "ClientAliveInterval", "clientaliveinterval often\n", "46", failed, "often"},

		{"Intel", "uname -m", "x86_64\n", "49", passed, "x86_64\n\n"},
		{"AMD", "uname -m", "amd64\n", "49", passed, "amd64\n\n"},
		{"32 bits", "uname -m", "i686\n", "49", failed, "i686\n\n"},
		{"ARM", "uname -m", "aarch64\n", "49", failed, "aarch64\n\n"},

		{"on the list", "os-release", rhel("7.6"), "50", warning, "Red Hat Enterprise Linux Server 7.6, OS impacted by GHOSTS"},
		{"not on the list", "os-release", rhel("8.1"), "50", passed, "Red Hat Enterprise Linux Server 8.1"},
		{"a release on the list", "os-release", "ID=ubuntu\nNAME=Ubuntu\nVERSION_ID=\"12.04\"\n", "50", warning, "Ubuntu 12.04, OS impacted by GHOSTS"},

		{"VMO-96 the commented default", "/etc/waagent.conf", "# AutoUpdate.Enabled=y\n", "51", passed, "# AutoUpdate.Enabled=y\n\n"},
		{"VMO-96 on", "/etc/waagent.conf", "# AutoUpdate.Enabled=n\nAutoUpdate.Enabled=y\n", "51", passed, "AutoUpdate.Enabled=y\n\n"},
		{"VMO-96 off", "/etc/waagent.conf", "# AutoUpdate.Enabled=y\nAutoUpdate.Enabled=n\n", "51", warning, "AutoUpdate.Enabled=n\n\n"},
		{"VMO-96 nothing of it", "/etc/waagent.conf", "", "51", warning, "Not Found"},
	})
}

// lvm is a machine whose system lies in volumes of one disk, with swap among them.
const lvm = `KNAME="sda" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT=""
KNAME="sda1" PKNAME="sda" TYPE="part" FSTYPE="xfs" MOUNTPOINT="/boot"
KNAME="sda2" PKNAME="sda" TYPE="part" FSTYPE="LVM2_member" MOUNTPOINT=""
KNAME="dm-0" PKNAME="sda2" TYPE="lvm" FSTYPE="xfs" MOUNTPOINT="/"
KNAME="dm-1" PKNAME="sda2" TYPE="lvm" FSTYPE="xfs" MOUNTPOINT="/usr"
KNAME="dm-2" PKNAME="sda2" TYPE="lvm" FSTYPE="swap" MOUNTPOINT="[SWAP]"
KNAME="sdb" PKNAME="" TYPE="disk" FSTYPE="ext4" MOUNTPOINT="/mnt/resource"
KNAME="loop0" PKNAME="" TYPE="loop" FSTYPE="squashfs" MOUNTPOINT="/snap/core"
`

// mirror is a system on two disks at once: lsblk lists the mirror below both.
const mirror = `KNAME="sda" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT=""
KNAME="md0" PKNAME="sda" TYPE="raid1" FSTYPE="ext4" MOUNTPOINT="/"
KNAME="sdb" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT=""
KNAME="md0" PKNAME="sdb" TYPE="raid1" FSTYPE="ext4" MOUNTPOINT="/"
`

func rhel(release string) string {
	return "NAME=\"Red Hat Enterprise Linux Server\"\nID=\"rhel\"\nVERSION_ID=\"" + release + "\"\nPRETTY_NAME=\"RHEL " + release + "\"\n"
}

// Test 52: the minimum of the release's line, on both sides of it.
func TestSackVerdicts(t *testing.T) {
	t.Parallel()
	release := func(id, version string) string {
		return "ID=" + id + "\nNAME=" + id + "\nVERSION_ID=" + version + "\nPRETTY_NAME=p\n"
	}
	const centos6, centos77 = "CentOS release 6.10 (Final)\n", "CentOS Linux release 7.7.1908 (Core)\n"
	for name, row := range map[string]struct {
		release, kernel, full string
		want                  selftest.Verdict
	}{
		"Ubuntu, the line's kernel":                {release("ubuntu", "18.04"), "4.18.0-1023-azure", "", passed},
		"Ubuntu, one less":                         {release("ubuntu", "18.04"), "4.18.0-1022-azure", "", failed},
		"Ubuntu, the other line":                   {release("ubuntu", "18.04"), "5.0.0-1025-azure", "", passed},
		"Ubuntu, one less of the other line":       {release("ubuntu", "18.04"), "5.0.0-1024-azure", "", failed},
		"Ubuntu, a later series":                   {release("ubuntu", "18.04"), "5.4.0-1-azure", "", passed},
		"Ubuntu, a series between":                 {release("ubuntu", "18.04"), "4.20.0-1-azure", "", passed},
		"Ubuntu, an earlier series":                {release("ubuntu", "18.04"), "4.15.0-9999-azure", "", failed},
		"Ubuntu, a release without a line":         {release("ubuntu", "20.04"), "5.4.0-1-azure", "", warning},
		"Ubuntu, 14.04":                            {release("ubuntu", "14.04"), "4.4.0-150-generic", "", failed},
		"Red Hat, the line's kernel":               {release("rhel", "7.6"), "3.10.0-957.21.3.el7.x86_64", "", passed},
		"Red Hat, as delivered":                    {release("rhel", "7.6"), "3.10.0-957.el7.x86_64", "", failed},
		"Red Hat, the numbers end where they end":  {release("rhel", "8.1"), "4.18.0-147.el8.x86_64", "", passed},
		"CentOS tells its minor release elsewhere": {release("centos", `"7"`) + centos77, "3.10.0-1062.1.1.el7.x86_64", "", passed},
		"CentOS, one less":                         {release("centos", "7") + centos77, "3.10.0-1062.1.0.el7.x86_64", "", failed},
		"CentOS 6 has one line only":               {centos6, "2.6.32-754.15.3.el6.x86_64", "", passed},
		"CentOS 6, one less":                       {centos6, "2.6.32-754.15.2.el6.x86_64", "", failed},
		"SUSE leaves out the rebuild":              {release("sles", "12.3"), "4.4.180-4.31-azure", "", passed},
		"SUSE, one less":                           {release("sles", "12.3"), "4.4.180-4.30-azure", "", failed},
		"SUSE, a flavour without a line":           {release("sles", "12.3"), "4.4.180-94.97-default", "", warning},
		"SUSE for SAP":                             {release("sles_sap", "12.3"), "4.4.180-94.96-default", "", failed},
		"Oracle, Unbreakable kernel 2":             {release("ol", "6.10"), "2.6.39-400.312.2.el6uek.x86_64", "", passed},
		"Oracle, Unbreakable kernel 2, one less":   {release("ol", "6.10"), "2.6.39-400.312.1.el6uek.x86_64", "", failed},
		"Oracle, compatible kernel":                {release("ol", "6.10"), "2.6.32-754.15.2.el6.x86_64", "", failed},
		"Oracle, compatible kernel, patched":       {release("ol", "6.10"), "2.6.32-754.15.3.el6.x86_64", "", passed},
		"Oracle, kernel as Red Hat's":              {release("ol", "7.4"), "3.10.0-693.50.2.el7.x86_64", "", failed},
		"CoreOS":                                   {release("coreos", "2079.6.0"), "4.19.43-coreos", "", passed},
		"CoreOS, one less":                         {release("coreos", "2079.6.0"), "4.19.42-coreos", "", failed},
		"Debian tells it elsewhere":                {release("debian", "9"), "4.9.0-9-amd64", debian("4.9.168-1+deb9u3"), passed},
		"Debian, one less":                         {release("debian", "9"), "4.9.0-9-amd64", debian("4.9.168-1+deb9u2"), failed},
		"Debian 10":                                {release("debian", "10"), "4.19.0-5-amd64", debian("4.19.37-4"), failed},
		"Debian does not tell":                     {release("debian", "10"), "4.19.0-5-amd64", "Linux version 4.19\n", warning},
		"a distribution without a line":            {release("gentoo", "2"), "5.4.0", "", warning},
		"a kernel without a number":                {release("ubuntu", "18.04"), "custom", "", warning},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := selftesttest.Ubuntu().With("os-release", row.release).With("uname -r", row.kernel+"\n").With("/proc/version", row.full)
			r, _ := run(t, table, "Linux")
			got := byID(t, r, "52")
			require.Equal(t, row.want, got.Result)
			require.True(t, strings.HasSuffix(got.ActualValue, ", "+strings.TrimSpace(row.full)), got.ActualValue)
		})
	}
}

func debian(version string) string {
	return "Linux version 4.9.0-9-amd64 (debian-kernel@lists.debian.org) (gcc version 6.3.0 20170516 (Debian 6.3.0-18+deb9u1) ) #1 SMP Debian " + version + " (2019-06-16)\n"
}

func TestHeadOfTheReport(t *testing.T) {
	t.Parallel()
	r, _ := run(t, selftesttest.Ubuntu().With("os-release", "CentOS release 6.10 (Final)\n"), "Linux")
	require.Equal(t, "CentOS 6.10", r.OSName)
	require.Equal(t, "6.10", r.OSVersion)
	require.Equal(t, "CentOS release 6.10 (Final)", r.OSDistro)
	// A later CentOS says its major release in one place and all of it in another.
	r, _ = run(t, selftesttest.Ubuntu().With("os-release", "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\nCentOS Linux release 7.7.1908 (Core)\n"), "Linux")
	require.Equal(t, "CentOS Linux 7.7", r.OSName)
	// Oracle's file of Red Hat does not change what it is.
	r, _ = run(t, selftesttest.Ubuntu().With("os-release", "NAME=\"Oracle Linux Server\"\nID=\"ol\"\nVERSION_ID=\"7.6\"\nRed Hat Enterprise Linux Server release 7.6 (Maipo)\n"), "Linux")
	require.Equal(t, "Oracle Linux Server 7.6", r.OSName)

	r, document := run(t, selftesttest.WindowsServer(), "Windows")
	require.Equal(t, "Microsoft Windows Server 2016 Datacenter", r.OSName)
	require.Equal(t, "10.0.14393", r.OSVersion)
	require.NotContains(t, document, "OSDistro")
	require.NotContains(t, document, "Kernel")
}

func TestWindowsVerdicts(t *testing.T) {
	t.Parallel()
	with := func(feature string) string { return "FileAndStorage-Services\r\n" + feature + "\r\n" }
	rows := []verdict{
		{"64 bits", "Win32_OperatingSystem", "N\r\n10.0\r\n64-bit\r\n", "1.1.4", passed, "64 Bit"},
		{"32 bits", "Win32_OperatingSystem", "N\r\n10.0\r\n32-bit\r\n", "1.1.4", failed, "32 Bit"},
		{"somebody", "WindowsIdentity", "S-1-5-21-1-1001\r\nVM\\isv\r\n", "1.1.5", passed, "isv"},
		{"the administrator by another name", "WindowsIdentity", "S-1-5-21-1-500\r\nVM\\boss\r\n", "1.1.5", failed, "boss"},
		{"nobody", "WindowsIdentity", "", "1.1.5", failed, "Not Found"},
		{"VMO-97 on", "ms_tcpip6", "Enabled\r\n", "1.1.7", warning, "Enabled"},
		{"VMO-97 off", "ms_tcpip6", "Disabled\r\n", "1.1.7", passed, "Disabled"},
		{"off", "Win32_EncryptableVolume", "Disabled\r\n", "1.1.13", passed, "BitLocker Disabled on C Drive"},
		{"on", "Win32_EncryptableVolume", "Enabled\r\n", "1.1.13", failed, "BitLocker Enabled on C Drive"},
		{"the tools are not the feature", "Get-WindowsFeature", with("RSAT-DHCP"), "1.1.8", passed, "Disabled"},
		{"one of two names", "Get-WindowsFeature", with("DirectAccess-VPN"), "1.1.10", failed, "Enabled"},
		{"a server that has no features", "Get-WindowsFeature", "", "1.1.8", failed, "Not Found"},
	}
	for id, feature := range map[string]string{
		"1.1.6": "Failover-Clustering", "1.1.8": "DHCP", "1.1.9": "Hyper-V", "1.1.10": "RemoteAccess", "1.1.11": "ADRMS", "1.1.12": "WDS", "1.1.14": "ISNS",
		"1.1.15": "Multipath-IO", "1.1.16": "NLB", "1.1.17": "PNRP", "1.1.19": "SNMP-Service", "1.1.20": "WINS", "1.1.21": "Wireless-Networking",
	} {
		rows = append(rows,
			verdict{"VMO-97 present", "Get-WindowsFeature", with(feature), id, failed, "Enabled"},
			verdict{"VMO-97 absent", "Get-WindowsFeature", with("PowerShell"), id, passed, "Disabled"})
	}
	check(t, selftesttest.WindowsServer(), "Windows", rows)
}

// VMO-91: the tests of the families, in the order of the report, all in the data and all in the report.
func TestVMO91Order(t *testing.T) {
	t.Parallel()
	for family, want := range map[selftest.OS]string{
		selftest.Linux:   "48 39 40 41 42 44 45 46 49 50 51 52",
		selftest.Windows: "1.1.4 1.1.5 1.1.6 1.1.7 1.1.8 1.1.9 1.1.10 1.1.11 1.1.12 1.1.13 1.1.14 1.1.15 1.1.16 1.1.17 1.1.19 1.1.20 1.1.21",
	} {
		table := map[selftest.OS]selftesttest.Table{selftest.Linux: selftesttest.Ubuntu(), selftest.Windows: selftesttest.WindowsServer()}[family]
		r, _ := run(t, table, string(family))
		var ids []string
		for i, c := range selftest.Checks(family) {
			got := r.Tests[i]
			require.Equal(t, []string{c.ID, c.Name, c.Description, c.Required}, []string{got.TestID, got.TestCaseName, got.Description, got.RequiredValue})
			require.NotEmpty(t, c.Description)
			require.NotEmpty(t, c.Required)
			ids = append(ids, got.TestID)
		}
		require.Equal(t, want, strings.Join(ids, " "))
		require.Equal(t, "Pass", r.TestResult, "VMO-90")
	}
	r, _ := run(t, selftesttest.WindowsServer(), "Windows")
	// The rows of the contract's Windows sample that are legible.
	require.Equal(t, selftest.Test{
		TestID: "1.1.4", TestCaseName: "OS Architecture", Description: "Azure supports 64bit Operating System Only.", Result: passed,
		ActualValue: "64 Bit", RequiredValue: "OS Should be 64 bit",
	}, r.Tests[0])
	require.Equal(t, selftest.Test{
		TestID: "1.1.7", TestCaseName: "IPV6", Result: warning, ActualValue: "Enabled", RequiredValue: "IPv6 should be disabled",
		Description: "IPV6 is not yet supported in the Azure environment. Application should not have dependency on this feature.",
	}, r.Tests[3])
}
