var resources = loadJsonContent('resources.json')
var typed = ['accounts']
resource service 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' existing = {
  name: 'one/default'
}
resource good 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [
  for table in resources.tables: {
    parent: service
    name: table
  }
]
resource bad 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [
  for table in typed: { // want: bad is not made from resources.json
    parent: service
    name: table
  }
]
module listed 'tables.bicep' = {
  name: 'listed'
  params: {
    tables: resources.tables
  }
}
module typedIn 'tables.bicep' = {
  name: 'typedIn'
  params: {
    tables: typed
  }
}
