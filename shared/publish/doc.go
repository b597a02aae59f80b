// Package publish decides how a draft becomes a preview and then live: submissions, their steps, certification,
// sign-off, go live, cancel, stop of distribution and sync of private audiences (rules PUB-4 to PUB-38, PUB-46 to
// PUB-54, PUB-59, PUB-60, PUB-68, SAS-57 to SAS-66).
//
// A submission freezes the draft; its steps run one after the other, each queued by the one before with an id
// that is made of publisher, offer, submission and step. Messages arrive at least once and unordered: a step that
// is done, or whose submission no longer runs, is settled without a second effect, and a step's result, its
// history event and the message for the next step are one commit. A message for a submission that does not exist
// is terminal. Steps check and decide; they call nobody but the ports named here. What a step finds stands in its
// messages, each finding with a code, the page and the field.
//
// Readings: steps of a phase run one after the other, which PUB-12 allows; the single certification step of SaaS
// offers and Azure applications is manual validation, other types have the three levels; an automatic certifier
// passes everything unless another is injected, and an operator's verdict ends a step that waits for approval. The
// steps of leads and test drives look at the settings (settings.json) and send nothing (LED-36, TDR-36). A package
// goes live only in the version that was looked at for the preview (PUB-31). When a newer submission is cancelled,
// the preview that still waits may go live; it is then the one under way. Incomplete pages are a conflict for the
// types that are published from the portal (SAS-61) and 422 for those of the portal API (PUB-4, CPP-40). A preview
// audience changes with the next submission (PUB-26), and not before. An offer whose distribution is stopped loses a
// preview that waits. Of a webhook any answer below 500 to a GET shows that it can be reached.
package publish
