// The Service Bus namespace and its queues. Local (key) authentication is off.

@description('Name of the namespace, unique in Azure.')
@minLength(6)
@maxLength(50)
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Tier. Basic has no duplicate detection, so it is not offered.')
@allowed(['Standard', 'Premium'])
param sku string

@description('Messaging units of the Premium tier; Standard ignores it.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int

@description('A queue; times are ISO 8601 durations.')
type queueType = {
  name: string
  maxDeliveryCount: int
  lockDuration: string
  duplicateDetectionWindow: string
}

@description('The queues.')
param queues queueType[]

resource bus 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: sku == 'Premium'
    ? {
        name: sku
        tier: sku
        capacity: messagingUnits
      }
    : {
        name: sku
        tier: sku
      }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource busQueues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for queue in queues: {
    parent: bus
    name: queue.name
    properties: {
      maxDeliveryCount: queue.maxDeliveryCount
      lockDuration: queue.lockDuration
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: queue.duplicateDetectionWindow
      deadLetteringOnMessageExpiration: true
    }
  }
]

@description('Name of the namespace.')
output name string = bus.name

@description('Host name clients connect to.')
output hostName string = split(replace(bus.properties.serviceBusEndpoint, 'https://', ''), ':')[0]
