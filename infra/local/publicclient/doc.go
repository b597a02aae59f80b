// Package publicclient is a publisher's integration with the SaaS fulfillment API, version 2018-08-31, as somebody
// has it in production: landing page, webhook and client, written from the public documentation alone (FUL-1 to
// FUL-95). It imports nothing of this module.
//
// Its test walks a subscription from purchase to unsubscribe against any deployment, and is skipped unless the
// environment says where that is:
//
//	MARKETPLACE_URL            the API, such as https://marketplaceapi.microsoft.com/api
//	MARKETPLACE_TOKEN_URL      where applications get tokens: …/{tenantId}/oauth2/token
//	MARKETPLACE_RESOURCE       the resource tokens are asked for; 20e940b3-… when empty
//	MARKETPLACE_WEBHOOK_ISSUER issuer of the tokens in webhook calls
//	MARKETPLACE_WEBHOOK_KEYS   its key set: a JWKS document
//	MARKETPLACE_PROFILE        guide or current: the version of the documentation that is in force
//	MARKETPLACE_PAGE           subscriptions on a page of the list; as many and one are bought when it is given
//	MARKETPLACE_CLOCK_URL      answers {"now": …} where the clock was moved; the machine's clock when empty
//	PUBLISHER_TENANT_ID        directory of the publisher's application
//	PUBLISHER_CLIENT_ID        the application
//	PUBLISHER_CLIENT_SECRET    its secret
//	PUBLISHER_LISTEN           host:port that the offer's /landing and /webhook are at
//	STORE_URL                  what customers and their payments do: see type Store
//	STORE_AUTHORIZATION        Authorization header of these calls; none when empty
//	STORE_PUBLISHER, STORE_OFFER   an offer with two public plans per user, 1 to 100 seats at least
//	STORE_PLAN, STORE_OTHER_PLAN   the two plans
package publicclient
