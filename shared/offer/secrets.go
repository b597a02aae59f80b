package offer

import (
	"maps"
	"slices"
	"unicode/utf8"

	"stoa/shared/fault"
)

// Sealer encrypts what a publisher entrusts to us. The context binds a sealed text to its place.
type Sealer interface {
	Seal(plain, context string) (string, error)
}

// Mask stands for a stored secret in what is read.
const Mask = "********"

// maxSecret bounds a secret, in characters.
const maxSecret = 4096

// SecretContext is the context a secret of the lead destination is sealed with.
func SecretContext(publisherID, offerID, key string) string {
	return "lead:" + publisherID + "/" + offerID + "/" + key
}

// seal moves the secrets of the next draft's lead destination out of its settings. A secret that is absent,
// empty or masked keeps the stored one (CPP-29); another kind of destination drops the secrets of the last.
func seal(s Sealer, before, next *Content) error {
	stored := maps.Clone(before.LeadDestination.SealedSecrets)
	d, ok := DestinationOf(next.LeadDestination.Kind)
	if !ok {
		return fault.New(fault.Invalid, CodeInvalid, "leadDestination.leadDestination", "There is no such lead destination.")
	}
	next.LeadDestination.Kind = d.ID
	if was, _ := DestinationOf(before.LeadDestination.Kind); was.ID != d.ID {
		stored = nil
	}
	for _, key := range d.Secrets {
		plain := next.LeadDestination.Settings[key]
		delete(next.LeadDestination.Settings, key)
		if plain == "" || plain == Mask {
			continue
		}
		if utf8.RuneCountInString(plain) > maxSecret {
			return fault.New(fault.Invalid, CodeInvalid, "leadDestination.settings."+key, "At most %d characters are allowed.", maxSecret)
		}
		if key == "httpsEndpointUrl" {
			if words := checkURL(plain, true); words != "" {
				return fault.New(fault.Invalid, CodeInvalid, "leadDestination.settings."+key, "%s", words)
			}
		}
		sealed, err := s.Seal(plain, SecretContext(next.PublisherID, next.OfferID, key))
		if err != nil {
			return err
		}
		if stored == nil {
			stored = map[string]string{}
		}
		stored[key] = sealed
	}
	next.LeadDestination.SealedSecrets = stored
	return nil
}

// Masked is the content as it may be shown: sealed secrets stand as Mask among the settings (CPP-23).
func (c *Content) Masked() Content {
	out := *c
	settings := maps.Clone(c.LeadDestination.Settings)
	for _, key := range slices.Sorted(maps.Keys(c.LeadDestination.SealedSecrets)) {
		if settings == nil {
			settings = map[string]string{}
		}
		settings[key] = Mask
	}
	out.LeadDestination.Settings = settings
	out.LeadDestination.SealedSecrets = nil
	return out
}
