// The built-in roles this deployment may assign, and no others. infra/local/bicep/roles.json repeats them
// with their names, and the check compares the two.

@export()
var roles = {
  // Storage Blob Data Owner
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  // Storage Blob Data Contributor
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  // Storage Queue Data Contributor
  queueContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  // Storage Table Data Contributor
  tableContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  // Azure Service Bus Data Sender
  busSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  // Azure Service Bus Data Receiver
  busReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  // Azure Service Bus Data Owner
  busOwner: '090c5cfd-751d-490a-894a-3ce6f1109419'
  // Key Vault Secrets User
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  // Monitoring Metrics Publisher
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}
