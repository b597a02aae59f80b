package stack_test

import "testing"

// devSubscriptions are the routes with which developers of publishers do what customers and their payments do.
func devSubscriptions(t *testing.T) []endpoint {
	const one = "/dev/subscriptions/{id}"
	const order = `{"customer":"ada@adatum.example","publisherId":"contoso","offerId":"walk-saas","planId":"metered","termUnit":"P1M",` +
		`"market":"US","subscriptionName":"Never","autoRenew":true}`
	const toPlan, toSeats = `{"planId":"metered"}`, `{"quantity":5}`
	none := []row{
		{bad: unknownID, name: "subscription", values: map[string]string{"id": "21111111-0000-4000-8000-000000000001"}, want: want{404, "EntityNotFound", "id"}},
		{bad: unknownID, name: "no GUID", values: map[string]string{"id": "nothing"}, want: want{404, "EntityNotFound", "id"}},
	}
	act := func(name string) endpoint {
		return endpoint{method: "POST", pattern: one + "/" + name, bodiless: true, rows: none}
	}
	return []endpoint{
		{method: "POST", pattern: "/dev/purchases", body: order, rows: append(members(t, order,
			m{wrongType, "customer", `5`, "InvalidType"}, m{wrongType, "planId", `[]`, "InvalidType"}, m{wrongType, "quantity", `{}`, "InvalidValue"},
			m{wrongType, "autoRenew", `"no"`, "InvalidType"}, m{overLong, "customer", quoted(long(5000)), "InvalidValue"},
			m{overLong, "subscriptionName", quoted(long(201)), "InvalidValue"}, m{overLong, "market", quoted(long(5000)), "InvalidValue"},
			m{overLong, "termUnit", quoted(long(5000)), "InvalidValue"}, m{overLong, "quantity", long9(40), "InvalidValue"},
			m{invalid, "customer", `"nobody@adatum.example"`, "InvalidValue"}, m{invalid, "planId", `null`, "RequiredField"},
			m{invalid, "publisherId", `""`, "RequiredField"}, m{invalid, "offerId", `""`, "RequiredField"}, m{invalid, "quantity", `5`, "InvalidValue"},
			m{invalid, "quantity", `-1`, "InvalidValue"}, m{invalid, "market", `"XX"`, "InvalidValue"}, m{invalid, "termUnit", `"P9Y"`, "InvalidValue"}),
			row{bad: overLong, name: "offerId", body: set(t, order, "offerId", quoted(long(5000))), want: want{404, "EntityNotFound", "offerId"}},
			row{bad: unknownID, name: "plan", body: set(t, order, "planId", `"nothing"`), want: want{404, "EntityNotFound", "planId"}})},
		{method: "GET", pattern: one, rows: none},
		act("landing"), act("suspend"), act("failPayment"), act("reinstate"), act("renew"), act("cancel"),
		{method: "POST", pattern: one + "/changePlan", body: toPlan, rows: append(members(t, toPlan, m{wrongType, "planId", `5`, "InvalidType"},
			m{overLong, "planId", quoted(long(5000)), "InvalidValue"}, m{invalid, "planId", `null`, "RequiredField"}), none...)},
		{method: "POST", pattern: one + "/changeQuantity", body: toSeats, rows: append(members(t, toSeats, m{wrongType, "quantity", `[]`, "InvalidValue"},
			m{overLong, "quantity", quoted(long(5000)), "InvalidValue"}, m{invalid, "quantity", `null`, "RequiredField"}), none...)},
	}
}
