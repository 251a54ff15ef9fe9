package xdsi

const (
	// maxImages bounds the images of one request: an examination has some thousands at the most. It is that of
	// what xds.Client reads.
	maxImages = 16_384
	// maxRequest bounds a request in bytes: an image has 250 to 380.
	maxRequest = 6 << 20
	// maxTransferSyntaxes bounds the list of what a requester can read: DICOM PS3.6 has some 60.
	maxTransferSyntaxes = 256
)
