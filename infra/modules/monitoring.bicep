// Log Analytics and Application Insights. Telemetry is accepted from identities only.

@description('Name prefix of both resources.')
@minLength(3)
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Days logs are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Most gigabytes taken in per day; -1 is no limit.')
param dailyQuotaGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${name}-insights'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

@description('Name of the Application Insights resource.')
output name string = insights.name

@description('Connection string: where telemetry goes. It carries no permission, since local authentication is off.')
output connectionString string = insights.properties.ConnectionString
