package selftest_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
)

// Whatever a machine says, there is a whole report or a fault.
func FuzzAnswers(f *testing.F) {
	f.Add("NAME=x\nID=debian\nVERSION_ID=9", debian("4.9.168-1+deb9u3"), lvm)
	f.Add("CentOS release 6.10 (Final)", "2.6.32-754", mirror)
	f.Add("Red Hat release 9999999999999999999999.1", "Python 2.7.17\xff", "1\n2\nWALinuxAgent-1.2")
	f.Add("NAME=x\nID=sles\nVERSION_ID=12.3", "4.4.180-4.31-azure", "AutoUpdate.Enabled=y")
	f.Add("NAME=\n", "clientaliveinterval 1h", "S-1-5-500\nx\\\nx")
	f.Fuzz(func(t *testing.T, release, kernel, rest string) {
		for _, family := range []selftest.OS{selftest.Linux, selftest.Windows} {
			table := selftesttest.Table{"os-release": {Text: release}, "uname -r": {Text: kernel}, "/proc/version": {Text: kernel}, " ": {Text: rest}, "$": {Text: rest}}
			sent := form()
			sent.OS = string(family)
			out, err := service(t, &selftesttest.Dialer{Table: table}, selftest.Limits{}).Run(t.Context(), caller, sent)
			if err != nil {
				continue
			}
			require.True(t, utf8.ValidString(out.Response))
			var r selftest.Report
			require.NoError(t, json.Unmarshal([]byte(out.Response), &r))
			require.Len(t, r.Tests, len(selftest.Checks(family)))
		}
	})
}
