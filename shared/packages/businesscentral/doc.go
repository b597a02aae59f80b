// Package businesscentral validates the extensions of Dynamics 365 Business Central offers: the .app file with its
// header and signature, the manifest in it, and how the files of a submission fit together and to the offer (rules
// DYN-49, DYN-52 to DYN-54). Constants stand in businesscentral.json.
//
// Codes that begin with AVS or AS are those of the public validators. A signature is looked at for presence and form;
// whether its certificate is trusted is for reviewers. A file in an extension is named main.app!/NavxManifest.xml in
// findings.
package businesscentral
