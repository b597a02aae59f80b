@export()
var roles = {
  // Storage Blob Data Owner
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  // Storage Blob Data Reader
  sender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39' // want: the comment above must name the role: Azure Service Bus Data Sender
  // Owner
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635' // want: is not a role of roles.json
}
