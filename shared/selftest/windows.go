package selftest

import (
	"context"
	"slices"
	"strings"
)

// powershell makes a command stop at its first error, with a code, and show no progress.
func powershell(command string) string {
	return `$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';` + command
}

// The commands. Each answers with what it is asked for, one value on a line.
var (
	systemCommand   = powershell(`$o=Get-CimInstance Win32_OperatingSystem;$o.Caption;$o.Version;$o.OSArchitecture`)
	userCommand     = powershell(`$i=[Security.Principal.WindowsIdentity]::GetCurrent();$i.User.Value;$i.Name`)
	featuresCommand = powershell(`Get-WindowsFeature|Where-Object Installed|ForEach-Object Name`)
	ipv6Command     = powershell(`if(Get-NetAdapterBinding -ComponentID ms_tcpip6|Where-Object Enabled){'Enabled'}else{'Disabled'}`)
	// Without the feature the class is missing, and nothing can be encrypted.
	bitlockerCommand = powershell(`$v=try{Get-CimInstance -Namespace root/cimv2/Security/MicrosoftVolumeEncryption -ClassName Win32_EncryptableVolume|` +
		`Where-Object DriveLetter -eq $env:SystemDrive}catch{};if($v -and ($v.ProtectionStatus -ne 0 -or $v.ConversionStatus -ne 0)){'Enabled'}else{'Disabled'}`)
)

// windowsTests are the tests by id (VMO-91). Features go by the names that the server gives them; some had another one
// on Windows Server 2008 R2.
var windowsTests = map[string]test{
	"1.1.4": windowsArchitecture, "1.1.5": userAccount, "1.1.6": withoutFeature("Failover-Clustering"), "1.1.7": ipv6, "1.1.8": withoutFeature("DHCP"),
	"1.1.9": withoutFeature("Hyper-V"), "1.1.10": withoutFeature("RemoteAccess", "DirectAccess-VPN"), "1.1.11": withoutFeature("ADRMS"),
	"1.1.12": withoutFeature("WDS"), "1.1.13": bitlocker, "1.1.14": withoutFeature("ISNS"), "1.1.15": withoutFeature("Multipath-IO"),
	"1.1.16": withoutFeature("NLB"), "1.1.17": withoutFeature("PNRP"), "1.1.19": withoutFeature("SNMP-Service", "SNMP-Services"),
	"1.1.20": withoutFeature("WINS", "WINS-Server"), "1.1.21": withoutFeature("Wireless-Networking"),
}

// The states of a feature in a report.
const (
	enabled  = "Enabled"
	disabled = "Disabled"
)

func windowsSuite(ctx context.Context, s *session) (facts, []Test, error) {
	system, err := s.values(ctx, systemCommand)
	switch {
	case err != nil:
		return facts{}, nil, err
	case len(system) < 3:
		return facts{}, nil, silent()
	}
	tests, err := runAll(ctx, s, Windows, windowsTests)
	return facts{name: system[0], version: system[1]}, tests, err
}

// values are the lines that a command answers with; one that failed answers nothing.
func (s *session) values(ctx context.Context, command string) ([]string, error) {
	out, err := s.ask(ctx, command)
	if err != nil || out.Code != 0 {
		return nil, err
	}
	var values []string
	for line := range strings.Lines(out.Text) {
		if line = strings.TrimSpace(line); line != "" {
			values = append(values, line)
		}
	}
	return values, nil
}

// windowsArchitecture: of 64 bits.
func windowsArchitecture(ctx context.Context, s *session, _ string) (finding, error) {
	system, err := s.values(ctx, systemCommand)
	if err == nil && len(system) > 2 && strings.Contains(system[2], "64") {
		return found(true, "64 Bit"), nil
	}
	return found(false, "32 Bit"), err
}

// userAccount: whoever logs on is not the built-in administrator, whose id ends in 500 whatever it is called.
func userAccount(ctx context.Context, s *session, _ string) (finding, error) {
	user, err := s.values(ctx, userCommand)
	if err != nil || len(user) < 2 {
		return found(false, nothing), err
	}
	name := user[1][strings.LastIndexByte(user[1], '\\')+1:]
	return found(!strings.HasSuffix(user[0], "-500"), name), nil
}

// withoutFeature: none of the features is installed.
func withoutFeature(names ...string) test {
	return func(ctx context.Context, s *session, _ string) (finding, error) {
		installed, err := s.values(ctx, featuresCommand)
		if err != nil || len(installed) == 0 {
			return found(false, nothing), err
		}
		there := func(feature string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, feature) })
		}
		if slices.ContainsFunc(installed, there) {
			return found(false, enabled), nil
		}
		return found(true, disabled), nil
	}
}

// ipv6: off; on is a warning, as the severity of the test says (VMO-97).
func ipv6(ctx context.Context, s *session, _ string) (finding, error) {
	state, err := s.values(ctx, ipv6Command)
	if err != nil || len(state) == 0 {
		return found(false, nothing), err
	}
	return found(state[0] == disabled, state[0]), nil
}

// bitlocker: the disk of the operating system is neither protected nor encrypted.
func bitlocker(ctx context.Context, s *session, _ string) (finding, error) {
	state, err := s.values(ctx, bitlockerCommand)
	if err != nil || len(state) == 0 {
		return found(false, nothing), err
	}
	return found(state[0] == disabled, "BitLocker "+state[0]+" on C Drive"), nil
}
