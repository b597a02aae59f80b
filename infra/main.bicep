// Stoa on Azure: one storage account, one Service Bus namespace, and one or more function apps that run the
// same bundle. resources.json lists tables, containers and queues; functions.json the functions.

targetScope = 'resourceGroup'

@description('Prefix of every name: lower-case letters and digits.')
@minLength(3)
@maxLength(8)
param prefix string = 'stoa'

@description('Azure region; it must offer Flex Consumption.')
@minLength(1)
param location string = resourceGroup().location

@description('Tags of every resource.')
param tags object = {}

@description('A function app. functions: those it runs, an empty list is all of them; the rest are disabled.')
type appType = {
  @description('Part of the app\'s name, unique here.')
  @minLength(2)
  @maxLength(12)
  name: string
  @description('Names from functions.json.')
  functions: string[]
  @description('Most instances.')
  @minValue(1)
  @maxValue(1000)
  maximumInstanceCount: int
  @description('Memory of one instance.')
  instanceMemoryMB: 512 | 2048 | 4096
  @description('HTTP instances that never go to zero.')
  @minValue(0)
  alwaysReadyHttp: int?
}

@description('The function apps. Give every function to exactly one of them.')
@minLength(1)
@maxLength(16)
param apps appType[] = [
  {
    name: 'all'
    functions: []
    maximumInstanceCount: 100
    instanceMemoryMB: 2048
  }
]

@description('Address of this marketplace as clients see it.')
@minLength(9)
param publicUrl string

@description('Issuer of tokens.')
param authority string = environment().authentication.loginEndpoint

@description('Audiences accepted in tokens.')
@minLength(1)
param audiences string[] = ['20e940b3-4c77-4b0b-9a53-9e16a1b010a7']

@description('Fulfillment contract: that of the 2021 guide, or today\'s.')
@allowed(['guide', 'current'])
param fulfillmentProfile string = 'guide'

@description('Name of the Key Vault secret that encrypts stored secrets.')
param encryptionSecretName string = 'stoa-secrets-key'

@description('Id stored with what that key encrypts; change it when the key changes.')
@minLength(1)
param encryptionKeyId string = 'k1'

@description('Name of the Key Vault secret that signs webhook calls.')
param signingSecretName string = 'stoa-webhook-signing-key'

@description('Replication of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Days a deleted blob can be brought back.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 14

@description('Service Bus tier.')
@allowed(['Standard', 'Premium'])
param busSku string = 'Standard'

@description('Messaging units of the Premium tier.')
@allowed([1, 2, 4, 8, 16])
param busMessagingUnits int = 1

@description('Let the scale controller read exact queue lengths. It takes Data Owner on the queues an app receives from.')
param queueLengthScaling bool = false

@description('Days logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Most gigabytes of logs per day; -1 is no limit.')
param logDailyQuotaGb int = -1

@description('Deploy the event subscription for package uploads. False until the bundle has been deployed once.')
param packageEvents bool = false

var resources = loadJsonContent('resources.json')
var catalog = loadJsonContent('functions.json').functions
var allFunctions = map(catalog, f => f.name)
var suffix = take(uniqueString(resourceGroup().id, prefix), 8)

var runs = map(apps, app => empty(app.functions) ? allFunctions : app.functions)
// Per app: does it drain dead letters, and which queues do its functions receive from.
var drains = map(runs, names => !empty(filter(catalog, f => contains(names, f.name) && (f.?deadLetters ?? false))))
var triggers = map(runs, names => map(filter(catalog, f => contains(names, f.name)), f => f.?queue ?? ''))
var queueNames = map(resources.queues, q => q.name)
var uploadApps = filter(apps, app => empty(app.functions) || contains(app.functions, resources.packageUploads.function))

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: toLower('${prefix}st${suffix}')
    location: location
    tags: tags
    sku: storageSku
    softDeleteDays: softDeleteDays
    tables: resources.tables
    containers: resources.containers
  }
}

module bus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  params: {
    name: '${prefix}-bus-${suffix}'
    location: location
    tags: tags
    sku: busSku
    messagingUnits: busMessagingUnits
    queues: resources.queues
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: '${prefix}-kv-${suffix}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: '${prefix}-${suffix}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module identities 'modules/identity.bicep' = [
  for (app, i) in apps: {
    name: 'identity-${app.name}'
    params: {
      name: '${prefix}-${app.name}-${suffix}-id'
      location: location
      tags: tags
      storageName: storage.outputs.name
      busName: bus.outputs.name
      vaultName: vault.outputs.name
      insightsName: monitoring.outputs.name
      receivesFrom: filter(queueNames, q => drains[i] || contains(triggers[i], q))
      hasBlobTrigger: contains(runs[i], resources.packageUploads.function)
      queueLengthScaling: queueLengthScaling
    }
  }
]

module functionApps 'modules/functionapp.bicep' = [
  for (app, i) in apps: {
    name: 'app-${app.name}'
    params: {
      name: toLower('${prefix}-${app.name}-${suffix}')
      location: location
      tags: tags
      identityId: identities[i].outputs.id
      identityClientId: identities[i].outputs.clientId
      storageName: storage.outputs.name
      maximumInstanceCount: app.maximumInstanceCount
      instanceMemoryMB: app.instanceMemoryMB
      alwaysReadyHttp: app.?alwaysReadyHttp ?? 0
      disabledFunctions: filter(allFunctions, f => !contains(runs[i], f))
      insightsConnectionString: monitoring.outputs.connectionString
      settings: {
        // A core for 2,048 MB. The processes of an instance see the machine's cores and would wake threads in vain.
        GOMAXPROCS: string(max(1, app.instanceMemoryMB / 2048))
        STOA_TABLE_ENDPOINT: storage.outputs.tableEndpoint
        STOA_BLOB_ENDPOINT: storage.outputs.blobEndpoint
        STOA_BUS_NAMESPACE: bus.outputs.hostName
        STOA_AUTHORITY: authority
        STOA_AUDIENCES: join(audiences, ',')
        STOA_PUBLIC_URL: publicUrl
        STOA_SECRETS_KEY: '@Microsoft.KeyVault(SecretUri=${vault.outputs.uri}secrets/${encryptionSecretName})'
        STOA_SECRETS_KEY_ID: encryptionKeyId
        STOA_WEBHOOK_SIGNING_KEY: '@Microsoft.KeyVault(SecretUri=${vault.outputs.uri}secrets/${signingSecretName})'
        STOA_FULFILLMENT_PROFILE: fulfillmentProfile
        Bus__fullyQualifiedNamespace: bus.outputs.hostName
        Storage__blobServiceUri: storage.outputs.blobEndpoint
        Storage__queueServiceUri: storage.outputs.queueEndpoint
      }
    }
  }
]

module uploads 'modules/events.bicep' = if (packageEvents && !empty(uploadApps)) {
  name: 'events'
  params: {
    name: '${prefix}-uploads-${suffix}'
    location: location
    tags: tags
    storageName: storage.outputs.name
    appName: toLower('${prefix}-${uploadApps[0].name}-${suffix}')
    functionName: resources.packageUploads.function
    containerName: resources.packageUploads.container
    deadLetterContainer: 'event-deadletters'
  }
  dependsOn: [functionApps]
}

@description('The function apps and their addresses.')
output apps array = [
  for (app, i) in apps: {
    name: functionApps[i].outputs.name
    url: functionApps[i].outputs.url
    functions: runs[i]
  }
]

@description('Functions no app runs. Anything here is work nobody does.')
output unassignedFunctions array = filter(allFunctions, f => !contains(flatten(runs), f))

@description('Names in apps that functions.json does not know.')
output unknownFunctions array = filter(flatten(runs), f => !contains(allFunctions, f))

@description('Name of the Key Vault, into which the operator puts the two secrets.')
output vaultName string = vault.outputs.name

@description('Name of the storage account.')
output storageName string = storage.outputs.name

@description('Service Bus host name.')
output busHostName string = bus.outputs.hostName
