package conformance

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/beevik/etree"
)

// fakeImage is an image of the fake.
type fakeImage struct {
	study, series string
	bytes         []byte
}

// dicomWriter writes explicit little endian. DICOM PS3.5 section 7.1.2
type dicomWriter struct{ bytes.Buffer }

func (w *dicomWriter) put(t tag, vr, value string) {
	if len(value)%2 == 1 {
		value += "\x00"
	}
	binary.Write(w, binary.LittleEndian, []uint16{uint16(t >> 16), uint16(t)})
	w.WriteString(vr)
	if slices.Contains(longVR, vr) {
		binary.Write(w, binary.LittleEndian, uint16(0))
		binary.Write(w, binary.LittleEndian, uint32(len(value)))
	} else {
		binary.Write(w, binary.LittleEndian, uint16(len(value)))
	}
	w.WriteString(value)
}

// sequence writes items, every other sequence with undefined lengths.
func (w *dicomWriter) sequence(t tag, undefined bool, items ...string) {
	var b bytes.Buffer
	for _, item := range items {
		length := uint32(len(item))
		if undefined {
			length = undefinedLength
		}
		binary.Write(&b, binary.LittleEndian, []uint16{0xFFFE, 0xE000})
		binary.Write(&b, binary.LittleEndian, length)
		b.WriteString(item)
		if undefined {
			b.WriteString("\xFE\xFF\x0D\xE0\x00\x00\x00\x00")
		}
	}
	if !undefined {
		w.put(t, "SQ", b.String())
		return
	}
	binary.Write(w, binary.LittleEndian, []uint16{uint16(t >> 16), uint16(t)})
	w.WriteString("SQ\x00\x00\xFF\xFF\xFF\xFF")
	w.Write(b.Bytes())
	w.WriteString("\xFE\xFF\xDD\xE0\x00\x00\x00\x00")
}

// part10 writes a DICOM file.
func part10(class, instance, study, series, modality string, more func(*dicomWriter)) []byte {
	w := &dicomWriter{}
	w.Write(make([]byte, 128))
	w.WriteString("DICM")
	w.put(tagTransferSyntax, "UI", explicitLittleEndian)
	w.put(tagSOPClass, "UI", class)
	w.put(tagSOPInstance, "UI", instance)
	w.put(tagAccession, "SH", "A1")
	w.put(tagModality, "CS", modality)
	w.put(tagPatientName, "PN", "Doe^Jane")
	w.put(tagPatientID, "LO", "P1")
	w.put(tagBirthDate, "DA", "19700101")
	w.put(tagSex, "CS", "F")
	w.put(tagStudy, "UI", study)
	w.put(tagSeries, "UI", series)
	if more != nil {
		more(w)
	}
	return w.Bytes()
}

// fill gives the fake a study of two series and two kinds of image, its manifest and an on-demand document.
func (f *fake) fill(t *Target) {
	const class = "1.2.840.10008.5.1.4.1.1."
	study, kos := newOID(), newOID()
	var evidence []string
	for i, kind := range []string{"2", "4"} {
		series := newOID()
		var sops []string
		for range 2 {
			instance := newOID()
			f.images[instance] = fakeImage{study, series, part10(class+kind, instance, study, series, "CT", func(w *dicomWriter) { w.put(tagPixelData, "OW", "pixels") })}
			item := &dicomWriter{}
			item.put(tagReferencedClass, "UI", class+kind)
			item.put(tagReferencedSOP, "UI", instance)
			sops = append(sops, item.String())
		}
		item := &dicomWriter{}
		item.put(tagRetrieveAETitle, "AE", "FAKE")
		item.sequence(tagReferencedItems, i == 0, sops...)
		item.put(tagSeries, "UI", series)
		item.put(tagRetrieveUID, "UI", testRepository)
		evidence = append(evidence, item.String())
	}
	item := &dicomWriter{}
	item.sequence(tagReferencedSerie, true, evidence...)
	item.put(tagStudy, "UI", study)
	b := part10("1.2.840.10008.5.1.4.1.1.88.59", kos, study, newOID(), "KO", func(w *dicomWriter) { w.sequence(tagEvidence, true, item.String()) })
	f.documents[kos] = &held{mimeType: "application/dicom", body: b}
	f.documents[onDemandID] = &held{mimeType: "application/zip", body: []byte("PK\x03\x04 made now")}
	t.Manifest, t.OnDemandDocument = kos, onDemandID

	f.announce(t, registerDocumentSet, kos, document{mime: 1, format: 2})
	f.announce(t, registerOnDemand, onDemandID, document{onDemand: true})
}

// announce registers a document of the fake's own.
func (f *fake) announce(t *Target, tx *transaction, id string, d document) {
	s, err := t.session()
	if err != nil {
		panic(err)
	}
	sub := s.make(recipe{documents: []document{d}, edit: func(_ *session, sub *submission) {
		setUniqueID(&sub.documents[0], id)
		setSlot(sub.documents[0].element, "repositoryUniqueId", testRepository)
		setPatient(sub.documents[0].element, "own^^^&"+fakeAuthority+"&ISO")
		setPatient(sub.set.element, "own^^^&"+fakeAuthority+"&ISO")
	}}, tx)
	request := sub.message("http://fake", tx)
	if got := f.register(tx, request.body().ChildElements()[0].ChildElements()[0]); got.SelectAttrValue("status", "") != StatusSuccess {
		panic("the fake refuses its own document")
	}
}

// retrieveImages is RAD-69.
func (f *fake) retrieveImages(request *etree.Element, parts map[string][]byte) *etree.Element {
	answer := etree.NewElement("xdsb:RetrieveDocumentSetResponse")
	response := answer.CreateElement("rs:RegistryResponse")
	listed := false
	for _, ts := range children(child(request, nsRAD, "TransferSyntaxUIDList"), nsRAD, "TransferSyntaxUID") {
		listed = listed || textOf(ts) == explicitLittleEndian
	}
	for _, study := range children(request, nsRAD, "StudyRequest") {
		for _, series := range children(study, nsRAD, "SeriesRequest") {
			for _, r := range children(series, nsXDSB, "DocumentRequest") {
				var d *held
				img, ok := f.images[childText(r, nsXDSB, "DocumentUniqueId")]
				if ok && listed && img.study == study.SelectAttrValue("studyInstanceUID", "") && img.series == series.SelectAttrValue("seriesInstanceUID", "") {
					d = &held{mimeType: "application/dicom", body: img.bytes}
				}
				f.respond(answer, response, r, d, parts)
			}
		}
	}
	finish(answer, response)
	return answer
}
