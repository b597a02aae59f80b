param tables string[]
resource made 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for (table, i) in tables: { // want: made is not made from resources.json
    name: '${table}${i}'
  }
]
