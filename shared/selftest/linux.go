package selftest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shell makes a command speak English and find what lies in the folders of administrators.
func shell(command string) string {
	return `export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin"; ` + command
}

// The commands. Each answers with what it is asked for and nothing else; what is not there gives no output.
var (
	historyCommand = shell(`cut -d: -f6 /etc/passwd | sort -u | while read -r home; do if [ -f "$home/.bash_history" ]; then wc -c < "$home/.bash_history"; fi; done`)
	agentCommand   = shell(`waagent --version 2>/dev/null`)
	cmdlineCommand = shell(`cat /proc/cmdline`)
	disksCommand   = shell(`lsblk -P -o NAME,KNAME,PKNAME,TYPE,FSTYPE,MOUNTPOINT 2>/dev/null || awk '$2 == "partition" {print "FSTYPE=\"swap\""}' /proc/swaps`)
	opensslCommand = shell(`openssl version`)
	pythonCommand  = shell(`for p in python python2 python3 /usr/libexec/platform-python; do if command -v $p >/dev/null; then $p --version 2>&1; break; fi; done`)
	aliveCommand   = shell(`sshd -T 2>/dev/null | grep -i '^clientaliveinterval' || grep -ihE '^[[:space:]]*ClientAliveInterval' /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null`)
	archCommand    = shell(`uname -m`)
	updateCommand  = shell(`grep -i 'AutoUpdate\.Enabled' /etc/waagent.conf`)
)

// linuxTests are the tests by id (VMO-91).
var linuxTests = map[string]test{
	"48": bashHistory, "39": agentVersion, "40": kernelParameters, "41": swapPartitions, "42": rootPartitions, "44": opensslVersion,
	"45": pythonVersion, "46": aliveInterval, "49": linuxArchitecture, "50": securityThreats, "51": autoUpdate, "52": sackPatch,
}

func linuxSuite(ctx context.Context, s *session) (facts, []Test, error) {
	d, k, err := s.linux(ctx)
	switch {
	case err != nil:
		return facts{}, nil, err
	case d.name == "" || k.release == "":
		return facts{}, nil, silent()
	}
	tests, err := runAll(ctx, s, Linux, linuxTests)
	return facts{name: d.title(), version: d.version, distro: d.pretty, kernel: k.release, kernelFull: raw(k.full)}, tests, err
}

// raw is the output of a command as the contract's sample shows it: with a further line end.
func raw(output string) string { return strings.TrimRight(output, "\n") + "\n\n" }

const nothing = "Not Found"

// orNothing stands for what the machine does not tell.
func orNothing(text string) string {
	if text == "" {
		return nothing
	}
	return text
}

// bashHistory: the history files have the allowed number of bytes together, or there is none (VMO-95).
func bashHistory(ctx context.Context, s *session, required string) (finding, error) {
	out, err := s.ask(ctx, historyCommand)
	sizes := strings.Fields(out.Text)
	if err != nil || len(sizes) == 0 {
		return found(true, "No file Exist"), err
	}
	var total uint64
	for _, size := range sizes {
		n, err := strconv.ParseUint(size, 10, 48)
		if err != nil {
			return found(false, nothing), nil
		}
		total += n
	}
	most, _ := strconv.ParseUint(required, 10, 64)
	return found(total <= most, strconv.FormatUint(total, 10)), nil
}

var agentLine = regexp.MustCompile(`WALinuxAgent-(\d+(?:\.\d+)+)`)

// agentVersion: the agent is installed and new enough (VMO-92).
func agentVersion(ctx context.Context, s *session, required string) (finding, error) {
	out, err := s.ask(ctx, agentCommand)
	m := agentLine.FindStringSubmatch(out.Text)
	if m == nil {
		return found(false, nothing), err
	}
	return found(atLeast(m[1], required), m[1]), err
}

// kernelParameters: a missing console is a failure, another one that is missing a warning (VMO-93).
func kernelParameters(ctx context.Context, s *session, required string) (finding, error) {
	out, err := s.ask(ctx, cmdlineCommand)
	given := strings.Fields(out.Text)
	var matched, missing []string
	for _, p := range strings.Split(required, "#") {
		// A port may be followed by its speed: console=ttyS0,115200n8.
		if slices.ContainsFunc(given, func(g string) bool { return g == p || strings.HasPrefix(g, p+",") }) {
			matched = append(matched, p)
		} else {
			missing = append(missing, p)
		}
	}
	actual := "Matched Parameter: " + strings.Join(matched, ",")
	if len(missing) == 0 {
		return found(true, actual), err
	}
	f := finding{doubt, "Missing Parameter: " + strings.Join(missing, ",") + "\r\n\n" + actual}
	if slices.Contains(missing, "console=ttyS0") {
		f.grade = unmet
	}
	return f, err
}

// swapPartitions: none on the disk of the operating system.
func swapPartitions(ctx context.Context, s *session, _ string) (finding, error) {
	out, err := s.ask(ctx, disksCommand)
	n := parseDisks(out.Text).count(device.swap)
	return found(n == 0, fmt.Sprintf("No. of Swap Partitions: %d", n)), err
}

// rootPartitions: the system lies in one file system.
func rootPartitions(ctx context.Context, s *session, required string) (finding, error) {
	out, err := s.ask(ctx, disksCommand)
	n := parseDisks(out.Text).count(device.system)
	return found(strconv.Itoa(n) == required, fmt.Sprintf("Root Partition: %d", n)), err
}

// opensslVersion: new enough; the letter of 0.9.8zh counts for nothing (VMO-92).
func opensslVersion(ctx context.Context, s *session, required string) (finding, error) {
	return newEnough(ctx, s, opensslCommand, required)
}

// pythonVersion: installed and new enough.
func pythonVersion(ctx context.Context, s *session, required string) (finding, error) {
	return newEnough(ctx, s, pythonCommand, required)
}

func newEnough(ctx context.Context, s *session, command, required string) (finding, error) {
	out, err := s.ask(ctx, command)
	v := findVersion(out.Text)
	return found(v != "" && atLeast(v, required), orNothing(v)), err
}

// The seconds of ClientAliveInterval that are recommended, and the borders of what is allowed (VMO-94).
const (
	aliveBest  = 180 * time.Second
	aliveLeast = 30 * time.Second
	aliveMost  = 235 * time.Second
)

// aliveInterval: 180 seconds are recommended, 30 to 235 allowed; the daemon's default, 0, is not (VMO-94).
func aliveInterval(ctx context.Context, s *session, _ string) (finding, error) {
	out, err := s.ask(ctx, aliveCommand)
	words := strings.Fields(out.Text)
	if err != nil || len(words) < 2 {
		return found(false, nothing), err
	}
	text := strings.Trim(words[1], `"`)
	span, wrong := time.ParseDuration(text)
	if _, number := strconv.ParseUint(text, 10, 32); number == nil {
		span, wrong = time.ParseDuration(text + "s")
	}
	if wrong != nil {
		return found(false, text), nil
	}
	f := found(span == aliveBest, strconv.Itoa(int(span.Seconds())))
	if f.grade == unmet && span >= aliveLeast && span <= aliveMost {
		f.grade = doubt
	}
	return f, nil
}

// linuxArchitecture: of 64 bits.
func linuxArchitecture(ctx context.Context, s *session, required string) (finding, error) {
	out, err := s.ask(ctx, archCommand)
	return found(slices.Contains(strings.Split(required, ","), strings.TrimSpace(out.Text)), raw(out.Text)), err
}

// securityThreats: the release is none of those that were delivered with a known vulnerability.
func securityThreats(ctx context.Context, s *session, required string) (finding, error) {
	d, _, err := s.linux(ctx)
	if ghosted(d) {
		return found(false, d.title()+", "+required), err
	}
	return found(true, d.title()), err
}

// autoUpdate: on, be it in the commented line that states the default (VMO-96).
func autoUpdate(ctx context.Context, s *session, _ string) (finding, error) {
	out, err := s.ask(ctx, updateCommand)
	var line, comment string
	for l := range strings.Lines(out.Text) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "#") {
			comment = l
		} else if l != "" {
			line = l
		}
	}
	if line == "" {
		line = comment
	}
	if line == "" {
		return found(false, nothing), err
	}
	_, value, _ := strings.Cut(line, "=")
	return found(strings.EqualFold(strings.TrimSpace(value), "y"), raw(line)), err
}

// sackPatch: the running kernel has the patch; a release that the table does not know is in doubt.
func sackPatch(ctx context.Context, s *session, _ string) (finding, error) {
	d, k, err := s.linux(ctx)
	f := finding{doubt, d.pretty + ", " + strings.TrimSpace(k.full)}
	if known, patched := sackPatched(d, k); known {
		f = found(patched, f.actual)
	}
	return f, err
}
