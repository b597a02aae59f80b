package message_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
)

func TestTheCauseGoesFromContextToMessageAndBack(t *testing.T) { // FUL-8
	t.Parallel()
	require.Zero(t, message.CauseOf(t.Context()))
	require.Empty(t, message.Correlation(t.Context()))
	c := message.Cause{RequestID: "r", CorrelationID: "c"}
	ctx := message.WithCause(t.Context(), c)
	require.Equal(t, c, message.CauseOf(ctx))
	require.Equal(t, "c", message.Correlation(ctx))
	require.Equal(t, message.Cause{RequestID: "r", CorrelationID: "d"}, message.CauseOf(message.WithCorrelation(ctx, "d")), "the request id stays")

	m := message.New("m1", message.Leads, 1)
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"m1","queue":"leads","body":1}`, string(raw), "without a cause not a byte more")
	m = m.Caused(c)
	require.Equal(t, c, m.Cause())
	raw, err = json.Marshal(m)
	require.NoError(t, err)
	var stored message.Message
	require.NoError(t, json.Unmarshal(raw, &stored))
	require.Equal(t, c, stored.Cause(), "kept with the act and in the agenda")
}
