package fulfillment

import _ "embed"

// OpenAPI describes the fulfillment API in profile guide, as OpenAPI 3.0 in YAML. Requests and answers are
// checked against it by the contract tests.
//
//go:embed openapi.yaml
var OpenAPI []byte
