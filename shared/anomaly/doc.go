// Package anomaly watches the metered usage that publishers report: it flags days that do not fit, keeps what
// publishers decide about them, and shows usage over time (MTR-71 to MTR-79, walk 9 of the chapter on metering).
//
// Once a week every meter of every customer gets a model of its last 90 days, and the days that have become final
// since the run before are held against it (MTR-72, MTR-73). A day is flagged once, whatever runs come later; its
// publisher has 30 days from then to say what it was (MTR-76). Nothing here changes reported usage: a lower figure
// goes to package correction, which has it investigated (MTR-71). Safe for concurrent use.
//
// The model is statistics and uses binary floating point; quantities, prices and what a deviation may cost are
// decimals.
//
// Readings: a day is final 24 hours after its end, because usage may be reported for as long (MTR-38), so the run of
// a Monday judges up to Saturday. The last instant of the 30 days is still in time. The financial risk that staff are
// alerted of is that of either sign (MTR-79). A deviation from an expectation of 0 has no percentage. The figures in
// money are estimates in USD, at the prices of the plans as they are when a day is flagged.
package anomaly
