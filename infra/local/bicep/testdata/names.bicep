param unused string // want: param unused is never used
var idle = 1 // want: var idle is never used
type spare = { // want: type spare is never used
  name: string
}
@minLenght(3) // want: there is no function minLenght
param name string
var twice = 1
var twice = 2 // want: twice is declared twice
output a string = toUper(name) // want: there is no function toUper
output b string = '${name}-${sufix}' // want: sufix is not declared
output c array = map([twice], n => n + nn) // want: nn is not declared
output d array = [for (x, i) in [1]: x + i + y] // want: y is not declared
