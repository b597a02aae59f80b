module short 'child.bicep' = { // want: parameter name is not passed
  name: 'short'
  params: {
    colour: 'blue'
    weight: 3 // want: there is no parameter weight
  }
}
module many 'child.bicep' = [
  for n in ['a', 'b']: {
    name: 'many-${n}'
    params: {
      name: n
    }
  }
]
output id string = many[0].outputs.id
output colour string = many[0].outputs.colour // want: child.bicep has no output colour
output size string = short.outputs.size // want: child.bicep has no output size
