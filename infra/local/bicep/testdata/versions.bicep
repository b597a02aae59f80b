resource one 'Microsoft.Storage/storageAccounts' = { // want: has no API version
  name: 'one'
}
resource two 'Microsoft.Storage/storageAccounts@latest' = { // want: has no API version
  name: 'two'

  resource blobs 'blobServices' = {
    name: 'default'
  }
}
