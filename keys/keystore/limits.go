package keystore

// maxFileBytes bounds a key or certificate file. An RSA-8192 key takes 6 KiB in PEM and a chain of ten
// certificates about 20; whoever names a larger file has named the wrong one.
const maxFileBytes = 64 << 10

// maxNameBytes bounds a certificate's common name, as X.520 does (ub-common-name, RFC 5280 appendix A.1).
const maxNameBytes = 64
