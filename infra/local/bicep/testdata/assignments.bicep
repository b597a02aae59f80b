import { roles } from 'roles.bicep'
param principalId string
param any string
var chosen = empty(principalId) ? roles.blobOwner : roles.wrong
resource good 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(principalId, 'good')
  properties: {
    principalId: principalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobOwner)
  }
}
resource contributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(principalId, 'contributor')
  properties: {
    principalId: principalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b24988ac-6180-42a0-ab88-20f7382dd24c') // want: is not a role of roles.json
  }
}
resource passed 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for n in [1, 2]: if (n > 1) {
    name: guid(principalId, 'passed', string(n))
    properties: {
      principalId: principalId
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', any) // want: any is not a role of roles.json
    }
  }
]
resource wrong 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(principalId, 'wrong')
  properties: {
    principalId: principalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', chosen) // want: there is no role wrong
  }
}
resource bare 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(principalId, 'bare')
  properties: {
    principalId: principalId
    roleDefinitionId: roles.blobOwner // want: must be a built-in role of the subscription
  }
}
