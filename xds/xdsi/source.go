package xdsi

import (
	"context"

	"collimate/soap"
	"collimate/wsdl"
	"collimate/xds"
	"collimate/xua"
)

// ImagingRequest names one image. RAD TF-3: 4.69.4.1.2
type ImagingRequest struct {
	StudyInstanceUID  string
	SeriesInstanceUID string
	// DocumentRequest has the SOP Instance UID as DocumentUniqueID.
	xds.DocumentRequest
}

// TransferSyntaxError is the code for an image that cannot be had in any of the transfer syntaxes asked for. The
// Technical Framework has none; this is DICOM's, and what dcm4chee sends. DICOM PS3.18 2014b 6.4
const TransferSyntaxError xds.ErrorCode = "urn:dicom:wado:0007"

// ImageSource answers RAD-69 Retrieve Imaging Document Set. It is the interface that a backend fills, and what
// xds.Repository says of Retrieve holds for it.
//
// Every image that is not among the Documents of the answer has an error with its DocumentUniqueID as Location: one
// that is not in the series and the study that were asked, too. transferSyntaxes is what the caller can read, at least
// one and none twice, in the caller's order; each document is in one of them. The media type is application/dicom.
type ImageSource interface {
	RetrieveImages(ctx context.Context, caller xua.Caller, requests []ImagingRequest, transferSyntaxes []string) (*xds.RetrieveResponse, error)
}

// NewHandler returns an http.Handler that answers the transactions of an Imaging Document Source, and ?wsdl. Its fields
// may be changed before it serves.
func NewHandler(source ImageSource, authenticate xds.Authenticator, o xds.Options) *soap.Server {
	return &soap.Server{
		Operations: []soap.Operation{Operation(source, authenticate)},
		Contract:   wsdl.Handler(wsdl.ImagingDocumentSource, o.URL),
		Limits:     soap.Limits{RequestBytes: maxRequest},
	}
}

// Operation returns RAD-69 as a row for a soap.Server.
func Operation(source ImageSource, authenticate xds.Authenticator) soap.Operation {
	return xds.TransactionOf(xds.RAD69).Operation(authenticate, func(ctx context.Context, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
		asked, fault := parseRequest(request.Payload)
		if fault != nil {
			return nil, fault
		}
		return xds.AnswerRetrieve(asked.images(), func(answerable []image) (*xds.RetrieveResponse, error) {
			requests := make([]ImagingRequest, len(answerable))
			for i := range answerable {
				requests[i] = answerable[i].ImagingRequest
			}
			return source.RetrieveImages(ctx, caller, requests, asked.transferSyntaxes)
		})
	})
}

// Client sends RAD-69 to an Imaging Document Source.
type Client struct {
	// SOAP sends, and signs if it has a signer. Nil sends unsigned by http.DefaultClient.
	SOAP *soap.Client
}

// RetrieveImages asks the source at url for images in one of the transfer syntaxes. The answer is as that of
// xds.Client.Retrieve.
func (c *Client) RetrieveImages(ctx context.Context, url string, requests []ImagingRequest, transferSyntaxes []string) (*xds.RetrieveResponse, error) {
	asked := &retrieval{requests, transferSyntaxes}
	return xds.SendRetrieve(ctx, c.SOAP, url, xds.TransactionOf(xds.RAD69), appendRequest(nil, asked), asked.images())
}
