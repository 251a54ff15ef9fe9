package dicom

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Header holds the attributes of one file that say what it is, whose it is and where it belongs.
type Header struct {
	// TransferSyntaxUID is (0002,0010), or what the bytes look like if the file does not say.
	TransferSyntaxUID string
	// Part10 is false for a file without preamble, "DICM" or transfer syntax, as some from before 1996 and
	// some research tools are. Such a file can be read but must not go on a medium.
	Part10 bool

	values map[Tag][]byte
	texts  charset
}

// lastHeaderTag is where ReadHeader stops.
const lastHeaderTag = InstanceNumber

// keeps reports whether ReadHeader keeps the value of t.
func keeps(t Tag) bool {
	switch t {
	case transferSyntaxUID, mediaStorageSOPClassUID, SpecificCharacterSet, SOPClassUID, SOPInstanceUID, StudyDate,
		StudyTime, AccessionNumber, Modality, ReferringPhysicianName, StudyDescription, SeriesDescription,
		PatientName, PatientID, IssuerOfPatientID, PatientBirthDate, PatientSex, StudyInstanceUID,
		SeriesInstanceUID, StudyID, SeriesNumber, InstanceNumber, StudyInstances, SeriesInstances:
		return true
	}
	return false
}

// ReadHeader reads a file from its start up to Instance Number (0020,0013). It takes what it needs and a buffer
// more from r. It returns ErrNotDICOM or a *SyntaxError for what it cannot read, and otherwise an error of r.
// What is missing is empty in the Header: see Validate.
func ReadHeader(r io.Reader) (*Header, error) {
	h, _, err := readHeader(r)
	return h, err
}

// Inspect reads a file to its end and returns its header. It refuses a file that ends within an element, as one does
// that was cut; what else may be wrong behind the header is passed over.
func Inspect(r io.Reader) (*Header, error) {
	h, d, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	if d.limit = 0; h.TransferSyntaxUID == DeflatedExplicitVRLittleEndian {
		d.limit = maxInflatedBytes
	}
	for err == nil {
		if _, err = d.peekTag(); err != nil {
			break
		}
		var e element
		if e, err = d.element(); err == nil {
			err = d.skipValue(e)
		}
	}
	if malformed, ok := err.(*SyntaxError); ok && !malformed.truncated && d.limit == 0 {
		_, err = io.Copy(io.Discard, d.r)
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	return h, nil
}

// readHeader also returns the decoder, which stands behind what was read.
func readHeader(r io.Reader) (*Header, *decoder, error) {
	d := &decoder{r: bufio.NewReader(r), layout: layoutOf(ExplicitVRLittleEndian), limit: maxHeaderBytes}
	h := &Header{values: make(map[Tag][]byte, 24)}
	start, err := d.r.Peek(132)
	if err != nil && err != io.EOF {
		return nil, nil, fmt.Errorf("reading DICOM: %w", err)
	}
	preamble := len(start) == 132 && string(start[128:]) == "DICM"
	if preamble {
		err = d.skip(132)
	} else if guessEncoding(start) == "" {
		return nil, nil, ErrNotDICOM
	} else {
		err = nil
	}
	if err == nil {
		err = h.readMeta(d)
	}
	if err == nil {
		h.Part10 = preamble && h.TransferSyntaxUID != ""
		err = h.readDataSet(d, lastHeaderTag)
	}
	if _, malformed := err.(*SyntaxError); malformed && !preamble {
		// Without "DICM" the first bytes were a guess, and now it is known to be wrong.
		return nil, nil, ErrNotDICOM
	}
	if err != nil {
		return nil, nil, err
	}
	h.texts = charsetOf(string(h.values[SpecificCharacterSet]))
	return h, d, nil
}

// ReadDataSet reads a data set without preamble and meta information to its end, as the identifier of a query is.
// It keeps what ReadHeader keeps, and the numbers of related instances.
func ReadDataSet(r io.Reader, transferSyntax string) (*Header, error) {
	d := &decoder{r: bufio.NewReader(r), limit: maxHeaderBytes}
	h := &Header{TransferSyntaxUID: transferSyntax, values: make(map[Tag][]byte, 24)}
	if err := h.readDataSet(d, ^Tag(0)); err != nil {
		return nil, err
	}
	h.texts = charsetOf(string(h.values[SpecificCharacterSet]))
	return h, nil
}

// readMeta takes the elements of group 0002. Its end is the first tag of another group: the group length
// (0002,0000) is wrong in too many files to be of use.
func (h *Header) readMeta(d *decoder) error {
	for {
		t, err := d.peekTag()
		if err == io.EOF || err == nil && t>>16 != fileMetaGroupLength>>16 {
			break
		}
		if err != nil {
			return err
		}
		if err := h.readElement(d); err != nil {
			return err
		}
	}
	h.TransferSyntaxUID = h.Text(transferSyntaxUID)
	return nil
}

// readDataSet takes the elements up to last.
func (h *Header) readDataSet(d *decoder, last Tag) error {
	switch h.TransferSyntaxUID {
	case "":
		start, _ := d.r.Peek(8)
		if h.TransferSyntaxUID = guessEncoding(start); h.TransferSyntaxUID == "" {
			return d.syntax("no transfer syntax, and the data set is of none that can be guessed")
		}
	case DeflatedExplicitVRLittleEndian:
		d.r = bufio.NewReader(inflater{flate.NewReader(d.r)})
	}
	d.layout = layoutOf(h.TransferSyntaxUID)
	for {
		t, err := d.peekTag()
		if err == io.EOF || err == nil && t > last {
			return nil
		}
		if err != nil {
			return err
		}
		if err := h.readElement(d); err != nil {
			return err
		}
	}
}

// readElement takes one element and keeps its value if it is wanted.
func (h *Header) readElement(d *decoder) error {
	e, err := d.element()
	if err != nil {
		return err
	}
	if !keeps(e.tag) || e.length == undefinedLength {
		return d.skipValue(e)
	}
	if _, twice := h.values[e.tag]; twice {
		return d.syntax("%v stands twice", e.tag) // which one counts would depend on the reader
	}
	if e.length > maxValueBytes {
		return d.syntax("%v has more than %d bytes", e.tag, maxValueBytes)
	}
	b := make([]byte, e.length)
	if err := d.read(b); err != nil {
		return err
	}
	h.values[e.tag] = b
	return nil
}

// inflater makes corrupt deflated data a SyntaxError, as all that is malformed is.
type inflater struct{ r io.Reader }

func (i inflater) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	if _, corrupt := err.(flate.CorruptInputError); corrupt {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// guessEncoding returns the transfer syntax of a data set by its first 8 bytes, "" if they are not the start of
// one. Data sets begin with group 0008 (0002 if the file has meta information without a preamble), an
// element under 0x0100, and a VR or a short length.
func guessEncoding(start []byte) string {
	if len(start) < 8 {
		return ""
	}
	explicit := vr{start[4], start[5]}.valid()
	element := func(o binary.ByteOrder) bool {
		group, number := o.Uint16(start), o.Uint16(start[2:])
		return (group == 8 || group == 2) && number <= 0x0100
	}
	switch {
	case element(binary.LittleEndian) && explicit:
		return ExplicitVRLittleEndian
	case element(binary.LittleEndian) && binary.LittleEndian.Uint32(start[4:]) <= maxValueBytes:
		return ImplicitVRLittleEndian
	case element(binary.BigEndian) && explicit:
		return ExplicitVRBigEndian
	}
	return ""
}

// Text returns the first value of an attribute, without padding and control characters, as UTF-8; "" if it is
// absent, empty, not among those that ReadHeader keeps, or a UID that is none. Bytes that the Specific
// Character Set does not provide for come out as U+FFFD: a name is never guessed at.
func (h *Header) Text(t Tag) string {
	raw := h.values[t]
	v, ok := t.representation()
	if len(raw) == 0 || !ok {
		return ""
	}
	var text string
	switch string(v[:]) {
	case "UI":
		if uid := h.uid(t); CheckUID(uid) == nil {
			return uid
		}
		return ""
	case "LO", "SH", "PN":
		text = h.texts.decode(raw, string(v[:]) == "PN")
	default:
		text = strings.ToValidUTF8(string(raw), "\ufffd")
	}
	text, _, _ = strings.Cut(text, `\`)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	return strings.Trim(text, " ")
}

// uid returns a UID as it stands in the file, less its padding. Nothing else is taken away from it: a UID with
// a line break in it must be refused, not turned into another.
func (h *Header) uid(t Tag) string { return strings.TrimRight(string(h.values[t]), "\x00 ") }

// MediaStorageSOPClassUID returns (0002,0002), which a DICOMDIR has instead of a SOP Class UID; "" if it is
// absent or no UID.
func (h *Header) MediaStorageSOPClassUID() string { return h.Text(mediaStorageSOPClassUID) }

// Validate reports why the file cannot be kept as an instance of a study: the first of its SOP Class, SOP
// Instance, Study Instance and Series Instance UID that is missing or is none, or a file without Part 10
// meta information.
func (h *Header) Validate() error {
	for _, t := range []Tag{SOPClassUID, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID} {
		if err := CheckUID(h.uid(t)); err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
	}
	if !h.Part10 {
		return errors.New("no Part 10 preamble and meta information")
	}
	return nil
}
