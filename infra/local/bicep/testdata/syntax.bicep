param name string
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: = 'x' // want: cannot be read
}
