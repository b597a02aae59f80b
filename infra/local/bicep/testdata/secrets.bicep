var connection = 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc' // want: carries a key
var raw = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY3ODkwQUJDREVGR0g=' // want: looks like a key
param adminPassword string = 'hunter2' // want: adminPassword is written down
var settings = {
  STOA_SECRETS_KEY: 'in-the-clear' // want: STOA_SECRETS_KEY is written down
  STOA_WEBHOOK_SIGNING_KEY: '@Microsoft.KeyVault(SecretUri=https://v/secrets/s)'
}
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: 'one'
}
output key string = account.listKeys().keys[0].value // want: an output must not carry keys
output all array = [connection, raw, adminPassword, settings]
