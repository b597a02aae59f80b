// The names Bicep itself declares: functions with the namespaces az and sys, decorators, and types.

const words = (text) => new Set(text.trim().split(/\s+/));

/** functions of expressions. */
export const functions = words(`
  any array az base64 base64ToJson base64ToString bool buildUri cidrHost cidrSubnet concat contains
  coalesce copyIndex dataUri dataUriToString dateTimeAdd dateTimeFromEpoch dateTimeToEpoch deployer
  deployment empty endsWith environment extensionResourceId fail filter first flatten format
  getSecret groupBy guid indexOf int intersection items join json last lastIndexOf length list listAccountSas
  listKeys listKeyValue listSecrets loadDirectoryFileInfo loadFileAsBase64 loadJsonContent loadTextContent
  loadYamlContent managementGroup managementGroupResourceId map mapValues max min newGuid nameof
  objectKeys padLeft parseCidr parseUri pickZones range readEnvironmentVariable reduce reference replace
  resourceGroup resourceId shallowMerge skip sort split startsWith string subscription subscriptionResourceId
  substring sys take tenant tenantResourceId toLogicalZone toLogicalZones toLower toObject toPhysicalZone
  toPhysicalZones toUpper trim tryGet tryIndexFromEnd union uniqueString uri uriComponent
  uriComponentToString utcNow
`);

/** decorators. */
export const decorators = words(`
  allowed batchSize description discriminator export maxLength maxValue metadata minLength minValue sealed
  secure sys retryOn waitUntil onlyIfNotExists
`);

/** types. */
export const types = words('any array bool int object string resourceInput resourceOutput');
