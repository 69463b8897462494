// Package fetch asks servers that are not trusted, over HTTP and within bounds. All providers that ask a server do it
// through this package.
//
// An answer is read up to 1 MiB after decompression, its header up to 64 kB, and for at most the timeout, however slowly
// it comes. Redirects are not followed. What a server sends never shows up in a message, unless a provider knows it to be
// the error text of the API that it speaks.
//
// An address that stands in a metric was written by whoever may write templates, who is not the one that runs the
// controller. A Guard says which of them may be asked. It looks at the IP address that is about to be connected to, after
// its name was resolved and at each new connection, so that neither a name that leads elsewhere the second time nor
// another way of writing an address gets around it. Proxies of the environment are not used for such addresses: the
// proxy would connect, and nobody would look where to.
package fetch
