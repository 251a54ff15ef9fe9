// Package dicomweb reads a PACS over DICOMweb: QIDO-RS to list a study, WADO-RS to get its instances. DICOM PS3.18
// 10.4 and 10.6
//
// A Client is a remote.PACS; remote.Open makes a pacs.Archive of it.
//
//	GET  URL/studies?StudyDate=D-                          studies since a day, in pages
//	GET  URL/studies?StudyInstanceUID=S                    the study
//	GET  URL/studies/S/series, URL/studies/S/instances     in pages, until the PACS has no more
//	GET  URL/studies/S/series/E                            all instances of a series, which cost a PACS a third of
//	GET  URL/studies/S/series/E/instances/I                one by one:
//	     Accept: multipart/related; type="application/dicom"; transfer-syntax=*
//
// The star asks for the bytes that are stored; a Client never has the PACS transcode. A listing is complete when it
// holds as many instances as the PACS says the study has. An instance is complete when the closing boundary of its
// multipart answer has come: a PACS that fails midway ends an answer of status 200 as if nothing were wrong.
//
// The credentials are a user and a password, a bearer token, a TLS client certificate, or of these what the PACS
// wants together. Without TLS a Client talks to the same machine only, unless it is told otherwise. Redirects are
// not followed. Errors carry no UIDs and no URLs.
//
// Tried against Orthanc 1.10 with its DICOMweb plugin 1.7.
package dicomweb
