// Package publisher keeps what a source has published in step with its archive.
//
// A Watcher looks at the archive every so often and compares three things, so that nothing depends on having been told,
// or on having been running:
//
//	what the archive lists        what the catalog holds    so
//	a study                       nothing                   publish it, once it is stable
//	a study                       it, unfinished            finish: a crash came between catalog and ledger
//	it with other counts, texts   it                        amend it, once it is stable and if it did change
//	it with another patient id    it                        hold it at once; the operator releases or withdraws it
//	nothing                       it                        ask for it by name; if it is gone, and still is after a
//	                                                        time of grace, withdraw it
//	only what is rejected (IOCM)  it                        hold it; if it still is so after a time of grace, and nobody
//	                                                        has released it, withdraw it
//	images of two patients        it                        hold it; nothing is given out of it in any case
//
// What is dated, or came, of late is compared each minute, everything each hour, with the exception of what a listing
// cannot show: some published studies are looked into each hour, in turn, and registered if the registry has lost them.
//
// What a study is on the ledger is asked of the ledger. All that must be remembered besides is a digest of what a
// published study was like, catalog.Watched; it is written last, so whatever was interrupted is done again, and all of it
// can be done again. Which studies wait for becoming stable is in memory: after a restart they wait anew.
//
// Listings lie. One that ends in an error says nothing about what it leaves out; one that leaves a study out is held
// against the archive's answer for that study; and when many are gone at once nothing is withdrawn, as it is the archive
// that is amiss. A study whose listing is never twice the same is never published.
//
// Studies made before Config.From are left to BackFill, which publishes them at a bounded rate. A study that was erased is
// published again only by who names it.
//
// Errors and logs name a study by what it is called on the ledger.
package publisher
