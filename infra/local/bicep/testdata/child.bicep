param name string
param size int?
param colour string = 'red'
output id string = '${name}${size}${colour}'
