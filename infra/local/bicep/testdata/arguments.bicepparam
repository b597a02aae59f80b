using 'child.bicep' // want: parameter name is not passed
param colour = 'green'
param weight = 3 // want: there is no parameter weight
