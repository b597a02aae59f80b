// Package packages validates uploaded packages of offers and keeps their reports: it opens the package and hands it to
// the validator of its type.
//
// content is what a package holds, archive opens zip files of strangers, jsondoc reads JSON with places, finding is
// the vocabulary of reports; each kind of package has a validator of its own beside them.
package packages
