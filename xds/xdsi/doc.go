// Package xdsi is Cross-Enterprise Document Sharing for Imaging (XDS-I.b): RAD-69 Retrieve Imaging Document Set, a server
// and a client. RAD TF-3: 4.69
//
//	StudyRequest > SeriesRequest > DocumentRequest  -->  ImageSource.RetrieveImages  -->  xds.RetrieveResponse
//	TransferSyntaxUIDList
//
// The DocumentUniqueId of a request is the SOP Instance UID of an image, its RepositoryUniqueId the Retrieve Location UID
// that stands in the manifest. The answer is that of ITI-43, with images as DICOM files (PS3.10), and is made and read
// by package xds.
//
// RAD-68 Provide and Register Imaging Document Set is ITI-41 on the wire, with the same action: see xds.Recipient.
//
// The package is pure, as xds is. Values may be used concurrently as far as the ImageSource may.
package xdsi
