// Package dimse speaks DICOM's own network protocol: the upper layer of PS3.8 and the messages of PS3.7 that an archive
// and a gateway exchange.
//
//	         Client, a remote.PACS                     Server
//	C-ECHO   asks the PACS                             answers
//	C-FIND   lists studies, and what is in one         -
//	C-GET    fetches an instance                       -
//	C-MOVE   fetches an instance, which then comes     hands it to the Client that waits for it
//	C-STORE  -                                         takes what modalities send into a Sink, such as pacs/fs
//
// Bytes on the wire, big endian but for the command, which is implicit VR little endian:
//
//	PDU   type (1)  0 (1)  length (4)   body
//	PDV   length (4)  presentation context (1)  control (1: command, 2: last)   fragment
//	a message is a command in PDVs, and, if the command says so, a data set in PDVs behind it
//
// A data set is never held in memory: it is read from the connection by whoever reads the instance, and what makes it
// a Part 10 file, preamble and file meta information, is put before it. So an instance has the data set that the PACS
// sends, in the transfer syntax that it sends it in. To be sent what is stored, a Client proposes each transfer syntax
// in a presentation context of its own. Some PACS, DCMTK's among them, encode the lengths of sequences anew for the
// wire; pixels they leave.
//
// DCMTK sends with Nagle's algorithm on and stalls for 45 ms an object while our side delays its acknowledgement; so
// all connections here acknowledge at once (TCP_QUICKACK, where the system has it) and write whole messages.
//
// Whoever calls is known by AE title and, as anyone can say any title, by network address. TLS is as PS3.15 B.9 has
// it; certificates then say who calls. Errors and logs carry neither UIDs nor texts of the data sets.
package dimse
