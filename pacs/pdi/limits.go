package pdi

const (
	// copyBuffer is what an instance is copied through. Under TLS, 256 KiB was measured to be as fast as larger
	// ones and distinctly faster than io.Copy's 32; one is held for each archive being written.
	copyBuffer = 256 << 10

	// maxInstanceBytes bounds a listed size, so that the sum over dicom.MaxInstances of them stays an int64.
	// No instance comes near it: native pixel data ends at 4 GiB.
	maxInstanceBytes = 1 << 40
)
