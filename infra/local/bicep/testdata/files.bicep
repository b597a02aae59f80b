module gone 'modules/gone.bicep' = { // want: modules/gone.bicep does not exist
  name: 'gone'
}
var absent = loadJsonContent('absent.json') // want: absent.json does not exist
var broken = loadJsonContent('broken.json') // want: broken.json is not JSON
output out array = [absent, broken]
