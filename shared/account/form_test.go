package account_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
)

func TestGUID(t *testing.T) {
	t.Parallel()
	const id = "0a1b2c3d-4e5f-8a9b-8c7d-6e5f4a3b2c1d"
	for text, want := range map[string]string{
		id: id, "0A1B2C3D-4E5F-8A9B-8C7D-6E5F4A3B2C1D": id,
		"": "", id[1:]: "", id + "0": "", "{" + id[1:35] + "}": "", "0a1b2c3d04e5f-8a9b-8c7d-6e5f4a3b2c1d": "",
		"0a1b2c3d-4e5f-8a9b-8c7d-6e5f4a3b2c1g": "", "0a1b2c3d-4e5f-8a9b-8c7d-6e5f4a3b2-1d": "", "0a1b2c3d-4e5f-8a9b-8c7d-6e5f4a3b2cÄ": "",
	} {
		require.Equal(t, want, account.GUID(text), "%q", text)
	}
}

func TestIsMail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ada@adatum.example": true, "": false, "ada": false, "Ada <ada@adatum.example>": false, "ada@adatum.example ": false, "a@b, c@d": false,
	} {
		require.Equal(t, want, account.IsMail(text), "%q", text)
	}
}
