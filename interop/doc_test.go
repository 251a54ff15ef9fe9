// Package interop holds Collimate's WS-Security against the stacks that hospitals run: libxmlsec1, node-soap and
// xml-crypto, WSS4J of two generations, gSOAP and zeep, each as its makers ship it and none of it in this tree.
//
// Two directions. To us: a peer signs an ITI-43 request, and it arrives at a whole server (TLS with client
// certificates, soap.Server, wss.Verifier), sent by the peer itself where it speaks HTTP and by the test where it
// does not. From us: soap.Client and wss.Signer make a request, and the peer verifies it. For each kind of key, in
// each packaging.
//
// The matrix is data (see matrix_test.go): each cell says what has to happen, and a cell that has to be refused says
// by which fault and why. docs/security/interop.md is written from it:
//
//	go test ./interop -run Document -update
//
// The peers are installed by `interop/install` and asked for by COLLIMATE_INTEROP=1, both of which
// `make interop-soap` does. Without it only what needs no peer is tested: the page, and the messages that the
// peers have once signed (../shared/vectors/wss).
package interop
