// Package managedapp is the technical configuration of a plan of an Azure application, and the application definition
// that is made of it for each cloud when a managed application is published (rules AZA-50, AZA-51, AZA-54 to AZA-56,
// AZA-59 to AZA-69; chapter 02, 3.3, 3.5 and 6.2).
//
// Roles and policies stand in managedapp.json.
package managedapp
