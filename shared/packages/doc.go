// Package packages validates uploaded packages of offers and keeps their reports: it opens the package, hands it to the
// validator of its kind (kinds.go), has it scanned, stamps it with the tracking ID of its offer, and links the report to
// the offer. Uploads of one offer that go together are validated together (slots.go, siblings.go), and packages that
// stay with their publisher by their link (link.go).
//
// What all validators share: content is what a package holds, archive opens zip files of strangers, jsondoc and xmldoc
// read texts with places, finding is the vocabulary of reports, rendering shows them to people. The validators:
//
//   - azureapp: Azure applications, with armtemplate and armexpr (templates and their expressions), toolkit (the tests of
//     the public toolkit), uidefinition and tracking; managedapp is their technical configuration
//   - vmimage, container, iotedge: what lies in storage and registries, joined by assets
//   - managedservice: manifests
//   - dynamics, businesscentral, powerbi: what the apps of the other stores bring
package packages
