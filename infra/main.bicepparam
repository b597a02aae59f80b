using 'main.bicep'

param prefix = 'stoa'
param publicUrl = 'https://marketplace.example.com'

// Metering and the portal scale apart; everything asynchronous has its own app.
param apps = [
  {
    name: 'metering'
    functions: ['metering', 'meteringbatch', 'meteringusage', 'usage', 'rating', 'health']
    maximumInstanceCount: 200
    instanceMemoryMB: 512
    alwaysReadyHttp: 1
  }
  {
    name: 'web'
    functions: [
      'offers'
      'offersoperations'
      'offertypes'
      'portal'
      'fulfillment'
      'storefront'
      'operator'
      'selftest'
      'health'
    ]
    maximumInstanceCount: 100
    instanceMemoryMB: 2048
    alwaysReadyHttp: 1
  }
  {
    name: 'work'
    functions: [
      'packages'
      'publishing'
      'webhooks'
      'leads'
      'testdrives'
      'conversions'
      'reconciliation'
      'anomalytraining'
      'anomalyexpiry'
      'usagereviews'
      'payouts'
      'payoutitems'
      'agenda'
      'notifications'
    ]
    maximumInstanceCount: 40
    instanceMemoryMB: 2048
  }
]

param packageEvents = false
