// Package host is a stand-in for the Azure Functions host: it starts a custom handler and invokes it (HST-1 to HST-28).
//
// It is a development tool, and first this is what it does not do: it listens on 127.0.0.1 only; it
// takes no blob leases, so one instance of it per storage account runs the timers; it delivers no
// output bindings but http (an error line says so); it knows no trigger but httpTrigger, timerTrigger,
// serviceBusTrigger (queues and topics without sessions) and blobTrigger, and of the last only the
// polling form; it scales nothing and restarts nothing but the handler; it connects to storage and
// Service Bus by connection string only, never by identity. A blob that failed for the last time goes
// to the storage queue webjobs-blobtrigger-poison on Azure; the local stack has no storage queues, so
// the same message is written as the blob webjobs-blobtrigger-poison/<function>/<n>.json, with an
// error line. The count of a blob's tries is kept in memory and begins anew when the host restarts.
//
// What it does it does as unkindly as the real host: a chunked request body arrives empty (HST-12),
// scalars are encoded twice (HST-21), a text blob is damaged by its reading as UTF-8 (HST-25), an
// empty reply hangs until the function's time-out (HST-26), a string that is base64 is decoded
// (HST-27). It shares no code with the decoder of the handler, so that neither hides a fault of the
// other. A handler that works under it should work in the cloud.
//
// Timers follow the clock given as Options.Now, which may be moved; everything else (time-outs, lock
// renewal, polling) follows the real one. All methods of Host are safe for concurrent use.
package host
