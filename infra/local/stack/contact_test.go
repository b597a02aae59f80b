package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"stoa/infra/local/trade"
)

type object = map[string]any

const portalOffers = "/portal/v1/publishers/" + trade.PublisherID + "/offers"

// contactOffer publishes an offer whose leads go to a table, in storage as the handler sees it.
func (d *disturbed) contactOffer(ctx context.Context) error {
	const path = portalOffers + "/" + askedOffer
	send := func(method, path string, body any) trade.Request {
		return trade.Request{As: trade.Publisher, Method: method, Path: path, Body: body}
	}
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 216, 216))); err != nil {
		return err
	}
	if _, err := d.client.Do(ctx, send(http.MethodPost, portalOffers, object{"offerId": askedOffer, "offerType": "SaaS", "alias": "Contact"}), http.StatusCreated); err != nil {
		return err
	}
	for kind, content := range map[string][]byte{"largeLogo": logo.Bytes(), "document": []byte("%PDF-1.7\n")} {
		file, err := d.upload(ctx, path, kind, content)
		if err != nil {
			return err
		}
		if _, err := d.client.Do(ctx, send(http.MethodPut, path+"/listing/assets", object{"kind": kind, "file": file, "name": "Contact"}), http.StatusOK); err != nil {
			return err
		}
	}
	for _, r := range []trade.Request{
		send(http.MethodPut, path+"/pages/offerSetup", object{"listingOption": "ContactMe", "leadDestination": object{
			"leadDestination": "table", "contactEmail": []string{"leads@contoso.example"},
			"settings": object{"storageAccountConnectionString": d.stack.Settings["STOA_STORAGE"]}}}),
		send(http.MethodPut, path+"/pages/properties", object{"listing": object{"categories": []string{"analytics"}}}),
		send(http.MethodPut, path+"/pages/offerListing", object{"listing": object{"name": "Contoso Contact", "searchResultsSummary": "Ask us.",
			"description": "<p>Ask us.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}),
	} {
		if _, err := d.client.Do(ctx, r, http.StatusOK); err != nil {
			return err
		}
	}
	for _, step := range []struct{ do, status string }{{"/publish", "Preview"}, {"/golive", "Live"}} {
		if _, err := d.client.Do(ctx, send(http.MethodPost, path+step.do, nil), http.StatusAccepted); err != nil {
			return err
		}
		if err := d.published(ctx, path, step.status); err != nil {
			return err
		}
	}
	return nil
}

// upload puts a file where the offer can take it from, and returns its name.
func (d *disturbed) upload(ctx context.Context, path, kind string, content []byte) (string, error) {
	a, err := d.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: path + "/uploads",
		Body: object{"kind": kind, "fileName": kind + ".bin"}}, http.StatusCreated)
	if err != nil {
		return "", err
	}
	var link struct {
		File string `json:"file"`
		URL  string `json:"uploadUrl"`
	}
	if err := a.Decode(&link); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, link.URL, bytes.NewReader(content))
	if err != nil {
		return "", err
	}
	req.Header.Set("x-ms-blob-type", "BlockBlob")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("upload: %s", resp.Status)
	}
	return link.File, nil
}

// published waits for the offer's status.
func (d *disturbed) published(ctx context.Context, path, status string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		a, err := d.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodGet, Path: path + "/overview"}, http.StatusOK)
		if err != nil {
			return err
		}
		var got struct {
			Status string `json:"status"`
		}
		if err := a.Decode(&got); err != nil || got.Status == status {
			return err
		}
		if err := pause(ctx, lookAgain); err != nil {
			return fmt.Errorf("%w: the offer is %s, want %s", err, got.Status, status)
		}
	}
}

// leadRows counts the rows of a lead in the publisher's own table.
func (d *disturbed) leadRows(ctx context.Context, id string) (int, error) {
	service, err := aztables.NewServiceClientFromConnectionString(d.stack.Storage.ConnectionString(), nil)
	if err != nil {
		return 0, err
	}
	filter := "RowKey eq '" + id + "'"
	pager := service.NewClient("MarketplaceLeads").NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: &filter})
	n := 0
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return 0, nil // the table comes with the first lead
		}
		n += len(page.Entities)
	}
	return n, nil
}
